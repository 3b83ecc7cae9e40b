import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { request } from 'node:http'
import { json } from 'node:stream/consumers'
import { connected } from '../../compose/provision/database.ts'
import { newKey } from '../support/keys.ts'
import { watchGrowth } from '../support/resident-memory.ts'
import { makeReady, move } from '../system/support/moves.ts'
import { pidsOf, startSystem } from '../system/support/system.ts'
import { startBanyan } from './proxy/banyan.ts'
import { startPart } from './proxy/processes.ts'
import type { Row } from './row.ts'

const MOST_MIB = 64
const MIB = 2 ** 20
const GIB = 1024 * MIB
const ROWS = 1_000_000
/** Of about 200 bytes, under the indexes of the shop's own table. */
const FILL = `
  insert into products (sku, name, category_id, price_cents, description)
  select 'BENCH-' || lpad(i::text, 10, '0'), 'Product number ' || i, (select min(id) from categories), i % 100000 + 1,
    repeat(md5(i::text), 3)
  from generate_series(1, ${ROWS}) i`

/** How much the Node processes grow while a million rows are copied, and the proxy while 1 GiB goes each way. */
export async function benchMemory(): Promise<Row[]> {
  return [...(await whileCopying()), ...(await whileStreaming())]
}

async function whileCopying(): Promise<Row[]> {
  const system = await startSystem('bench-memory')
  try {
    // Once with the catalogue as it is, so that what a first copy loads is not counted; then with the rows.
    await makeReady(system)
    await move(system, 'unprepare')
    await connected(system.superuser('shop'), (db) => db.query(FILL))
    await move(system, 'prepare')
    const growth = watchGrowth(pidsOf(system))
    await move(system, 'backfill', {}, 15 * 60_000)
    return [...growth.end()].map(([name, mib]) =>
      row(`${name} while ${ROWS.toLocaleString('en')} rows are copied`, mib),
    )
  } finally {
    await system.stop()
  }
}

async function whileStreaming(): Promise<Row[]> {
  const upstream = startPart('upstream.ts')
  const url = `http://127.0.0.1:${await upstream.line()}`
  const banyan = await startBanyan(url, newKey('bench'))
  try {
    await stream(banyan.port, 16 * MIB)
    const growth = watchGrowth({ proxy: banyan.pid })
    await stream(banyan.port, GIB)
    return [...growth.end()].map(([name, mib]) => row(`${name} while 1 GiB goes up and 1 GiB comes down`, mib))
  } finally {
    await Promise.all([banyan.end(), upstream.end()])
  }
}

/** So many bytes up, then as many down. @throws unless they arrive unchanged */
async function stream(port: number, size: number): Promise<void> {
  const block = randomBytes(MIB)
  const sent = createHash('sha256')
  const up = request({ port, path: '/upload', method: 'POST', headers: { 'content-length': size } })
  const answered = once(up, 'response')
  for (let at = 0; at < size; at += MIB) {
    sent.update(block)
    if (!up.write(block)) await once(up, 'drain')
  }
  up.end()
  const [answer] = await answered
  const { received, sha256 } = (await json(answer)) as { received: number; sha256: string }
  if (received !== size || sha256 !== sent.digest('hex')) throw new Error(`of ${size} bytes ${received} arrived whole`)
  let got = 0
  for await (const chunk of (await fetch(`http://127.0.0.1:${port}/download?bytes=${size}`)).body!) got += chunk.length
  if (got !== size) throw new Error(`of ${size} bytes ${got} came down`)
}

const row = (figure: string, value: number): Row => ({
  figure: `memory of the ${figure}: growth`,
  value,
  unit: 'MiB',
  yardstick: '',
  ratio: null,
  target: `≤ ${MOST_MIB} MiB`,
  ok: value <= MOST_MIB,
})
