/** How what a run makes on servers that are not its own is known again. */

/** Stands beside each of its databases and accounts: a name alone may be anybody's. */
export const MARK = 'banyan-parity'

/** What the names begin with, as a regular expression of both JavaScript and PostgreSQL. */
export const RUN_NAME = '^parity_[0-9]+_[0-9a-z]+'

/** @returns a name for a run, by which all that it makes begins */
export function newRunName(): string {
  return `parity_${process.pid}_${Date.now().toString(36)}`
}

/** @returns when the run of such a name began, in ms since 1970 */
export const begunAt = (name: string): number => Number.parseInt(name.split('_')[2] ?? '', 36)
