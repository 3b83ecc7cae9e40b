import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { type AddressInfo, createServer as createRawServer } from 'node:net'

export interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: readonly string[]
  readonly body: string
}

export interface TestUpstream {
  readonly name: string
  readonly url: string
  /** Requests that arrived whole. */
  readonly seen: Seen[]
  readonly server: Server
  connections(): number
  close(): Promise<void>
}

/** A real HTTP server that remembers what reached it, and answers with its name unless told otherwise. */
export async function startUpstream(
  name: string,
  answer?: (req: IncomingMessage, res: ServerResponse, body: string) => void,
): Promise<TestUpstream> {
  const seen: Seen[] = []
  const server = createServer((req, res) => {
    const chunks: Buffer[] = []
    req.on('data', (chunk: Buffer) => chunks.push(chunk))
    req.on('end', () => {
      const body = Buffer.concat(chunks).toString()
      const { method = '', url = '', headers, rawHeaders } = req
      seen.push({ method, url, headers, rawHeaders, body })
      if (answer) answer(req, res, body)
      else res.setHeader('content-type', 'application/json').end(JSON.stringify({ name }))
    })
  })
  return { name, seen, ...(await listening(server)) }
}

/** The same, but nothing is read before the answer says so. */
export async function startRawUpstream(
  name: string,
  answer: (req: IncomingMessage, res: ServerResponse) => void,
): Promise<TestUpstream> {
  return { name, seen: [], ...(await listening(createServer(answer))) }
}

/** Answers once on each connection; what comes after that meets its closing. */
export async function startClosingUpstream(): Promise<{ url: string; connections(): number; close(): Promise<void> }> {
  let connections = 0
  const server = createRawServer((socket) => {
    connections += 1
    let asked = 0
    socket.on('error', () => undefined)
    socket.on('data', () => {
      asked += 1
      if (asked > 1) socket.destroy()
      else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => connections,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

async function listening(server: Server): Promise<Omit<TestUpstream, 'name' | 'seen'>> {
  let connections = 0
  server.on('connection', (socket) => {
    connections += 1
    socket.on('close', () => {
      connections -= 1
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    server,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => connections,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
