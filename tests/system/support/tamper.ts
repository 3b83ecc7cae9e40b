import { connected } from '../../../compose/provision/database.ts'
import type { System } from './system.ts'

/** Changes one row of the fenced target behind the engine's back, as only a superuser who turns triggers off can. */
export async function tamperWithTarget(system: System): Promise<void> {
  await connected(system.superuser('inventory'), async (db) => {
    const { rows } = await db.query(
      `select tgname as name, tgenabled as mode from pg_trigger where tgrelid = 'products'::regclass and not tgisinternal`,
    )
    await db.query('begin')
    await db.query('alter table products disable trigger user')
    await db.query(`update products set name = 'Tampered with' where id = (select min(id) from products)`)
    for (const { name, mode } of rows) {
      const state = mode === 'A' ? 'enable always' : mode === 'D' ? 'disable' : 'enable'
      await db.query(`alter table products ${state} trigger "${name}"`)
    }
    await db.query('commit')
  })
}
