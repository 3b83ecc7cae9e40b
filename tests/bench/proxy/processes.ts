import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createInterface, type Interface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** A process of the benchmark that talks in lines; it ends when its standard input does. */
export interface Part {
  /** The next line it says. */
  line(): Promise<string>
  say(text: string): void
  readonly pid: number
  /** Milliseconds of processor time used so far; null where the system does not tell. */
  cpuMs(): number | null
  end(): Promise<void>
}

/** Starts a TypeScript file, path relative to this folder. */
export function startPart(file: string, args: readonly string[] = [], env: Record<string, string> = {}): Part {
  const child: ChildProcess = spawn(process.execPath, [fileURLToPath(new URL(file, import.meta.url)), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  const lines: Interface = createInterface({ input: child.stdout! })
  const said: string[] = []
  const waiting: ((line: string) => void)[] = []
  lines.on('line', (line) => {
    const waiter = waiting.shift()
    if (waiter) waiter(line)
    else said.push(line)
  })
  const ended = once(child, 'exit')
  return {
    line: () =>
      new Promise((resolve, reject) => {
        const early = said.shift()
        if (early !== undefined) resolve(early)
        else waiting.push(resolve)
        void ended.then(() => reject(new Error(`${file} ended early`)))
      }),
    say: (text) => child.stdin!.write(`${text}\n`),
    pid: child.pid ?? 0,
    cpuMs() {
      const stat = `/proc/${child.pid}/stat`
      if (!existsSync(stat)) return null
      const [user, system] = readFileSync(stat, 'utf8').split(') ')[1]!.split(' ').slice(11, 13)
      return (Number(user) + Number(system)) * 10
    },
    async end() {
      child.stdin!.end()
      await ended
    },
  }
}
