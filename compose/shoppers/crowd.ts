/**
 * The crowd: an open loop, which sends at its rate whether or not the shop keeps up, so that a pause of the shop shows
 * as waiting and not as fewer requests.
 */
import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { openJournal } from '../sandbox/journal.ts'
import * as actions from './actions.ts'
import { logIn, register } from './login.ts'
import { createMeasure, type Measure } from './measure.ts'
import { newPerson, type Person } from './people.ts'
import { createShopClient } from './shop-client.ts'
import type { Told } from './told.ts'

export type CrowdOptions = {
  baseUrl: string
  /** Things done per second. */
  rate: number
  /** An append-only file outside the shop, one line per thing told. */
  journalFile: string
  admin: { email: string; password: string }
  products: readonly number[]
}

export type Crowd = { measure: Measure; stop(): Promise<void> }

const PEOPLE = 60
/** The first customers come in gradually: a shop that opens its doors is not at its full rate in the first second. */
const OPENING_MS = 10_000
/** Accounts cost a password hash each, by design a slow one. */
const JOINING_AT_ONCE = 2
const ROUTINE: readonly [weight: number, action: (world: actions.World, person: Person) => Promise<void>][] = [
  [52, actions.browse],
  [12, actions.search],
  [12, actions.fillCart],
  [12, actions.lookAround],
  [10, actions.order],
  [2, actions.cancel],
  [2, actions.goAway],
]
const ADMIN: typeof ROUTINE = [
  [2, actions.adjustStock],
  [1, actions.editProduct],
]

/** Starts it; `stop` lets everybody finish what they are doing (bounded by each request's own limit). */
export async function startCrowd(options: CrowdOptions): Promise<Crowd> {
  const measure = createMeasure()
  const client = createShopClient(options.baseUrl, measure)
  const journal = await openJournal<Told>(options.journalFile, () => undefined)
  const world: actions.World = { client, write: (told) => journal.append(told), products: options.products, pick }
  const run = randomBytes(3).toString('hex')
  const people: Person[] = []
  let newcomers = 0
  const visitor: Person = newPerson(run, 0)
  const admin: Person = { ...newPerson(run, 0), ...options.admin, session: { cookies: new Map() } }
  const underWay = new Set<Promise<void>>()

  const arrive = async () => {
    if (Math.random() < 0.03) return await asOneThing(admin, pickWeighted(ADMIN))
    const free = people.filter((person) => !person.busy)
    if (people.length < PEOPLE && joining < JOINING_AT_ONCE && Math.random() < 0.2) return await join()
    if (free.length === 0) return await actions.browse(world, { ...visitor, session: { cookies: new Map() } })
    await asOneThing(pick(free), pickWeighted(ROUTINE))
  }
  const asOneThing = async (person: Person, action: (typeof ROUTINE)[number][1]) => {
    if (person.busy) return await actions.browse(world, { ...visitor, session: { cookies: new Map() } })
    person.busy = true
    try {
      if (Date.now() < person.loggedInUntil || (await logIn(client, person))) await action(world, person)
    } finally {
      person.busy = false
    }
  }
  let joining = 0
  const join = async () => {
    joining += 1
    newcomers += 1
    const person = newPerson(run, newcomers)
    try {
      if ((await register(client, person)) && (await logIn(client, person))) people.push(person)
    } finally {
      joining -= 1
    }
  }

  const started = performance.now()
  let sent = 0
  const timer = setInterval(() => {
    // Catches up after a late timer: the rate is a promise, not a pause between two requests.
    const due = Math.floor(options.rate * openSeconds(performance.now() - started))
    for (; sent < due; sent += 1) {
      const doing = arrive().catch((error) => console.error(`shopper: ${(error as Error).message}`))
      underWay.add(doing)
      void doing.then(() => underWay.delete(doing))
    }
  }, 10)

  return {
    measure,
    async stop() {
      clearInterval(timer)
      await Promise.all(underWay)
      await client.close()
      await journal.close()
    },
  }
}

/** Seconds at the full rate that come to the same number of requests: the rate rises evenly while the shop opens. */
function openSeconds(ms: number): number {
  return ms < OPENING_MS ? ms ** 2 / (2 * OPENING_MS * 1000) : (ms - OPENING_MS / 2) / 1000
}

function pick<T>(of: readonly T[]): T {
  return of[Math.floor(Math.random() * of.length)]!
}

function pickWeighted(table: typeof ROUTINE): (typeof ROUTINE)[number][1] {
  let dice = Math.random() * table.reduce((sum, [weight]) => sum + weight, 0)
  for (const [weight, action] of table) {
    dice -= weight
    if (dice < 0) return action
  }
  return table[0]![1]
}
