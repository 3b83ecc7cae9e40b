/** What is sent in the place of a secret that was masked: the same for the same secret, and of the form it had. */
import { replaceStandIns } from './format.ts'

const MADE_UP: Readonly<Record<string, (digest: string) => string>> = {
  // A user of every run's own: a sequence that is run again must not meet the accounts of its first run.
  email: (digest) => `recorded.${digest}.{{unique}}@example.test`,
  card: () => '4242424242424242',
  phone: (digest) => `+1555${digits(digest).slice(0, 7)}`,
  token: (digest) => `recorded.${digest}.token`,
  number: (digest) => digits(digest).slice(0, 9),
}

/** @returns the text with a value made up for each stand-in; it may hold `{{unique}}` */
export function makeUp(text: string): string {
  return replaceStandIns(text, (_, kind, digest) => (MADE_UP[kind] ?? ((made) => `Recorded-${made}-9!`))(digest))
}

/** A number where the whole was one. */
export function makeUpWhole(standIn: string): string | number {
  const made = makeUp(standIn)
  return standIn.startsWith('‹number ') ? Number(made) : made
}

function digits(digest: string): string {
  return String(1_000_000_000 + (Number.parseInt(digest.slice(0, 12), 16) % 9_000_000_000))
}
