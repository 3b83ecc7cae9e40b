/** What the kernel knows of processes (Linux): who descends from whom, and who is still there. */
import { readdirSync, readFileSync } from 'node:fs'

export type Seen = { pid: number; started: string; command: string }

/** @returns Every process that descends from `root`, in whatever session or group it has put itself. */
export function descendants(root: number): Seen[] {
  const all = everyProcess()
  const found: Seen[] = []
  const look = (parent: number) => {
    for (const one of all.filter((each) => each.parent === parent)) {
      found.push({ pid: one.pid, started: one.started, command: one.command })
      look(one.pid)
    }
  }
  look(root)
  return found
}

/** @returns Those of them that still run; a number given to another process meanwhile does not count. */
export function stillRunning(seen: readonly Seen[]): Seen[] {
  const now = everyProcess()
  return seen.filter((old) => now.some((each) => each.pid === old.pid && each.started === old.started))
}

type Entry = Seen & { parent: number }

function everyProcess(): Entry[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => entry(Number(name)) ?? [])
}

function entry(pid: number): Entry | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name in parentheses may hold spaces; the fields after it do not. A zombie has ended.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z') return undefined
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
    return { pid, parent: Number(fields[1]), started: fields[19] ?? '', command }
  } catch {
    return undefined
  }
}
