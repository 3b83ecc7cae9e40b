/** What was last known for certain of a writes flag: fully on, fully off, or nothing. */
export type Known = 0 | 100 | null

/**
 * Reads a change of a writes flag. Only a move from fully off to fully on, or back, of a flag that stayed in being is
 * a wish; the first sight, a missing or archived flag and a half-on one are not.
 * @param share percent now; null for a flag that is missing, archived or not one number
 */
export function readFlip(known: Known, share: number | null): { known: Known; wish: 'switch' | 'rollback' | null } {
  if (share === null) return { known: null, wish: null }
  if (share !== 0 && share !== 100) return { known, wish: null }
  if (known === null || known === share) return { known: share, wish: null }
  return { known: share, wish: share === 100 ? 'switch' : 'rollback' }
}
