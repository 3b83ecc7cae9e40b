/** Executes one block of the playbook exactly as it stands, by `sh`, in the stack's environment. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { KeeperSpec } from '../embedded/keeper.ts'

export type BlockOptions = {
  cwd: string
  /** Added to this process's environment. */
  env: Record<string, string>
  /** Told every piece of output as it comes. */
  show: (text: string) => void
  /** After which the block is killed and counts as failed. */
  withinMs: number
}
export type BlockResult = { code: number; output: string; seconds: number }

const KEEPER = fileURLToPath(new URL('../embedded/keeper.ts', import.meta.url))
const running = new Set<ChildProcess>()
/** As `timeout` says it. */
const TOO_LATE = 124

/** @returns how it ended; a block that was not done in time has the exit code 124 */
export async function runBlock(command: string, options: BlockOptions): Promise<BlockResult> {
  const started = performance.now()
  const env = Object.fromEntries(Object.entries(process.env).map(([name, value]) => [name, value ?? '']))
  // Under a keeper: a command of the page must not outlive a tour that was killed.
  const spec: KeeperSpec = {
    main: { command: 'sh', args: ['-eu', '-c', command], cwd: options.cwd, env: { ...env, ...options.env } },
    beside: [],
    stopSignal: 'SIGKILL',
    graceMs: 0,
    afterwards: [],
    scrap: [],
  }
  const child = spawn(process.execPath, [KEEPER], {
    env: { KEEPER_SPEC: JSON.stringify(spec) },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  })
  running.add(child)
  let output = ''
  const take = (part: Buffer) => {
    output += part.toString()
    options.show(part.toString())
  }
  child.stdout.on('data', take)
  child.stderr.on('data', take)
  let late = false
  const timer = setTimeout(() => {
    late = true
    take(Buffer.from(`\nnot done within ${options.withinMs / 1000} s\n`))
    child.stdin.end()
  }, options.withinMs)
  const code = await new Promise<number>((resolve) => {
    child.on('error', () => resolve(127))
    // A keeper that was asked to end ends well, whatever became of its command.
    child.on('close', (exit) => resolve(late ? TOO_LATE : (exit ?? 1)))
  })
  clearTimeout(timer)
  running.delete(child)
  return { code, output, seconds: Math.round((performance.now() - started) / 10) / 100 }
}

/** Ends what still runs, with all that it started. */
export function endBlocks(): void {
  for (const child of running) child.stdin?.end()
}
