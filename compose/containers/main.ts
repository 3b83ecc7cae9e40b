// Makes the secrets of the Compose stages, once: .banyan/compose/*.env, for their owner alone. What is there stays,
// because the volumes hold the same passwords: `docker compose … down --volumes` first, then remove the folder.
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { newEnvFiles } from './env-files.ts'

const folder = join(import.meta.dirname, '../../.banyan/compose')
if (existsSync(folder)) console.log(`${folder} is there already: nothing was changed`)
else {
  const unfinished = `${folder}.${process.pid}`
  mkdirSync(unfinished, { recursive: true, mode: 0o700 })
  try {
    // The broker reads its accounts as a user of its own, through a mount of this one file: hashes of passwords.
    for (const [name, text] of Object.entries(await newEnvFiles()))
      writeFileSync(join(unfinished, name), text, { mode: name === 'definitions.json' ? 0o644 : 0o600 })
    renameSync(unfinished, folder)
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
  console.log(`${folder}: made`)
}
