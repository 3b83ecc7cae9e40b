import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestDatabase, loginClause } from '../support/infra.ts'
import { blocksOfPage } from './contracts-page.ts'

const KIT = join(import.meta.dirname, '../../kit')
const ROLES = { own: `page_service_${process.pid}`, control: `page_watch_${process.pid}` }
const blocks = blocksOfPage().filter(({ language }) => language === 'sql')

let databases: Record<'own' | 'control', Awaited<ReturnType<typeof createTestDatabase>>>
beforeAll(async () => {
  databases = { own: await createTestDatabase(), control: await createTestDatabase() }
  await install('own', [
    ...['ownership/participant.sql', 'outbox/schema.sql', 'inbox/schema.sql'].map(script),
    "insert into banyan.owner (context, owner) values ('shipping', 'service')",
    `grant usage on schema banyan to ${ROLES.own}`,
    `grant select, insert, update, delete on banyan.outbox, banyan.inbox, banyan.inbox_failures to ${ROLES.own}`,
  ])
  await install('control', [
    script('ownership/control.sql'),
    script('ownership/watcher.sql').replaceAll('??', ROLES.control),
    `select banyan.let_announce('${ROLES.control}', '{shipping-service}')`,
    "insert into banyan.contexts (context) values ('shipping')",
  ])
})
afterAll(async () => {
  for (const place of ['own', 'control'] as const) {
    await asAdmin(place, [`drop owned by ${ROLES[place]}`, `drop role ${ROLES[place]}`])
    await databases[place].drop()
  }
})

// With the rights that the page names, and not as a superuser, who may do anything.
it.each(blocks)('does as docs/contracts.md says: $text', async ({ text, where }) => {
  const place = where === 'control' ? 'control' : 'own'
  const client = new pg.Client({ connectionString: databases[place].url.replace(/\/\/[^:@]+/, `//${ROLES[place]}`) })
  await client.connect()
  try {
    await client.query('begin')
    for (const statement of text.split(/;\n/).filter((one) => one.trim())) {
      const { rowCount, command } = await client.query(statement)
      const some = /returning|owner_of|emit|lock|from banyan.contexts|insert|delete|drained/.test(statement)
      expect([command, (rowCount ?? 0) > 0 || !some]).toEqual([command, true])
    }
    await client.query('commit')
  } finally {
    await client.end()
  }
})

it('has found the blocks', () => {
  expect(blocks.map(({ where }) => where)).toEqual(['', '', '', '', '', 'control', 'control'])
})

function script(name: string): string {
  return readFileSync(join(KIT, name), 'utf8')
}

async function install(place: 'own' | 'control', statements: string[]): Promise<void> {
  await asAdmin(place, [`create role ${ROLES[place]} ${loginClause()}`, ...statements])
}

async function asAdmin(place: 'own' | 'control', statements: string[]): Promise<void> {
  const client = new pg.Client({ connectionString: databases[place].url })
  await client.connect()
  for (const statement of statements) await client.query(statement)
  await client.end()
}
