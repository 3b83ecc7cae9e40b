/** Folders outside the clone: a clone may lie under a 0700 folder, which PostgreSQL's own user cannot enter. */
import { randomBytes } from 'node:crypto'
import { chownSync, existsSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { SystemUser } from './system-user.ts'

const BASE = '/var/tmp'

/** @returns `/var/tmp/banyan-<uid>`, what every stack of this user shares (staged programs, templates). */
export function sharedFolder(): string {
  return ownFolder(BASE)
}

/** Refused when somebody else made it: anybody may create names in /var/tmp, and root would run what lies there. */
function ownFolder(base: string): string {
  const uid = process.getuid?.() ?? 0
  const folder = resolve(base, `banyan-${uid}`)
  mkdirSync(folder, { mode: 0o755, recursive: true })
  const seen = lstatSync(folder)
  if (!seen.isDirectory() || seen.uid !== uid || (seen.mode & 0o022) !== 0)
    throw new Error(`${folder} is not a folder of yours that only you can write: remove it and start again`)
  return folder
}

/**
 * @returns A new folder for one stack's data. Its name carries our process id, by which leftovers are recognised. It lies
 * beside what all stacks share, or in the folder that BANYAN_SCRATCH names: tests have theirs in memory.
 */
export function stackFolder(): string {
  const shared = ownFolder(process.env.BANYAN_SCRATCH || BASE)
  sweep(shared)
  const folder = join(shared, `stack-${process.pid}-${randomBytes(4).toString('hex')}`)
  // The servers' user passes through to its own 0700 folders inside, and sees no names.
  mkdirSync(folder, { mode: 0o711 })
  return folder
}

/** @returns A new folder in `parent` that belongs to the user who will run the server. */
export function dataFolder(parent: string, name: string, owner: SystemUser | undefined): string {
  const folder = join(parent, name)
  mkdirSync(folder, { mode: 0o700 })
  if (owner) chownSync(folder, owner.uid, owner.gid)
  return folder
}

/** A power cut leaves folders behind: those whose process is gone are removed. */
function sweep(shared: string): void {
  for (const name of readdirSync(shared)) {
    const pid = /^stack-(\d+)-/.exec(name)?.[1]
    if (pid && !existsSync(`/proc/${pid}`) && existsSync('/proc/self'))
      rmSync(join(shared, name), { recursive: true, force: true })
  }
}
