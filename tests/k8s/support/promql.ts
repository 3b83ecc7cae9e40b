/** What an expression of PromQL asks for, as far as ours need it. */

const WORDS = ['by', 'without', 'on', 'ignoring', 'and', 'or', 'unless', 'offset', 'bool']

/** @returns The names of the metrics in it: what is no function, no label, no string and no number. */
export function metricsIn(expression: string): string[] {
  const bare = expression
    .replaceAll(/"[^"]*"/g, '')
    .replaceAll(/\{[^}]*\}|\[[^\]]*\]/g, '')
    .replaceAll(/\b(by|without|on|ignoring)\s*\([^)]*\)/g, '')
  const names = [...bare.matchAll(/\b[a-zA-Z_:][\w:]*\b(?!\s*\()/g)].map(([name]) => name)
  return [...new Set(names)].filter((name) => !WORDS.includes(name))
}

/** @returns The names of the labels in it: those that it chooses by, and those that it groups by. */
export function labelsIn(expression: string): string[] {
  const bare = expression.replaceAll(/"[^"]*"/g, '""')
  const chosen = [...bare.matchAll(/\{([^}]*)\}/g)].flatMap(([, inner = '']) => inner.match(/\w+(?=\s*(?:=|!))/g) ?? [])
  const grouped = [...bare.matchAll(/\b(?:by|without|on|ignoring)\s*\(([^)]*)\)/g)].flatMap(
    ([, inner = '']) => inner.match(/\w+/g) ?? [],
  )
  return [...new Set([...chosen, ...grouped])]
}

/** @returns The names of all series in an answer of `/metrics`, a histogram's three among them. */
export function seriesOf(exposition: string): Set<string> {
  const types = [...exposition.matchAll(/^# TYPE (\S+) (\S+)$/gm)]
  return new Set(
    types.flatMap(([, name = '', type]) =>
      type === 'histogram' ? ['_bucket', '_sum', '_count'].map((part) => name + part) : [name],
    ),
  )
}
