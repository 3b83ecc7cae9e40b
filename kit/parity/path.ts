/** Paths are written `$.body.items[3].id`; a pattern may say `[*]`, `*` for one name, and `..` for any depth. */

/** `$.body.items[3].id` becomes `$.body.items[*].id`: what is counted together. */
export function patternOf(path: string): string {
  return path.replaceAll(/\[\d+\]/g, '[*]')
}

/** @returns A function that says whether a path is one the pattern means. */
export function matcher(pattern: string): (path: string) => boolean {
  const source = pattern
    .replaceAll(/[$+?^(){}|\\]/g, '\\$&')
    .replaceAll('..', '\u0000')
    .replaceAll('[*]', '\u0001')
    .replaceAll('*', '[^.[\\]]+')
    .replaceAll(/\[(\d+)\]/g, '\\[$1\\]')
    .replaceAll(/\.(?!\+)/g, '\\.')
    .replaceAll('\u0000', '(?:[.[].*)?[.]')
    .replaceAll('\u0001', '\\[\\d+\\]')
  const whole = new RegExp(`^${source}$`)
  return (path) => whole.test(path)
}

/** @returns What stands at a plain path such as `$.body.items[0].id`; undefined where there is nothing. */
export function valueAt(document: unknown, path: string): unknown {
  let node = document
  for (const [, name, index] of path.matchAll(/\.([^.[\]]+)|\[(\d+)\]/g)) {
    if (typeof node !== 'object' || node === null) return undefined
    node = (node as Record<string, unknown>)[name ?? String(index)]
  }
  return node
}
