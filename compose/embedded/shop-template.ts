/** The template with the shop's databases in it: one for each state of their sources, made from Unleash's template. */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connected } from '../provision/database.ts'
import { DATABASES, madeName, sourcesDigest } from '../provision/made-databases.ts'
import { provisionSide } from '../provision/shop-databases.ts'
import { migrate } from './migrate.ts'
import { freePorts } from './ports.ts'
import { startPostgres } from './postgres.ts'
import { moveInto, type PostgresFiles } from './postgres-files.ts'
import type { SystemUser } from './system-user.ts'
import { copyTemplate, unleashTemplate } from './template.ts'

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
const OLD_MS = 24 * 3_600_000

/** @returns The template's folder; it is made first if missing. */
export async function shopTemplate(
  files: PostgresFiles,
  user: SystemUser | undefined,
  announce: (line: string) => void,
): Promise<string> {
  const base = await unleashTemplate(files, user, announce)
  const template = `${base}-shop-${sourcesDigest()}`
  if (!existsSync(template)) {
    announce("preparing the shop's databases (once for each state of their sources) …")
    sweep(base)
    await build(files, { base, template, user })
  }
  return template
}

async function build(
  files: PostgresFiles,
  { base, template, user }: { base: string; template: string; user: SystemUser | undefined },
): Promise<void> {
  const unfinished = `${template}.${process.pid}`
  rmSync(unfinished, { recursive: true, force: true })
  mkdirSync(unfinished, { mode: 0o711 })
  const folder = join(unfinished, 'data')
  const password = copyTemplate(base, folder)
  writeFileSync(join(unfinished, 'password'), password, { mode: 0o600 })

  const [port] = (await freePorts(1)) as [number]
  const log = join(unfinished, 'log')
  const { url, child } = await startPostgres(files, { folder, port, password, user, scrap: [unfinished], log })
  try {
    await say(url, 'alter system set wal_recycle = off', 'select pg_reload_conf()')
    await Promise.all(DATABASES.map((database) => make(url, database)))
    // Half of what every start would copy is log of the making: it goes, instead of being kept for reuse.
    await say(url, 'checkpoint', 'alter system reset all')
    await child.stop({ keepData: true })
    moveInto(unfinished, template)
  } finally {
    // After a failure the folder goes with the server.
    await child.stop()
  }
}

/** By the roles that a stack's processes will have: their passwords are renewed at each start. */
async function make(adminUrl: string, database: string): Promise<void> {
  const { owner } = await provisionSide(adminUrl, database)
  await migrate(ROOT, database, owner)
  await say(adminUrl, `alter database ${database} rename to ${madeName(database)}`)
}

async function say(adminUrl: string, ...statements: string[]): Promise<void> {
  await connected(adminUrl, async (client) => {
    for (const statement of statements) await client.query(statement)
  })
}

/** Whoever changes the sources leaves templates of former states behind: those of other days are removed. */
function sweep(base: string): void {
  for (const name of readdirSync(dirname(base))) {
    const folder = join(dirname(base), name)
    if (folder.startsWith(`${base}-shop-`) && Date.now() - statSync(folder).mtimeMs > OLD_MS)
      rmSync(folder, { recursive: true, force: true })
  }
}
