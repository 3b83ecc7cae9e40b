// Prints the workspaces whose images a change is about, as a JSON list:  npm run -s images:changed -- <commit>
// The change is what lies between that commit and the files here. Of a commit that git does not have, as before the first push of
// a branch, everything has changed.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { affectedBy } from './affected.ts'
import { imagesOf } from './tags.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const [base] = process.argv.slice(2)
if (!base || base.startsWith('-')) throw new Error('say since which commit: npm run -s images:changed -- <commit>')

const workspaces = [...imagesOf(ROOT).keys()]
const known = /^0+$/.test(base) ? undefined : git('rev-parse', '--quiet', '--verify', `${base}^{commit}`)
console.log(JSON.stringify(known === undefined ? workspaces : affectedBy(changeSince(known), workspaces)))

function changeSince(commit: string) {
  const paths = lines(git('ls-files', '*.ts', '*.mjs'))
  return {
    files: lines(git('diff', '--name-only', '--no-renames', commit)),
    sources: new Map(paths.map((path) => [path, read(path)])),
    lock: JSON.parse(read('package-lock.json')),
    lockBefore: JSON.parse(git('show', `${commit}:package-lock.json`) ?? '{"packages":{}}'),
  }
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

function lines(text = ''): string[] {
  return text.split('\n').filter(Boolean)
}

function git(...args: string[]): string | undefined {
  const { stdout, status } = spawnSync('git', args, { cwd: ROOT, encoding: 'utf8', maxBuffer: 64 * 2 ** 20 })
  return status === 0 ? stdout.trimEnd() : undefined
}
