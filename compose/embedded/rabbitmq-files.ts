/** Finds RabbitMQ's real server script and Erlang's epmd, or has Debian install them. */
import { spawnSync } from 'node:child_process'
import { accessSync, chmodSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

export type RabbitFiles = { server: string; epmd: string }

/** What Debian puts on the PATH is a `su` wrapper for its system service; the real script lies beside its library. */
const SERVERS = ['/usr/lib/rabbitmq/bin', '/opt/homebrew/sbin', '/usr/local/sbin', '/opt/rabbitmq/sbin']

/** @returns Nothing where RabbitMQ or Erlang is not installed. */
export function findRabbit(): RabbitFiles | undefined {
  const path = (process.env.PATH ?? '').split(delimiter)
  const server = firstIn([...SERVERS, ...path], 'rabbitmq-server')
  const epmd = firstIn(['/usr/bin', '/opt/homebrew/bin', ...path], 'epmd')
  return server && epmd ? { server, epmd } : undefined
}

/**
 * Installs Debian's package as root, without letting it start its system service.
 * @returns Nothing where that is not possible; why is announced.
 */
export function installRabbit(announce: (line: string) => void): RabbitFiles | undefined {
  if (process.getuid?.() !== 0 || !firstIn(['/usr/bin'], 'apt-get')) return undefined
  announce('installing rabbitmq-server with apt-get (its system service is kept from starting) …')
  const policy = '/usr/sbin/policy-rc.d'
  // The file by which Debian asks whether a freshly installed service may start: 101 means no.
  const ours = !existsSync(policy)
  if (ours) {
    writeFileSync(policy, '#!/bin/sh\nexit 101\n')
    chmodSync(policy, 0o755)
  }
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
    spawnSync('apt-get', ['update', '-qq'], { stdio: 'ignore', env, timeout: 180_000 })
    const install = ['install', '-y', '-qq', '--no-install-recommends', 'rabbitmq-server']
    const done = spawnSync('apt-get', install, { encoding: 'utf8', env, timeout: 600_000 })
    if (done.status !== 0) announce(`apt-get could not: ${(done.stderr || done.error?.message || '').trim()}`)
  } finally {
    if (ours) rmSync(policy, { force: true })
  }
  return findRabbit()
}

function firstIn(folders: string[], name: string): string | undefined {
  return folders.map((folder) => join(folder, name)).find(isProgram)
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
