import { loadOperations, type Operation, type Parameter, type Response, type Schema } from './load-openapi.ts'
import { createValidator } from './validator.ts'

export type Input = {
  path?: Record<string, string | number>
  query?: Record<string, string | number>
  /** A string goes out as it is, to be malformed with. */
  body?: unknown
  token?: string | undefined
  headers?: Record<string, string>
}

// biome-ignore lint/suspicious/noExplicitAny: the schema says what the body is; the suite only picks from it
export type Answer = { status: number; headers: Headers; body: any }

export type ContractClient = {
  /**
   * Sends a request and holds the answer to the contract: a documented status, its headers, its body to the last
   * field. An answer of success also says that the contract allows the request, `invalid-request` that it does not.
   * @throws Error that names the operation and each deviation
   */
  call(operationId: string, input?: Input): Promise<Answer>
  /** Answers that are documented and that nothing has provoked yet, as `operationId status`. */
  unseen(operationIds: readonly string[], except: readonly string[]): string[]
}

const strict = createValidator()
const lenient = createValidator({ coerce: true })

/** @param baseUrl any process that claims to satisfy the contract */
export function createContractClient(baseUrl: string): ContractClient {
  const operations = loadOperations()
  const seen = new Set<string>()
  const find = (id: string): Operation => {
    const operation = operations.get(id)
    if (!operation) throw new Error(`the contract has no operation ${id}`)
    return operation
  }

  return {
    async call(operationId, input = {}) {
      const operation = find(operationId)
      const answer = await send(baseUrl, operation, input)
      seen.add(`${operationId} ${answer.status}`)
      const faults = deviations(operation, input, answer)
      if (faults.length === 0) return answer
      const body = JSON.stringify(answer.body)?.slice(0, 500)
      throw new Error(`${operationId} answered ${answer.status}\n  ${faults.join('\n  ')}\n  ${body}`)
    },
    unseen: (operationIds, except) =>
      operationIds
        .flatMap((id) => Object.keys(find(id).responses).map((status) => `${id} ${status}`))
        .filter((each) => !seen.has(each) && !except.includes(each.split(' ')[1] ?? '') && !except.includes(each)),
  }
}

async function send(baseUrl: string, operation: Operation, input: Input): Promise<Answer> {
  const path = operation.path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(String(input.path?.[name])))
  const url = new URL(path, baseUrl)
  for (const [name, value] of Object.entries(input.query ?? {})) url.searchParams.set(name, String(value))
  const { body, token } = input
  const response = await fetch(url, {
    method: operation.method,
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...input.headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  const json = /\bjson\b/.test(response.headers.get('content-type') ?? '')
  return {
    status: response.status,
    headers: response.headers,
    body: json && text ? JSON.parse(text) : text || undefined,
  }
}

function deviations(operation: Operation, input: Input, answer: Answer): string[] {
  const documented = operation.responses[answer.status]
  if (!documented) return [`the status is not documented; ${Object.keys(operation.responses).join(', ')} are`]
  return [...ofHeaders(documented, answer), ...ofBody(documented, answer), ...ofRequest(operation, input, answer)]
}

function ofHeaders(documented: Response, answer: Answer): string[] {
  return Object.entries(documented.headers ?? {}).flatMap(([name, { required, schema }]) => {
    const value = answer.headers.get(name)
    if (value === null) return required ? [`the header ${name} is missing`] : []
    return strict(schema)(value).map((fault) => `header ${name}: ${fault}`)
  })
}

function ofBody(documented: Response, answer: Answer): string[] {
  const [type, content] = Object.entries(documented.content ?? {})[0] ?? []
  if (!type || !content) return answer.body === undefined ? [] : ['there is a body where none is documented']
  const sent = answer.headers.get('content-type')?.split(';')[0]
  if (sent !== type) return [`the content type is ${sent}, documented is ${type}`]
  return strict(content.schema)(answer.body).map((fault) => `body ${fault}`)
}

/** A contract wider or narrower than the server is as wrong as a false answer. */
function ofRequest(operation: Operation, input: Input, answer: Answer): string[] {
  if (answer.status === 304) return []
  const success = answer.status < 400
  if (!success && answer.body?.code !== 'invalid-request') return []
  const faults = requestFaults(operation, input)
  if (success) return faults.map((fault) => `accepted what the contract forbids: ${fault}`)
  return faults.length > 0 ? [] : ['refused what the contract allows']
}

function requestFaults({ parameters = [], requestBody }: Operation, input: Input): string[] {
  const schema = requestBody?.content['application/json']?.schema
  return [
    ...(schema ? strict(schema)(input.body) : []),
    ...lenient(objectOf(parameters, 'path'))({ ...input.path }),
    ...lenient(objectOf(parameters, 'query'))({ ...input.query }),
  ]
}

function objectOf(parameters: Parameter[], place: Parameter['in']): Schema {
  const own = parameters.filter((parameter) => parameter.in === place)
  return {
    type: 'object',
    additionalProperties: false,
    required: own.filter(({ required }) => required).map(({ name }) => name),
    properties: Object.fromEntries(own.map(({ name, schema }) => [name, schema])),
  }
}
