/** A private RabbitMQ node: own folder, own ports, own epmd, accounts from a definitions file. */
import { randomBytes } from 'node:crypto'
import { chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import amqp from 'amqplib'
import { type Child, startKept } from './child.ts'
import type { KeeperSpec } from './keeper.ts'
import type { RabbitFiles } from './rabbitmq-files.ts'
import type { SystemUser } from './system-user.ts'
import { becomesTrue, GaveUp } from './wait.ts'

export type RabbitPorts = { amqp: number; distribution: number; epmd: number; management?: number }

/**
 * @param options.folder an empty folder of `user`'s; the node keeps everything in it
 * @param options.definitions what RabbitMQ imports at its start: virtual hosts, users, permissions
 * @param options.probeUrl an account of the definitions, to see when the node answers
 * @returns its process at once, and when it answers; that fails after 2 min, with the place of its log
 */
export function startRabbit(
  files: RabbitFiles,
  options: {
    folder: string
    ports: RabbitPorts
    definitions: object
    probeUrl: string
    user: SystemUser | undefined
    scrap: string[]
    log: string
  },
): { child: Child; up: Promise<void> } {
  const env = prepare(options.folder, options.ports, options.definitions, options.user)
  const epmd = ['-port', String(options.ports.epmd), '-address', '127.0.0.1']
  const spec: KeeperSpec = {
    // In the foreground and before the node, which would otherwise leave a daemon of its own behind.
    beside: [{ command: files.epmd, args: epmd, env, ...options.user }],
    main: { command: files.server, args: [], env, ...options.user },
    stopSignal: 'SIGTERM',
    // Its own way takes it one to six seconds, to leave in order files that nobody will read.
    scrapSignal: 'SIGKILL',
    graceMs: 6_000,
    afterwards: [{ command: files.epmd, args: ['-port', String(options.ports.epmd), '-kill'], env, ...options.user }],
    scrap: options.scrap,
  }
  const child = startKept('rabbitmq', spec, options.log)
  const up = becomesTrue(
    `RabbitMQ (its log: ${options.log})`,
    async () => {
      if (!child.isRunning()) throw new GaveUp(`RabbitMQ ended while starting; its log: ${options.log}`)
      const connection = await amqp.connect(options.probeUrl)
      await connection.close()
      return true
    },
    120_000,
  )
  return { child, up }
}

/** Writes the node's files, unless it is started again on them. @returns Its environment. */
function prepare(
  folder: string,
  ports: RabbitPorts,
  definitions: object,
  user: SystemUser | undefined,
): Record<string, string> {
  const file = (name: string, text: string) => {
    const path = join(folder, name)
    writeFileSync(path, text, { mode: 0o600 })
    if (user) chownSync(path, user.uid, user.gid)
    return path
  }
  for (const name of ['mnesia', 'log']) {
    mkdirSync(join(folder, name), { recursive: true, mode: 0o700 })
    if (user) chownSync(join(folder, name), user.uid, user.gid)
  }
  const management = ports.management
    ? [`management.tcp.ip = 127.0.0.1`, `management.tcp.port = ${ports.management}`]
    : []
  const settings = [
    `listeners.tcp.default = 127.0.0.1:${ports.amqp}`,
    `load_definitions = ${file('definitions.json', JSON.stringify(definitions))}`,
    'log.console = true',
    'log.console.level = warning',
    'log.file = false',
    ...management,
  ]
  return {
    PATH: process.env.PATH ?? '',
    HOME: folder,
    LC_ALL: 'C.UTF-8',
    ERL_EPMD_PORT: String(ports.epmd),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: nodeName(ports),
    RABBITMQ_DIST_PORT: String(ports.distribution),
    RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_PID_FILE: join(folder, 'pid'),
    RABBITMQ_CONFIG_FILE: file('rabbitmq.conf', `${settings.join('\n')}\n`),
    // The machine's own /etc/rabbitmq must not leak in.
    RABBITMQ_CONF_ENV_FILE: file('env.conf', ''),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(folder, 'advanced.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: file('enabled_plugins', management.length ? '[rabbitmq_management].\n' : '[].\n'),
    // Idle schedulers that spin would take the processor from everybody else; Erlang's own port would be open to all.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
      '+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}',
  }
}

/** Derived from a port, so that a node started again on its files is the same node. */
function nodeName(ports: RabbitPorts): string {
  return `banyan-${ports.amqp}@localhost`
}

/** @returns A password that needs no escaping in a URL. */
export function newPassword(): string {
  return randomBytes(18).toString('base64url')
}
