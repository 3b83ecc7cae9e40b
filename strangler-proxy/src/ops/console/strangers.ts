import { createRateLimiter, type Rate } from '../../gateway/rate-limit.ts'
import type { AuditLine } from '../audit.ts'

const HOUR_MS = 3_600_000
const OF_AN_ADDRESS: Rate = { requests: 10, perMs: HOUR_MS }
const OF_ALL: Rate = { requests: 60, perMs: HOUR_MS }

/**
 * Notes what was refused to who has not logged in. Nothing is ever taken out of the audit, so nobody may fill it: of an
 * address, and of all together, so many lines are written at once and no more each hour after, and the next one says how
 * many were not.
 */
export function createNoteStranger(
  audit: (line: AuditLine) => Promise<void>,
  now?: () => number,
): (address: string, line: AuditLine & { readonly why: string }) => void {
  const ofEach = createRateLimiter(now ? { now } : {})
  const ofAll = createRateLimiter(now ? { now } : {})
  let left = 0
  return (address, line) => {
    if (ofEach.take(address, OF_AN_ADDRESS) > 0 || ofAll.take('', OF_ALL) > 0) {
      left += 1
      return
    }
    const why = left === 0 ? line.why : `${line.why}; ${left} more were not written down before`
    left = 0
    void audit({ ...line, why })
  }
}
