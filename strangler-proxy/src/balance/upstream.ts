import { Agent, type ClientRequest } from 'node:http'
import type { Socket } from 'node:net'
import type { Group } from './group.ts'

/** One address that answers for a side, with a keep-alive pool of its own and what is known of its state. */
export interface Upstream {
  readonly url: string
  readonly target: {
    readonly protocol: 'http:'
    readonly host: string
    readonly hostname: string
    readonly port: number
  }
  readonly agent: OneUpstream
  readonly group: Group
  /** What its last answer's Keep-Alive header said. */
  keepAlive: string | string[] | undefined
  /** Requests under way. */
  load: number
  /** `performance.now()` when it joined others; minus infinity for those that were there from the beginning. */
  readonly since: number
  /** By the active checks; true where there are none. */
  healthy: boolean
  /** Failures of real requests in a row. */
  failures: number
  /** `performance.now()` until when failures keep it out. */
  downUntil: number
}

const NAME = 'upstream'
const { addRequest } = Agent.prototype as unknown as {
  addRequest(this: Agent, request: ClientRequest, options: object): void
}

/**
 * A pool of connections to one address: nothing has to be read out of each request and answer to tell where they belong
 * and how long they may be kept, which `closeIdle` sees to. Its owner closes them, so that they may keep a process up.
 */
export class OneUpstream extends Agent {
  #isLeft = false
  override getName(): string {
    return NAME
  }
  /**
   * What an agent is asked for each request (https://nodejs.org/api/http.html#class-httpagent). A connection that is
   * free serves as it is; to open one, the options have to be looked at, which costs more than all else here.
   */
  addRequest(request: ClientRequest, options: object): void {
    const [inUse, idle] = [this.sockets, this.freeSockets] as Record<string, Socket[]>[]
    const socket = idle![NAME]?.pop()
    if (idle![NAME]?.length === 0) delete idle![NAME]
    if (socket === undefined || socket.destroyed) {
      addRequest.call(this, request, options)
      return
    }
    this.reuseSocket(socket, request)
    request.onSocket(socket)
    inUse![NAME] ??= []
    inUse![NAME].push(socket)
  }
  override keepSocketAlive(): boolean {
    return !this.#isLeft
  }
  /** Nothing more is sent there: connections in use are closed when what is under way on them has ended. */
  leave(): void {
    this.#isLeft = true
  }
}

/** @throws for an address that is not http:// */
export function createUpstream(url: string, group: Group, since: number): Upstream {
  const parsed = new URL(url)
  if (parsed.protocol !== 'http:') throw new Error(`upstream ${url}: only http:// is spoken to upstreams`)
  return {
    url,
    target: { protocol: 'http:', host: parsed.host, hostname: parsed.hostname, port: Number(parsed.port) || 80 },
    // Sockets are unbounded: with a bound, a few hundred open streams would keep every other request waiting.
    agent: new OneUpstream({ keepAlive: true }),
    keepAlive: undefined,
    group,
    load: 0,
    since,
    healthy: true,
    failures: 0,
    downUntil: Number.NEGATIVE_INFINITY,
  }
}
