/** The last accepted payload on disk, for a start without Unleash. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Payload, readPayload } from './payload.ts'

export type Backup = { read(): Promise<Payload | undefined>; write(payload: Payload): Promise<void> }

/**
 * @param directory Where; created if missing.
 * @param appName Becomes part of the file's name, since processes may share the directory.
 */
export function createBackup(directory: string, appName: string): Backup {
  const file = join(directory, `banyan-flags-${appName.replaceAll(/[^\w.-]/g, '_')}.json`)
  return {
    async read() {
      try {
        return readPayload(JSON.parse(await readFile(file, 'utf8')))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
        throw error
      }
    },
    async write(payload) {
      await mkdir(directory, { recursive: true })
      // Renamed into place, so that a kill while writing leaves the old one.
      await writeFile(`${file}.${process.pid}`, JSON.stringify(payload))
      await rename(`${file}.${process.pid}`, file)
    },
  }
}
