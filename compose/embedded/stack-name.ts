/** The names of running stacks: one folder of `.banyan` each, claimed by the process that runs the stack. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What this process has claimed: given back at its end, however early that comes. */
const claims = new Map<string, () => void>()

/**
 * Claims `.banyan/<wanted>`, or `<wanted>-2`, `<wanted>-3` … where another process runs a stack of that name. What an
 * earlier, ended stack left in the folder is removed.
 * @returns the name; the claim ends with this process
 */
export function claimName(root: string, wanted: string): string {
  for (let number = 1; number < 100; number += 1) {
    const name = number === 1 ? wanted : `${wanted}-${number}`
    if (claim(join(root, '.banyan'), name)) return name
  }
  throw new Error(`a hundred stacks named "${wanted}" are running; stop one`)
}

function claim(folder: string, name: string): boolean {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const file = join(folder, `${name}.pid`)
  for (const attempt of [1, 2]) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' })
      rmSync(join(folder, name), { recursive: true, force: true })
      mkdirSync(join(folder, name), { mode: 0o700 })
      const release = () => rmSync(file, { force: true })
      claims.set(file, release)
      process.once('exit', release)
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      if (attempt === 2 || isAlive(Number(readFileSync(file, 'utf8')))) return false
      rmSync(file, { force: true })
    }
  }
  return false
}

/** Gives the name back; its folder stays, with the logs in it. */
export function releaseName(root: string, name: string): void {
  const file = join(root, '.banyan', `${name}.pid`)
  const release = claims.get(file)
  if (!release) return
  claims.delete(file)
  process.off('exit', release)
  release()
}

function isAlive(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
