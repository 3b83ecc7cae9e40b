/** The file by which a second terminal reaches a running stack: `.banyan/stack.env`, read by `compose/run.mjs`. */
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The stack that `npm start` and `npm run monolith` run; tests name theirs otherwise. */
export const MAIN = 'main'

/**
 * Writes `.banyan/<name>/stack.env`, and for the main stack `.banyan/stack.env` too. It holds passwords: only its
 * owner can read it.
 * @returns the function that removes what was written
 */
export function writeStackEnv(root: string, name: string, env: Record<string, string>): () => void {
  const known = Object.entries(env).filter(([, value]) => value !== '')
  const lines = known.map(([variable, value]) => `${variable}=${quoted(value)}\n`)
  const text = `# The running stack "${name}" (process ${process.pid}); gone when it stops.\n${lines.join('')}`
  const paths = [join(root, '.banyan', name, 'stack.env'), ...(name === MAIN ? [join(root, '.banyan/stack.env')] : [])]
  for (const path of paths) {
    rmSync(path, { force: true })
    writeFileSync(path, text, { mode: 0o600 })
    chmodSync(path, 0o600)
  }
  const remove = () => {
    for (const path of paths) if (existsSync(path) && readFileSync(path, 'utf8') === text) rmSync(path)
  }
  // Whoever is ended while the stack still boots has nobody else to call it.
  process.once('exit', remove)
  return () => {
    process.off('exit', remove)
    remove()
  }
}

/** Readable by `sh` (`. .banyan/stack.env`) as well as by run.mjs: a folder's name may hold an apostrophe. */
function quoted(value: string): string {
  return `'${value.replaceAll("'", `'\\''`)}'`
}
