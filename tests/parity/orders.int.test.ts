import { it } from 'vitest'
import { expectAlike } from './run-parity.ts'

it(
  'orders are alike in the monolith and as a service beside the others',
  () => expectAlike('orders', '--requests', '40'),
  240_000,
)
