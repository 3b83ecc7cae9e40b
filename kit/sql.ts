// What the kit needs of a transaction: less than any query builder offers, so it depends on none of them.

/**
 * A connection or an open transaction. `?` in the text stands for the next binding and `??` for a quoted identifier,
 * as in Knex, whose transactions fit as they are; a `pg` client is adapted by {@link fromPg}.
 */
export interface Sql {
  // A row has the shape its query gives it; the compiler cannot know it, and every reader here names the columns.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  raw(sql: string, bindings?: readonly unknown[]): PromiseLike<{ rows: any[] }>
}

/** As much of a `pg` client as is used: `Client`, `PoolClient` and `Pool` fit. */
export interface PgQueryable {
  // biome-ignore lint/suspicious/noExplicitAny: as for Sql
  query(text: string, values?: unknown[]): PromiseLike<{ rows: any[] }>
}

/** Lets a `pg` client stand where the kit expects an {@link Sql}. */
export function fromPg(client: PgQueryable): Sql {
  return {
    raw(sql, bindings) {
      // Without bindings the text goes out as it is, so that a script of several statements stays one.
      if (bindings === undefined || bindings.length === 0) return client.query(sql)
      const { text, values } = toNumbered(sql, bindings)
      return client.query(text, values)
    },
  }
}

// What a `?` inside must not count: strings (with doubled quotes, or E'' with backslashes), quoted identifiers,
// dollar-quoted bodies, comments. `\?` is an operator's question mark.
const TOKEN =
  /\b[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|(?<![\w$])\$([A-Za-z_]\w*)?\$[\s\S]*?\$\1\$|--[^\n]*|\/\*[\s\S]*?\*\/|\\\?|\?\??/g

/**
 * Rewrites `?` to `$1, $2, …` and `??` to a quoted identifier, leaving quoted text and comments alone.
 * @throws TypeError when the number of placeholders is not the number of bindings
 */
export function toNumbered(sql: string, bindings: readonly unknown[]): { text: string; values: unknown[] } {
  const values: unknown[] = []
  let used = 0
  const next = (): unknown => {
    if (used >= bindings.length)
      throw new TypeError(`sql: more placeholders than the ${bindings.length} bindings: ${sql}`)
    return bindings[used++]
  }
  const text = sql.replace(TOKEN, (token) => {
    if (token === '?') return `$${values.push(next())}`
    if (token === '??') return quoteIdentifier(String(next()))
    return token === '\\?' ? '?' : token
  })
  if (used < bindings.length) throw new TypeError(`sql: ${bindings.length} bindings but ${used} placeholders: ${sql}`)
  return { text, values }
}

function quoteIdentifier(name: string): string {
  return name
    .split('.')
    .map((part) => `"${part.replaceAll('"', '""')}"`)
    .join('.')
}
