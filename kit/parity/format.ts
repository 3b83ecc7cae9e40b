const TEXT_FORMATS: readonly [string, RegExp][] = [
  ['uuid', /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i],
  ['time in UTC', /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?Z$/],
  ['time with offset', /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?[+-]\d\d:?\d\d$/],
  ['time without zone', /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?$/],
  ['date', /^\d{4}-\d\d-\d\d$/],
  ['token', /^eyJ[\w-]+\.[\w-]+\.[\w-]*$/],
  ['whole number as text', /^-?\d+$/],
  ['number as text', /^-?\d+\.\d+$/],
  ['hex', /^(?=.*\d)[0-9a-f]{8,}$/i],
  ['e-mail', /^[^@\s]+@[^@\s]+\.[^@\s]+$/],
  ['address', /^(https?:\/)?\/\S*$/],
]

/**
 * Names the form of a value. Two values of one form may differ and still both be right, such as two instants; two of
 * different forms are different however much their field varies.
 */
export function formatOf(value: unknown): string {
  switch (typeof value) {
    case 'string':
      if (value === '') return 'empty text'
      return TEXT_FORMATS.find(([, form]) => form.test(value))?.[0] ?? 'text'
    case 'number':
      return 'number'
    default:
      return typeOf(value)
  }
}

/** `null` and arrays are types of their own, unlike in JavaScript. */
export function typeOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'list' : typeof value
}
