import { setTimeout as sleep } from 'node:timers/promises'
import { createLogger } from '@banyan/kit/service'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { stallable } from '../../../kit/ownership/testing/stallable.ts'
import { cliEnvironment, spawnMover } from './testing/mover-process.ts'
import { createWorld, until, type World } from './testing/world.ts'

const GRACE_MS = 5_000
/** What a busy machine may take beyond it. */
const MARGIN_MS = 15_000
/** A lead lost, a broker given up by its heartbeat, and the lock that the server frees when nothing more is heard. */
const LEADS_AGAIN_MS = 90_000

type Name = 'control' | 'shop' | 'goods' | 'amqp'
type Cable = Awaited<ReturnType<typeof stallable>>

let world: World
let cables: Record<Name, Cable>
const each = (deed: (cable: Cable) => unknown) => Promise.all(Object.values(cables).map(deed))

beforeEach(async () => {
  world = await createWorld({ rows: 20 })
  const strung = Object.entries(world.urls).map(async ([name, url]) => [name, await stallable(url)])
  cables = Object.fromEntries(await Promise.all(strung))
})
afterEach(async () => {
  await each((cable) => cable.close())
  await world.drop()
})

/** A context on the move: both lanes, beats and reconciliation go on. */
async function onTheMove(): Promise<void> {
  for (const verb of ['prepare', 'backfill'] as const) expect(await world.ask(verb)).toMatchObject({ state: 'done' })
}

it.each<[string, (cable: Cable) => unknown]>([
  ['have gone silent', (cable) => cable.stall()],
  ['are gone', (cable) => cable.close()],
])(
  'a mover whose databases and broker %s ends when it is told to',
  async (_, cut) => {
    const { env, drop } = await cliEnvironment(world)
    const mover = spawnMover({
      ...env,
      CONTROL_DATABASE_URL: cables.control.url,
      DATABASE_URL_SHOP: cables.shop.url,
      DATABASE_URL_GOODS: cables.goods.url,
      AMQP_URL: cables.amqp.url,
      SHUTDOWN_GRACE_MS: String(GRACE_MS),
    })
    try {
      await onTheMove()
      await each(cut)
      mover.signal('SIGTERM')
      const late = sleep(GRACE_MS + MARGIN_MS, 'late')
      expect(await Promise.race([mover.ended, late])).not.toBe('late')
    } finally {
      mover.signal('SIGKILL')
      await mover.ended
      await drop()
    }
  },
  120_000,
)

it('a mover whose connections have all gone silent leads again on new ones', async () => {
  const urls: Record<string, string> = { shop: cables.shop.url, goods: cables.goods.url }
  // By what it logs: between the old lead and a free lock taken at once, less may pass than between two looks.
  const told: string[] = []
  const destination = { write: (line: string) => void told.push(JSON.parse(line).msg) }
  world.start({
    logger: createLogger({ name: 'mover', destination }),
    controlUrl: cables.control.url,
    amqpUrl: cables.amqp.url,
    databaseUrl: (name) => urls[name]!,
  })
  await onTheMove()
  await each((cable) => cable.freeze())
  await until(
    'the lead to be found again',
    LEADS_AGAIN_MS,
    async () => told.filter((one) => one === 'leads').length === 2,
  )
  expect(await world.ask('verify')).toMatchObject({ state: 'done' })
}, 240_000)
