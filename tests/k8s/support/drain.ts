/** How long a process takes to stop, at most. */
import { readFileSync } from 'node:fs'

const read = (file: string) => readFileSync(new URL(`../../../kit/service/${file}`, import.meta.url), 'utf8')

/** Seconds that requests in flight are given, where no setting says otherwise, and then whatever has to be closed. */
export const DRAIN_S =
  (milliseconds(/SHUTDOWN_GRACE_MS: .*\.default\(([\d_]+)\)/, 'config.ts') +
    milliseconds(/CLOSE_BOUND_MS = ([\d_]+)/, 'serve.ts')) /
  1000

function milliseconds(pattern: RegExp, file: string): number {
  const [, digits] = pattern.exec(read(file)) ?? []
  if (digits === undefined) throw new Error(`${file} does not say ${pattern}`)
  return Number(digits.replaceAll('_', ''))
}
