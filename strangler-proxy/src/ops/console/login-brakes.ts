import { createBrake } from '../brake.ts'

/** What an attempt to log in says of itself. */
export type Attempt = {
  readonly address: string
  readonly name: string
  readonly isOperator: boolean
  /** The browser, if it is one by which this operator has logged in before. */
  readonly browser: string | null
}

/** Slows down who guesses the secrets of the console, by whatever they do it again and again. */
export type LoginBrakes = {
  /** @returns milliseconds to wait instead; 0 when the attempt may go on, and `ended` is to be told how it went */
  begin(attempt: Attempt): number
  ended(attempt: Attempt, right: boolean): void
}

const MOST_MS = 30_000
/** Shorter, because whoever has many addresses makes an operator wait who comes by a new browser. */
const MOST_OF_A_NAME_MS = 5_000

/**
 * An attempt counts for its address and, since many addresses may guess one name, for its name; by a browser of the
 * operator's own for that browser alone, so that nobody keeps operators out by guessing in their name or beside them.
 */
export function createLoginBrakes(now?: () => number): LoginBrakes {
  const addresses = createBrake({ mostMs: MOST_MS, now })
  const browsers = createBrake({ mostMs: MOST_MS, now })
  const operators = createBrake({ mostMs: MOST_OF_A_NAME_MS, now })
  // Apart, or made-up names would make the operators' forgotten; slowed down alike, or the wait would tell which is which.
  const others = createBrake({ mostMs: MOST_OF_A_NAME_MS, now })
  const countsFor = ({ address, name, isOperator, browser }: Attempt) =>
    browser !== null
      ? [{ brake: browsers, key: browser }]
      : [
          { brake: addresses, key: address },
          { brake: isOperator ? operators : others, key: name },
        ]
  return {
    begin(attempt) {
      const counted = countsFor(attempt)
      const wait = Math.max(...counted.map(({ brake, key }) => brake.waitMs(key)))
      if (wait === 0) for (const { brake, key } of counted) brake.begin(key)
      return wait
    },
    ended(attempt, right) {
      for (const { brake, key } of countsFor(attempt)) brake.ended(key, right)
    },
  }
}
