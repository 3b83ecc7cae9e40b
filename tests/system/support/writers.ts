/** Writers that go on through every fault: each has rows of its own and tries every door until one lets it in. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { adminToken, type Door, databaseDoor, httpDoor, type Write } from './doors.ts'
import { createMemory, type Memory } from './memory.ts'
import type { System } from './system.ts'

export type Writers = { memory: Memory; stop(): Promise<void> }

const PAUSE_MS = 80

/**
 * Where nothing keeps a session out of the service's tables, because their move has not been prepared or was taken back,
 * what it wrote would be in nobody's shop.
 */
const ONLY_FENCED = `exists (
  select from pg_trigger where tgrelid = 'products'::regclass and tgname = '!!banyan_fence' and tgenabled = 'A')`

/**
 * Starts writers at the proxy, at both sides' APIs and at both databases. They never stop for an error.
 * @param when `preparing`: the service's database is written to only while a fence stands there; `completing`: that of the
 *   monolith only by a session that reads nothing, since nobody may leave while the old tables are still read
 */
export function startWriters(system: System, when: 'moving' | 'preparing' | 'completing' = 'moving'): Writers {
  const { env } = system.stack
  const memory = createMemory()
  const stop = new AbortController()
  const token = adminToken(system)
  const monolith = databaseDoor(system, 'monolith', when === 'completing' ? { category: '1' } : {})
  const service = databaseDoor(system, 'service', when === 'preparing' ? { where: ONLY_FENCED } : {})
  const databases = when === 'completing' ? [service] : [monolith, service]
  const apis = [
    httpDoor("monolith's API", env.MONOLITH_URL ?? '', token, 'monolith'),
    httpDoor("service's API", env.INVENTORY_SERVICE_URL ?? '', token, 'service'),
  ]
  const proxy = [httpDoor('proxy', env.PROXY_URL ?? '', token)]
  const loops = [
    write(databases, memory, stop.signal),
    write(databases.toReversed(), memory, stop.signal),
    write(apis, memory, stop.signal),
    write(proxy, memory, stop.signal),
    // A row that travels through every door: the last acknowledged write wins, whoever took it.
    write([...databases, ...apis, ...proxy], memory, stop.signal),
    ...[monolith, service].map((door) => knock(door, memory, stop.signal)),
  ]
  return {
    memory,
    async stop() {
      stop.abort()
      await Promise.all(loops)
    },
  }
}

/** One writer: after each write it begins at another door, and goes from door to door while it is refused. */
async function write(doors: readonly Door[], memory: Memory, stop: AbortSignal): Promise<void> {
  const mine: { sku: string; id: number }[] = []
  for (let turn = 0; !stop.aborted; turn += 1) {
    const known = mine[Math.floor(Math.random() * mine.length)]
    const dice = Math.random()
    const price = 1 + Math.floor(Math.random() * 1_000_000)
    const next: Write =
      !known || dice < 0.35
        ? { sku: newSku(), do: 'insert', price }
        : { ...known, do: dice < 0.85 ? 'update' : 'delete', price }
    for (let attempt = 0; attempt < doors.length; attempt += 1) {
      const door = doors[(turn + attempt) % doors.length]!
      const from = performance.now()
      const outcome = await door.send(next)
      memory.note(door.name, next, outcome, from)
      // A write whose fate is unknown may still happen later: its row is left alone from here on.
      const known = mine.findIndex((row) => row.sku === next.sku)
      if (outcome.kind === 'unknown' && known >= 0) mine.splice(known, 1)
      if (outcome.kind === 'accepted' && next.do === 'insert') mine.push({ sku: next.sku, id: outcome.id })
      if (outcome.kind === 'accepted' && next.do === 'delete') mine.splice(known, 1)
      if (outcome.kind === 'accepted' || outcome.kind === 'unknown') break
    }
    await sleep(PAUSE_MS)
  }
}

/** Tries one side's database all the time, whoever owns it: what I1 is sampled with. */
async function knock(door: Door, memory: Memory, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    const insert: Write = { sku: newSku(), do: 'insert', price: 1 }
    const from = performance.now()
    memory.note(door.name, insert, await door.send(insert), from)
    await sleep(60)
  }
}

const newSku = () => `T-${randomUUID().slice(0, 23).toUpperCase()}`
