/** A private PostgreSQL on 127.0.0.1: its settings, its start, and the wait until it answers. */
import { spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { type Child, startKept } from './child.ts'
import type { KeeperSpec } from './keeper.ts'
import type { PostgresFiles } from './postgres-files.ts'
import type { SystemUser } from './system-user.ts'

const SETTINGS: Record<string, string | number> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: 300,
  max_prepared_transactions: 10,
  shared_buffers: '128MB',
  max_wal_size: '4GB',
  timezone: 'UTC',
  log_timezone: 'UTC',
  jit: 'off',
  // The detail of an error quotes rows.
  log_error_verbosity: 'terse',
}

/** Makes an empty cluster in `folder` (which belongs to `user`), with the superuser `postgres` and its password. */
export function initialise(
  files: PostgresFiles,
  folder: string,
  passwordFile: string,
  user: SystemUser | undefined,
): void {
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
  const access = ['--username=postgres', '--auth=scram-sha-256', `--pwfile=${passwordFile}`]
  const done = spawnSync(`${files.folder}/bin/initdb`, ['-D', folder, '--no-sync', ...locale, ...access], {
    cwd: '/',
    env: environment(files),
    encoding: 'utf8',
    ...user,
  })
  if (done.status !== 0) throw new Error(`initdb failed: ${done.error?.message ?? done.stderr}`)
}

/**
 * Starts a server on a cluster.
 * @param options.scrap what its keeper removes at the end, unless asked to keep it
 * @throws when it does not answer within 30 s, with the place of its log
 */
export async function startPostgres(
  files: PostgresFiles,
  options: {
    folder: string
    port: number
    password: string
    user: SystemUser | undefined
    scrap: string[]
    log: string
  },
): Promise<{ child: Child; url: string }> {
  const settings = Object.entries({ ...SETTINGS, port: options.port }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ])
  const spec: KeeperSpec = {
    main: {
      command: `${files.folder}/bin/postgres`,
      args: ['-D', options.folder, ...settings],
      env: environment(files),
      ...options.user,
    },
    beside: [],
    // A fast shutdown even of data to be thrown away: a killed server leaves shared memory behind.
    stopSignal: 'SIGINT',
    graceMs: 10_000,
    afterwards: [],
    scrap: options.scrap,
  }
  const child = startKept('postgres', spec, options.log)
  const url = `postgres://postgres:${options.password}@127.0.0.1:${options.port}/postgres`
  await answers(url, child, options.log)
  return { child, url }
}

async function answers(url: string, child: Child, log: string): Promise<void> {
  const deadline = Date.now() + 30_000
  for (;;) {
    const client = new pg.Client({ connectionString: url })
    try {
      await client.connect()
      return
    } catch (error) {
      if (!child.isRunning() || Date.now() > deadline)
        throw new Error(`PostgreSQL does not come up (${(error as Error).message}); its log: ${log}`)
    } finally {
      await client.end().catch(() => undefined)
    }
    await sleep(50)
  }
}

function environment(files: PostgresFiles): Record<string, string> {
  return { PATH: process.env.PATH ?? '', LC_ALL: 'C', TZ: 'UTC', LD_LIBRARY_PATH: `${files.folder}/lib` }
}
