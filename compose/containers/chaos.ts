// A fault on purpose, again and again: every EVERY_S seconds one process of the shop loses all its connections to
// PostgreSQL, as in a failover. Environment: DATABASE_URL of a superuser.
import { setTimeout as sleep } from 'node:timers/promises'
import { connected } from '../provision/database.ts'
import { whole } from '../sandbox/process.ts'

const VICTIM = `select usename as role from pg_stat_activity
  where usename ~ '_(app|watch)$' or usename in ('banyan_proxy', 'banyan_mover')
  group by usename order by random() limit 1`
const every = whole('EVERY_S', 20) * 1000
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(0))

for (;;) {
  await sleep(every)
  await connected(process.env.DATABASE_URL ?? '', async (client) => {
    const [victim] = (await client.query<{ role: string }>(VICTIM)).rows
    if (!victim) return
    const cut = await client.query('select pg_terminate_backend(pid) from pg_stat_activity where usename = $1', [
      victim.role,
    ])
    console.log(`chaos: ${victim.role} lost ${cut.rowCount} connections`)
  })
}
