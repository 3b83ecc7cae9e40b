/** Finds RabbitMQ's real server script and Erlang's epmd, or has Debian install them. */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { installPackages } from './debian-packages.ts'

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
  installPackages(['rabbitmq-server'], announce)
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
