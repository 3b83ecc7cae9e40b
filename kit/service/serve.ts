/** Listening, and the one way to stop: not ready → no new connections → drain → close what is behind → exit. */
import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http'
import type { AddressInfo } from 'node:net'
import { trackConnections } from './connections.ts'
import type { Health } from './health.ts'
import type { Logger } from './logger.ts'
import { closeAll, endWithParent, onSignals } from './shutdown.ts'

export type Served = {
  readonly url: string
  readonly port: number
  readonly server: Server
  /** The same orderly end as a signal brings, without leaving the process. Called again, it returns the same end. */
  close(): Promise<void>
}

export type ServeOptions = {
  app: RequestListener
  host: string
  /** 0 takes a free one. */
  port: number
  health?: Health
  logger: Logger
  /** Milliseconds for requests in flight; then their connections are destroyed. */
  graceMs: number
  /** Milliseconds between "not ready" and the last accepted connection, for load balancers that poll; 0 unless told. */
  unreadyMs?: number
  /** Limits of requests, over those that are set here. */
  http?: ServerOptions
  /** What to close afterwards, in this order: workers before the pools they use. Bounded by 5 s in all. */
  close?: readonly (() => Promise<unknown> | unknown)[]
  /** `'stdin'`: stop when standard input ends. */
  lifeline?: 'stdin' | undefined
  /** Whether signals and the lifeline end the process; false where a test or a larger process decides. */
  ownProcess?: boolean
}

/** A client that reuses connections must give up first, or it writes into one that is just being closed. */
const KEEP_ALIVE_MS = 65_000
const CLOSE_BOUND_MS = 5_000

/**
 * Listens and answers.
 * @throws The listen error, e.g. EADDRINUSE.
 */
export async function serve(options: ServeOptions): Promise<Served> {
  const { logger, health } = options
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, headersTimeout: 30_000, ...options.http }, options.app)
  const connections = trackConnections(server)
  await listening(server, options.port, options.host)
  const { port } = server.address() as AddressInfo
  const url = `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`

  let ending: Promise<boolean> | undefined
  const end = async (reason: string): Promise<boolean> => {
    health?.setReady(false)
    logger.info({ reason }, 'stopping')
    // Who sends into a connection in the moment in which it is closed gets no answer.
    connections.sayGoodbye()
    if (options.unreadyMs) await new Promise((resolve) => setTimeout(resolve, options.unreadyMs))
    const drained = await connections.drain(options.graceMs)
    if (!drained) logger.warn({ graceMs: options.graceMs }, 'requests in flight were cut off')
    const closed = await closeAll(options.close ?? [], CLOSE_BOUND_MS, logger)
    logger.info('stopped')
    return drained && closed
  }
  const stop = (reason: string): Promise<boolean> => {
    ending ??= end(reason)
    return ending
  }
  const leave = (reason: string) => {
    void stop(reason).then((clean) => process.exit(clean ? 0 : 1))
  }
  const forget = options.ownProcess === false ? [] : [onSignals(leave), endWithParent(options.lifeline, leave)]

  health?.setReady(true)
  logger.info({ url }, 'listening')
  return {
    url,
    port,
    server,
    async close() {
      for (const one of forget) one()
      await stop('closed')
    },
  }
}

async function listening(server: Server, port: number, host: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
