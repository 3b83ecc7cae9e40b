/** Errors without the values of rows: PostgreSQL puts them into several fields, and drivers hand them all on. */

/** Fields of PostgreSQL's errors (and of drivers) in which values of rows, or a statement with them, may stand. */
const QUOTES_VALUES = ['detail', 'where', 'hint', 'internalQuery', 'query', 'sql', 'parameters', 'bindings']
const FRAME = /^\s+at .+$/

/**
 * @returns What may be printed of an error: its message, but of SQLSTATE class 22 (data exceptions, whose messages quote
 *   the value) only the code and, if known, the column.
 */
export function messageWithoutValues(error: Error): string {
  const { code, column } = error as { code?: unknown; column?: unknown }
  if (typeof code !== 'string' || !/^22[0-9A-Z]{3}$/.test(code)) return error.message
  return `SQLSTATE ${code}${typeof column === 'string' ? ` (column "${column}")` : ''}`
}

/**
 * @returns A copy with neither values of rows nor passwords of URLs, at any depth: causes, the errors of an aggregate and
 *   those in fields. Prototype and the other fields stay.
 */
export function withoutValues<E extends Error>(error: E): E {
  return copyOf(error, new Map()) as E
}

function copyOf(error: Error, made: Map<Error, Error>): Error {
  const known = made.get(error)
  if (known) return known
  const copy = Object.create(Object.getPrototypeOf(error))
  made.set(error, copy)
  const inner = (value: unknown) => (value instanceof Error ? copyOf(value, made) : value)
  const shown = messageWithoutValues(error)
  const set = (name: string, value: unknown, enumerable = false) =>
    Object.defineProperty(copy, name, { value, enumerable, writable: true, configurable: true })
  // What a prototype computes may ask for the original: a DOMException's name, read off a copy, throws.
  for (const name of computedOf(error))
    if (!QUOTES_VALUES.includes(name)) set(name, inner(Reflect.get(error, name)), true)
  for (const [name, value] of Object.entries(error)) if (!QUOTES_VALUES.includes(name)) set(name, inner(value), true)
  if (error.cause !== undefined) set('cause', inner(error.cause))
  const { errors } = error as { errors?: unknown }
  if (Array.isArray(errors)) set('errors', errors.map(inner))
  // Whoever wraps an error often quotes it as well.
  const within = [error.cause, ...(Array.isArray(errors) ? errors : [])].filter((one) => one instanceof Error)
  const clean = (text: string) => {
    let rest = text
    for (const one of quoting(within)) rest = rest.replaceAll(one.message, messageWithoutValues(one))
    // Drivers quote the connection string they failed with.
    return rest.replace(/:\/\/[^/\s@]+@/g, '://***@')
  }
  set('message', clean(shown))
  const stack = error.stack ?? ''
  set('stack', clean(shown === error.message ? stack : [`${error.name}: ${shown}`, ...framesOf(stack)].join('\n')))
  return copy
}

/** The names that the error has from getters of its classes. */
function computedOf(error: Error): string[] {
  const names: string[] = []
  for (let at = Object.getPrototypeOf(error); at && at !== Object.prototype; at = Object.getPrototypeOf(at))
    for (const [name, { get }] of Object.entries(Object.getOwnPropertyDescriptors(at))) if (get) names.push(name)
  return names
}

/** Those of the errors, and of their causes, whose message is not to be shown. */
function quoting(errors: readonly Error[], seen = new Set<Error>()): Error[] {
  return errors.flatMap((error) => {
    if (seen.has(error)) return []
    seen.add(error)
    const more = error.cause instanceof Error ? quoting([error.cause], seen) : []
    return error.message !== '' && messageWithoutValues(error) !== error.message ? [error, ...more] : more
  })
}

/** The stack began when the error was made: its head may hold an older message than the one we know. */
function framesOf(stack: string): string[] {
  return stack.split('\n').filter((line) => FRAME.test(line))
}
