/** How much processes grow: their resident memory, as the system sees it. */
import { readFileSync } from 'node:fs'

/** @param pids by name @returns ends it: MiB by name that each has grown by at most since now */
export function watchGrowth(pids: Record<string, number>): { end(): Map<string, number> } {
  const before = new Map(Object.entries(pids).map(([name, pid]) => [name, residentMib(pid)]))
  const most = new Map([...before.keys()].map((name) => [name, 0]))
  const look = () => {
    for (const [name, pid] of Object.entries(pids))
      most.set(name, Math.max(most.get(name) ?? 0, residentMib(pid) - (before.get(name) ?? 0)))
  }
  const watch = setInterval(look, 100)
  return {
    end() {
      clearInterval(watch)
      look()
      return most
    },
  }
}

/** @throws where the system does not tell, that is, anywhere but on Linux */
function residentMib(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}
