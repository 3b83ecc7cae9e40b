import { Refused } from './refused.ts'

/**
 * @param given what stands behind --timeout
 * @returns seconds
 * @throws Refused for anything but a number above 0
 */
export function timeoutOf(given: unknown): number {
  const seconds = Number(given)
  if (!(seconds > 0)) throw new Refused(`--timeout to be a number of seconds above 0; it is "${given}"`)
  return seconds
}
