// Path patterns: `/api/things/:id` and, as the last segment only, `*` for everything below. Matching ignores the
// letters' case and one trailing slash, as Express does: a spelling that the table did not know but the upstream did
// would go round every decision made here.

/** How two patterns relate: which of their requests the other one matches too. */
export type Relation = 'disjoint' | 'same' | 'narrower' | 'wider' | 'crossing'

const LITERAL = /^[a-z0-9._~!$&'()+,=@-]+$/
/** However many: a request with such a segment is refused before the table is asked. */
const DOTS = /^\.+$/
const PARAMETER = /^:[a-z][a-z0-9_]*$/i

/** A path that is no pattern: what is wrong with it, and what to write instead. */
export class PatternError extends Error {
  readonly remedy: string

  constructor(message: string, remedy: string) {
    super(message)
    this.name = 'PatternError'
    this.remedy = remedy
  }
}

/**
 * The segments of a pattern, parameters as `:`, the open end as `*`.
 * @throws PatternError
 */
export function parsePattern(path: string): readonly string[] {
  if (!path.startsWith('/')) throw new PatternError(`path "${path}" does not start with "/"`, 'begin it with "/"')
  if (path === '/') return []
  return path
    .slice(1)
    .split('/')
    .map((segment, at, all) => {
      if (segment === '*') {
        if (at !== all.length - 1)
          throw new PatternError(`path "${path}": "*" may only be the last segment`, 'write ":name" for one segment')
        return '*'
      }
      if (PARAMETER.test(segment)) return ':'
      const literal = segment.toLowerCase()
      if (!LITERAL.test(literal) || DOTS.test(literal)) {
        throw new PatternError(
          `path "${path}": segment "${segment}" can never match`,
          'write a literal, ":name", or "*" at the end',
        )
      }
      return literal
    })
}

/** Compares two parsed patterns; `narrower` means that everything `a` matches, `b` matches too. */
export function relate(a: readonly string[], b: readonly string[]): Relation {
  let narrower = false
  let wider = false
  for (let at = 0; ; at += 1) {
    const left = a[at]
    const right = b[at]
    if (left === '*' && right === '*') break
    if (left === '*' || right === '*') {
      if ((left === '*' ? right : left) === undefined) return 'disjoint'
      if (left === '*') wider = true
      else narrower = true
      break
    }
    if (left === undefined || right === undefined) {
      if (left !== right) return 'disjoint'
      break
    }
    if (left === right) continue
    if (left !== ':' && right !== ':') return 'disjoint'
    if (left === ':') wider = true
    else narrower = true
  }
  if (narrower && wider) return 'crossing'
  if (narrower) return 'narrower'
  return wider ? 'wider' : 'same'
}
