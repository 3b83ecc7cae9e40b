/** Which sockets processes listen on, as the kernel knows it (Linux). */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

export type Listener = { pid: number; address: string; port: number }

const LISTEN = '0A'
/** 127.x.y.z, ::1 and ::ffff:127.x.y.z as the kernel prints them: words in the machine's (little-endian) order. */
const LOOPBACK = /^([0-9A-F]{6}7F|0{24}01000000|0{16}FFFF0000[0-9A-F]{6}7F)$/

/**
 * @returns Every TCP socket that one of the processes listens on; `address` is `loopback` or what the kernel prints.
 * @throws when the files of a process that still runs may not be read
 */
export function listeners(pids: readonly number[]): Listener[] {
  const sockets = new Map<string, { address: string; port: number }>()
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6'])
    for (const line of readFileSync(table, 'utf8').trim().split('\n').slice(1)) {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/)
      const [address = '', port = ''] = local.split(':')
      if (state !== LISTEN) continue
      sockets.set(`socket:[${inode}]`, {
        address: LOOPBACK.test(address) ? 'loopback' : address,
        port: Number.parseInt(port, 16),
      })
    }
  return pids.flatMap((pid) =>
    targets(pid).flatMap((target) => {
      const socket = sockets.get(target)
      return socket ? [{ pid, ...socket }] : []
    }),
  )
}

function targets(pid: number): string[] {
  const folder = `/proc/${pid}/fd`
  return unlessGone(() => readdirSync(folder), []).flatMap((fd) =>
    unlessGone(() => [readlinkSync(`${folder}/${fd}`)], []),
  )
}

/** A process may end, and a file be closed, while we look. */
function unlessGone<T>(look: () => T, otherwise: T): T {
  try {
    return look()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ESRCH') return otherwise
    throw error
  }
}
