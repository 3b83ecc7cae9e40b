/**
 * A cluster in which Unleash's tables exist already. Its migrations take ten seconds and are the same each time, so
 * they run once per version of PostgreSQL and Unleash; what a stack starts on is made from a copy (`shop-template.ts`).
 */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { connected, provisionDatabase } from '../provision/database.ts'
import { freePorts } from './ports.ts'
import { initialise, startPostgres } from './postgres.ts'
import { moveInto, type PostgresFiles } from './postgres-files.ts'
import type { SystemUser } from './system-user.ts'
import { startUnleash } from './unleash.ts'
import { dataFolder, sharedFolder } from './work-folder.ts'

/** Raised when what a template holds changes without either version changing. */
const REVISION = 1

/** @returns The template's folder; it is made first if missing. */
export async function unleashTemplate(
  files: PostgresFiles,
  user: SystemUser | undefined,
  announce: (line: string) => void,
): Promise<string> {
  const name = `template-${files.version}-unleash-${unleashVersion()}-${process.arch}-${user?.uid ?? 'own'}-${REVISION}`
  const template = join(sharedFolder(), name)
  if (!existsSync(template)) {
    announce('preparing PostgreSQL and Unleash for the first time (about 20 s; later starts copy the result) …')
    await build(files, template, user)
  }
  return template
}

/**
 * Copies a template's data to `target`.
 * @returns The superuser's password, which every copy shares; only this user of the machine can read its file.
 */
export function copyTemplate(template: string, target: string): string {
  const done = spawnSync('cp', ['-a', join(template, 'data'), target], { encoding: 'utf8' })
  if (done.status !== 0) throw new Error(`cannot copy ${template}: ${done.stderr}`)
  return readFileSync(join(template, 'password'), 'utf8')
}

async function build(files: PostgresFiles, template: string, user: SystemUser | undefined): Promise<void> {
  const unfinished = `${template}.${process.pid}`
  rmSync(unfinished, { recursive: true, force: true })
  mkdirSync(unfinished, { mode: 0o711 })
  const data = dataFolder(unfinished, 'data', user)
  const password = randomBytes(18).toString('base64url')
  const passwordFile = join(unfinished, 'password')
  writeFileSync(passwordFile, password, { mode: 0o600 })
  // initdb reads it as the servers' user; afterwards it is ours alone.
  if (user) chownSync(passwordFile, user.uid, user.gid)
  initialise(files, data, passwordFile, user)
  if (user) chownSync(passwordFile, process.getuid?.() ?? 0, process.getgid?.() ?? 0)
  chmodSync(passwordFile, 0o600)

  const [port, unleashPort] = (await freePorts(2)) as [number, number]
  const log = join(unfinished, 'log')
  const scrap = [unfinished]
  const postgres = await startPostgres(files, { folder: data, port, password, user, scrap, log })
  await migrateUnleash(postgres.url, unleashPort, log)
  await postgres.child.stop({ keepData: true })
  moveInto(unfinished, template)
}

async function migrateUnleash(superuserUrl: string, port: number, log: string): Promise<void> {
  const databaseUrl = await provisionDatabase(superuserUrl, 'unleash', 'unleash')
  const unleash = startUnleash({
    databaseUrl,
    port,
    // No tokens and no person here: those are made, per stack, at its own start.
    clientToken: '',
    adminToken: '',
    login: { username: 'template', password: randomBytes(18).toString('hex') },
    log,
  })
  await unleash.up
  await unleash.child.stop()
  await connected(databaseUrl, (client) => client.query("delete from users where username = 'template'"))
}

function unleashVersion(): string {
  const entry = createRequire(import.meta.url).resolve('unleash-server')
  const manifest = join(dirname(dirname(dirname(entry))), 'package.json')
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version
}
