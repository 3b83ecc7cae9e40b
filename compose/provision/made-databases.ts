/**
 * Databases of the shop with their tables in them, made ahead: the cluster that an embedded PostgreSQL starts on has
 * one for each, and whoever needs a migrated database renames it or copies it instead of migrating one.
 */
import { createHash } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type pg from 'pg'
import { connected } from './database.ts'
import { SERVICES } from './services.ts'

/** The monolith's and the services'. */
export const DATABASES: readonly string[] = ['shop', ...SERVICES.map((row) => row.database)]

/** All that decides what a migrated database holds. */
const SOURCES = [
  'migrations/shop/schema/**/*.ts',
  'migrations/src/migrate.ts',
  'kit/*.ts',
  'kit/**/*.sql',
  'kit/**/install.ts',
  'compose/provision/*database*.ts',
]

const ROOT = new URL('../../', import.meta.url)
let digest: string | undefined

/** @returns A short name for the sources as they are at the first call: what was made from others is never taken. */
export function sourcesDigest(): string {
  if (digest) return digest
  const hash = createHash('sha256')
  for (const file of globSync(SOURCES, { cwd: fileURLToPath(ROOT) }).sort())
    if (!file.endsWith('.test.ts'))
      hash
        .update(`${file}\0`)
        .update(readFileSync(new URL(file, ROOT)))
        .update('\0')
  digest = hash.digest('hex').slice(0, 12)
  return digest
}

/** What the names of all made databases begin with. */
export const madePrefix = (): string => `made_${sourcesDigest()}_`

/** @returns The name of the database that was made ahead for `database`. */
export const madeName = (database: string): string => madePrefix() + database

/** @returns Whether the server has every made database. */
export async function hasMade(adminUrl: string): Promise<boolean> {
  return await connected(adminUrl, async (client) => {
    for (const name of DATABASES) if (!(await isThere(client, madeName(name)))) return false
    return true
  })
}

/**
 * Renames made databases to their own names, where the server has the one and not yet the other.
 * @returns those that need no migration any more
 */
export async function adoptMade(adminUrl: string, databases: readonly string[]): Promise<Set<string>> {
  return await connected(adminUrl, async (client) => {
    const adopted = new Set<string>()
    for (const name of databases) {
      if (!(await isThere(client, madeName(name))) || (await isThere(client, name))) continue
      await client.query(`alter database ${madeName(name)} rename to ${name}`)
      adopted.add(name)
    }
    return adopted
  })
}

/**
 * Makes a database as a copy of the made one, which stays.
 * @param name of the new one
 * @returns whether the server has what is to be copied; if not, nothing was done
 */
export async function copyMade(adminUrl: string, database: string, name: string): Promise<boolean> {
  return await connected(adminUrl, async (client) => {
    if (!(await isThere(client, madeName(database)))) return false
    await client.query(`create database ${name} template ${madeName(database)}`)
    return true
  })
}

async function isThere(client: pg.Client, name: string): Promise<boolean> {
  return (await client.query('select from pg_database where datname = $1', [name])).rowCount === 1
}
