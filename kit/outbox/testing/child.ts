// Processes that a test may kill: each runs one file of testing/ with its options as JSON.

import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface Child {
  /** Resolves with the signal or code that ended it. */
  ended: Promise<string>
  kill(): void
  pid: number
}

/** @param file beside the caller, e.g. `new URL('./testing/relay-process.ts', import.meta.url)` */
export function startChild(file: URL, options: object): Child {
  const child: ChildProcess = spawn(process.execPath, [fileURLToPath(file), JSON.stringify(options)], {
    stdio: ['pipe', 'inherit', 'inherit'],
  })
  return {
    ended: new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? String(code)))),
    kill: () => child.kill('SIGKILL'),
    pid: child.pid ?? 0,
  }
}

/** In the child: its options, and an end that comes with its parent's. */
export function childOptions<T>(): T {
  process.stdin.on('end', () => process.exit(0)).resume()
  return JSON.parse(process.argv[2] ?? '{}')
}
