import { it } from 'vitest'
import { expectAlike } from './run-parity.ts'

it(
  'payments are alike in the monolith and as a service, each with a provider of its own',
  () => expectAlike('payments', '--requests', '60'),
  240_000,
)
