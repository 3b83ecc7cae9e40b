/**
 * Keeps a foreign program (PostgreSQL, RabbitMQ, epmd, a container) that would not notice its starter's death. It runs
 * as a process of its own; when its stdin closes, for whatever reason, it stops everything that it started, removes
 * what it was told to remove, and ends. The KeeperSpec comes as JSON in KEEPER_SPEC: a command line would show its secrets.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

export type Command = {
  command: string
  args: string[]
  env: Record<string, string>
  cwd?: string
  uid?: number
  gid?: number
}

/**
 * `beside` starts first and ends last; `scrap` is removed at the end unless the line `keep` came over stdin, and then
 * `scrapSignal` ends what would only tidy up data to be thrown away.
 */
export type KeeperSpec = {
  main: Command
  beside: Command[]
  stopSignal: NodeJS.Signals
  scrapSignal?: NodeJS.Signals
  graceMs: number
  afterwards: Command[]
  scrap: string[]
}

if (import.meta.main) await keep(JSON.parse(process.env.KEEPER_SPEC ?? '') as KeeperSpec)

async function keep(spec: KeeperSpec): Promise<void> {
  let stopAsked: (() => void) | undefined
  const stop = new Promise<void>((resolve) => {
    stopAsked = resolve
  })
  let words = ''
  process.stdin.on('data', (data) => {
    words += data
  })
  for (const end of ['end', 'close', 'error']) process.stdin.on(end, () => stopAsked?.())
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopAsked?.())

  const beside = spec.beside.map(startInOwnGroup)
  const main = startInOwnGroup(spec.main)
  const mainEnded = new Promise<number>((resolve) => {
    main.on('error', (error) => {
      console.error(`${spec.main.command}: ${error.message}`)
      resolve(127)
    })
    main.on('exit', (code) => resolve(code ?? 1))
  })
  const code = await Promise.race([mainEnded, stop.then(() => undefined)])

  const isKept = words.includes('keep')
  await endGroup(main, (!isKept && spec.scrapSignal) || spec.stopSignal, spec.graceMs)
  for (const one of beside) await endGroup(one, 'SIGTERM', 1000)
  for (const one of spec.afterwards)
    spawnSync(one.command, one.args, { env: one.env, stdio: 'ignore', timeout: 20_000 })
  if (!isKept) for (const path of spec.scrap) remove(path)
  process.exit(code ?? 0)
}

/**
 * Retried: where the starter was killed, another keeper's server may still write beside it. And looked at again: what
 * another keeper removes in the same moment ends Node's removal half done, without a word.
 */
function remove(path: string): void {
  for (let tries = 0; existsSync(path) && tries < 100; tries += 1)
    rmSync(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
}

/** In a session of its own: Ctrl-C does not reach it, and one signal reaches all that it starts in turn. */
function startInOwnGroup({ command, args, env, cwd = '/', uid, gid }: Command): ChildProcess {
  const child = spawn(command, args, {
    env,
    cwd,
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit'],
    ...(uid === undefined ? {} : { uid, gid: gid ?? uid }),
  })
  child.on('error', (error) => console.error(`${command}: ${error.message}`))
  return child
}

async function endGroup(child: ChildProcess, signal: NodeJS.Signals, graceMs: number): Promise<void> {
  if (child.pid === undefined) return
  // Only the leader gets the polite signal: a shell script in front of a server passes it on in its own way.
  if (signal === 'SIGKILL') killGroup(child.pid)
  else if (child.exitCode === null && child.signalCode === null) child.kill(signal)
  const deadline = Date.now() + graceMs
  while (groupLives(child.pid)) {
    if (Date.now() > deadline) {
      killGroup(child.pid)
      return
    }
    await sleep(20)
  }
}

function groupLives(leader: number): boolean {
  try {
    process.kill(-leader, 0)
    return true
  } catch {
    return false
  }
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
