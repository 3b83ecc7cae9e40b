import type pg from 'pg'
import { median } from './row.ts'

const WRITES = 1000

/** Writes to two tables in turn: the first is captured, the second is not. */
export async function writeRounds(
  app: pg.Pool,
  [captured, plain]: readonly [string, string],
  rounds: number,
): Promise<{ captured: number; plain: number; ratio: number }> {
  const rates: { captured: number; plain: number }[] = []
  const writer = await app.connect()
  try {
    for (let round = 0; round < rounds; round++) {
      const order = round % 2 === 0 ? [captured, plain] : [plain, captured]
      const rate: Record<string, number> = {}
      for (const table of order) rate[table] = await writeRate(writer, table, round)
      rates.push({ captured: rate[captured]!, plain: rate[plain]! })
    }
  } finally {
    writer.release()
  }
  return {
    captured: median(rates.map((one) => one.captured)),
    plain: median(rates.map((one) => one.plain)),
    ratio: median(rates.map((one) => one.captured / one.plain)),
  }
}

async function writeRate(writer: pg.PoolClient, table: string, round: number): Promise<number> {
  const begun = performance.now()
  for (let n = 0; n < WRITES; n++) {
    const sku = `W-${round}-${n >> 1}`
    if (n % 2 === 0) {
      await writer.query({
        name: `insert ${table}`,
        text: `insert into ${table} (sku, title, price_cents, attributes) values ($1, 'written', 1, '{"colour": "red"}')`,
        values: [sku],
      })
    } else {
      await writer.query({
        name: `update ${table}`,
        text: `update ${table} set price_cents = price_cents + 1, updated_at = now() where sku = $1`,
        values: [sku],
      })
    }
  }
  return WRITES / ((performance.now() - begun) / 1000)
}
