/**
 * A request as the playbook shows it, on machines that have no curl:
 *   node compose/run.mjs compose/tour/ask.ts [METHOD] URL [--expect STATUS] [--bearer-env NAME] [--body JSON]
 *     [--header 'name: value'] [--show path.to.field] [--equals VALUE]
 * A part `name=value` of the path takes the entry of a list that says so: contexts.context=inventory.owner
 * `--bearer-env` names the variable that holds the token: arguments can be read by everyone on the machine.
 * Prints the status and the answer, or only the field of `--show`; exit code 0 if what is expected holds.
 */
import { parseArgs } from 'node:util'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    expect: { type: 'string', default: '200' },
    'bearer-env': { type: 'string' },
    body: { type: 'string' },
    header: { type: 'string', multiple: true, default: [] },
    show: { type: 'string' },
    equals: { type: 'string' },
  },
})
const url = positionals.at(-1) ?? ''
const method = positionals.length > 1 ? positionals[0]! : 'GET'
const headers = new Headers(values.header.map((line) => line.split(/:\s*/, 2) as [string, string]))
if (values['bearer-env'] !== undefined) headers.set('authorization', `Bearer ${token(values['bearer-env'])}`)
if (values.body) headers.set('content-type', 'application/json')
const response = await fetch(url, { method, headers, ...(values.body ? { body: values.body } : {}) }).catch((error) =>
  fail(`${method} ${url}: no answer (${error.cause?.code ?? error.message})`),
)
const text = await response.text()
const shown = values.show === undefined ? text.slice(0, 400) : String(field(text, values.show))
console.log(values.show === undefined ? `${response.status} ${shown}` : shown)
if (String(response.status) !== values.expect) fail(`${method} ${url}: ${response.status}, expected ${values.expect}`)
if (values.equals !== undefined && shown !== values.equals)
  fail(`${values.show} is ${shown}, expected ${values.equals}`)

function token(variable: string): string {
  return process.env[variable] || fail(`--bearer-env: the variable ${variable} is not set`)
}

function field(json: string, path: string): unknown {
  let value: unknown = JSON.parse(json)
  for (const name of path.split('.')) value = part(value, name)
  return typeof value === 'object' ? JSON.stringify(value) : value
}

function part(of: unknown, name: string): unknown {
  const [field, wanted] = name.split('=', 2)
  if (wanted !== undefined && Array.isArray(of)) return of.find((entry) => String(entry?.[field ?? '']) === wanted)
  return (of as Record<string, unknown> | null | undefined)?.[name]
}

function fail(why: string): never {
  console.error(why)
  process.exit(1)
}
