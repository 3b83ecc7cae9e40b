/**
 * Where the servers of tests keep their data. A database is hundreds of files, and a test has one for a second: ext4 looks
 * over those that have just gone before it makes the next.
 */
import { statfsSync } from 'node:fs'

const FOLDER = '/dev/shm'
/** Of what is left of it, and of the machine's memory: several servers at a time, each with a gigabyte of log. */
const NEEDED = 12 * 1024 ** 3

/** For this process and all that it starts, unless somebody has said where; without enough memory it stays /var/tmp. */
export function keepDataInMemory(): void {
  if (hasRoom()) process.env.BANYAN_SCRATCH ??= FOLDER
}

function hasRoom(): boolean {
  try {
    const { bavail, bsize } = statfsSync(FOLDER)
    return Math.min(bavail * bsize, process.availableMemory()) >= NEEDED
  } catch {
    return false
  }
}
