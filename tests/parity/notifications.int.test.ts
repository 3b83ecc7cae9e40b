import { it } from 'vitest'
import { expectAlike } from './run-parity.ts'

it(
  'notifications are alike in the monolith and as a service by what they hear and what they are asked',
  () => expectAlike('notifications', '--requests', '80'),
  240_000,
)
