import { Refused } from './refused.ts'

/**
 * @param option as it is written, for the refusal
 * @param given what stands behind it
 * @throws Refused for anything but digits, or for less than `least`
 */
export function wholeNumber(option: string, given: unknown, least: number): number {
  const text = String(given)
  const value = Number(text)
  if (/^\d{1,9}$/.test(text) && value >= least) return value
  throw new Refused(`${option} to be a whole number from ${least} on; it is "${text}"`)
}
