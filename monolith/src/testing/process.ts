import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const MAIN = join(import.meta.dirname, '../main.ts')

/** The monolith, or a service, as a process of its own, for tests that kill it. */
export type ShopProcess = {
  url: string
  /** Resolves with the signal that ended it, or its exit code. */
  ended: Promise<string | number>
  kill(): Promise<unknown>
  close(): Promise<void>
}

/**
 * @param env all that the process needs; it is given a port of its own
 * @param main another than the monolith's
 */
export async function startShopProcess(env: Record<string, string>, main = MAIN): Promise<ShopProcess> {
  const child: ChildProcess = spawn(process.execPath, [main], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, PORT: '0', LOG_LEVEL: 'info', BANYAN_LIFELINE: 'stdin', ...env },
  })
  const ended = new Promise<string | number>((resolve) =>
    child.once('exit', (code, signal) => resolve(signal ?? code ?? 1)),
  )
  const listening = Promise.withResolvers<string>()
  void ended.then((how) => listening.reject(new Error(`${main} ended with ${how} before it listened`)))
  createInterface({ input: child.stdout! }).on('line', (line) => {
    if (!line.startsWith('{')) return
    const { msg, url } = JSON.parse(line) as { msg?: string; url?: string }
    if (msg === 'listening' && url) listening.resolve(url)
  })
  return {
    url: await listening.promise,
    ended,
    kill() {
      child.kill('SIGKILL')
      return ended
    },
    async close() {
      child.stdin?.end()
      await ended
    },
  }
}
