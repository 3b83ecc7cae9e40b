import { it } from 'vitest'
import { expectAlike } from './run-parity.ts'

it('users are alike in the monolith and as a service', () => expectAlike('users', '--requests', '60'), 240_000)
