/** Starts child processes that end with their parent: each holds a pipe to it as stdin and ends when that closes. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { KeeperSpec } from './keeper.ts'

export type Child = {
  readonly name: string
  readonly pid: number
  /** Settles when the process has ended, with how. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  isRunning(): boolean
  signal(signal: NodeJS.Signals): void
  /**
   * Asks it to end, by SIGTERM for our own processes and over stdin for a kept one, and kills it after `graceMs`.
   * @param options.keepData leaves a kept program's files in place, for a later start on them
   */
  stop(options?: { keepData?: boolean; graceMs?: number }): Promise<void>
}

/**
 * Starts a TypeScript file of this repository on the Node that runs this one.
 * @param env the whole environment of the process; `PATH` is added
 * @param logFile where its output is appended
 */
export function startNode(
  name: string,
  file: string,
  args: readonly string[],
  env: Record<string, string>,
  logFile: string,
): Child {
  const { PATH = '', NODE_COMPILE_CACHE = '' } = process.env
  return startCommand(name, [process.execPath, file, ...args], { PATH, NODE_COMPILE_CACHE, ...env }, logFile)
}

/**
 * Starts a program that keeps the rule of all our processes, whatever it is written in: it ends in order at SIGTERM,
 * and, with `BANYAN_LIFELINE=stdin` in its environment, also when its stdin closes.
 * @param command the program and its arguments; relative paths are looked up from `cwd`
 */
export function startCommand(
  name: string,
  command: readonly string[],
  env: Record<string, string>,
  logFile: string,
  cwd?: string,
): Child {
  const whole = { PATH: process.env.PATH ?? '', BANYAN_LIFELINE: 'stdin', ...env }
  return start(name, command, whole, logFile, (child) => void child.kill('SIGTERM'), cwd)
}

/** Starts a foreign program under a keeper, which ends it and all that it started when this process ends. */
export function startKept(name: string, spec: KeeperSpec, logFile: string): Child {
  const keeper = fileURLToPath(new URL('keeper.ts', import.meta.url))
  const env = { PATH: process.env.PATH ?? '', KEEPER_SPEC: JSON.stringify(spec) }
  return start(name, [process.execPath, keeper], env, logFile, (child, keepData) => {
    child.stdin?.end(keepData ? 'keep\n' : undefined)
  })
}

function start(
  name: string,
  [program = '', ...args]: readonly string[],
  env: Record<string, string>,
  logFile: string,
  askToEnd: (child: ChildProcess, keepData: boolean) => void,
  cwd?: string,
): Child {
  const log = openSync(logFile, 'a')
  // Detached: a Ctrl-C at the terminal reaches only the process in front, which then stops the others in order.
  const child = spawn(program, args, { env, cwd, detached: true, stdio: ['pipe', log, log] })
  closeSync(log)
  // A child that is gone already must not take its parent along by a broken pipe.
  child.stdin?.on('error', () => undefined)
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.on('exit', (code, signal) => resolve({ code, signal }))
    child.on('error', () => resolve({ code: 127, signal: null }))
  })
  const isRunning = () => child.pid !== undefined && child.exitCode === null && child.signalCode === null
  return {
    name,
    pid: child.pid ?? -1,
    ended,
    isRunning,
    signal: (signal) => void child.kill(signal),
    async stop({ keepData = false, graceMs = 15_000 } = {}) {
      if (!isRunning()) return
      askToEnd(child, keepData)
      const kill = setTimeout(() => child.kill('SIGKILL'), graceMs)
      await ended
      clearTimeout(kill)
    },
  }
}
