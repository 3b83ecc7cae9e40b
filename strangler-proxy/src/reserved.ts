/** Paths that the public listener answers with 404, whatever the table says and however they are spelt. */
export const RESERVED = ['internal', 'metrics', 'health']

const ESCAPED = /%[0-9a-f]{2}/i
/** What every server reads alike. */
const PLAIN = /^[A-Za-z0-9_-]+$/
/** Escapes within escapes, deeper than anybody writes them; what is deeper still is refused. */
const DEEPEST = 4

/**
 * The path as the most eager reader would read it, with escapes within escapes undone too; null for one with escapes
 * that are no UTF-8 or go deeper than anybody means.
 */
export function readEagerly(path: string): string | null {
  let read = path
  for (let depth = 0; ESCAPED.test(read); depth += 1) {
    if (depth === DEEPEST) return null
    try {
      // A percent sign that begins no escape stands for itself.
      read = decodeURIComponent(read.replace(/%(?![0-9a-f]{2})/gi, '%25'))
    } catch {
      // Only the first reading is everybody's; what looks like an escape inside it may be somebody's text.
      return depth === 0 ? null : read
    }
  }
  return read
}

/**
 * Whether a normalised path leads where the public has no business, read by a server that undoes escapes twice, ignores
 * the letters' case and form, cuts path parameters, a query or a fragment, or drops dots and blanks at the end of a name.
 */
export function isReserved(path: string): boolean {
  const written = firstOf(path)
  if (PLAIN.test(written) && !path.includes('%')) return RESERVED.includes(written.toLowerCase())
  const read = readEagerly(path)
  if (read === null) return true
  const name = firstOf(read).split(/[;?#]/, 1)[0]!.normalize('NFKC')
  return RESERVED.includes(
    name
      .replace(/[.\s]+$/, '')
      .trimStart()
      .toUpperCase()
      .toLowerCase(),
  )
}

function firstOf(path: string): string {
  const end = path.indexOf('/', 1)
  return end === -1 ? path.slice(1) : path.slice(1, end)
}
