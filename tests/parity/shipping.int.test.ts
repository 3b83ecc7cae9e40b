import { it } from 'vitest'
import { expectAlike } from './run-parity.ts'

// Over the end of a year, by clocks of their own: whoever does not follow them refuses the tokens.
it(
  'shipping is alike in the monolith and as a service by what they hear and what they are asked',
  () => expectAlike('shipping', '--requests', '80', '--clock', '2027-12-31T23:59:50Z'),
  240_000,
)
