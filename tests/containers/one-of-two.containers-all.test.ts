/** Of two instances of each process behind the door one may be stopped while people shop: nobody sees a failure. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { becomesTrue } from '../../compose/embedded/wait.ts'
import { isExact } from '../../compose/ledger/compare.ts'
import { MONOLITH, SERVICES, STAGES } from '../../compose/provision/services.ts'
import { docker, openShop, type Shop } from './compose.ts'
import { openShoppers, type Shoppers } from './shoppers.ts'

/** The last one that has them all. */
const STAGE = STAGES.at(-2) as string
/** The proxy asks for the addresses of a name every five seconds. */
const KNOWN_WITHIN_MS = 30_000
let shop: Shop
let shoppers: Shoppers

beforeAll(async () => {
  shop = await openShop()
  await shop.up(STAGE)
  shoppers = await openShoppers(shop, STAGE)
  await shoppers.letIn()
})
afterAll(async () => {
  await shoppers?.close()
  await shop.drop()
})

/** @param known resolves when whoever sends requests to the process knows that there are two of it */
async function stopsOneOfTwo(process: string, known?: () => Promise<void>): Promise<void> {
  // Each in its turn: two of all of them at once would be more than two processors can do.
  await shop.up(STAGE, '--scale', `${process}=2`)
  const [one = '', ...others] = (await shop.container(STAGE, process)).split('\n')
  expect(others).toHaveLength(1)
  await known?.()
  await shoppers.goOn()
  const began = performance.now()
  await docker('stop', one)
  const seconds = (performance.now() - began) / 1000
  const { State, Config } = JSON.parse(await docker('inspect', '--format', '{{json .}}', one))
  console.log(`${process}: ended with ${State.ExitCode} after ${seconds.toFixed(1)} of ${Config.StopTimeout} s`)
  expect(State.ExitCode).toBe(0)
  expect(seconds).toBeLessThan(Config.StopTimeout)
  await shoppers.goOn()
  expect(shoppers.failures()).toEqual([])
  // Of a stopped one and one that runs, the next `up` is not to choose.
  await docker('rm', one)
}

/** @param group labels of the proxy's own figures */
async function doorKnowsBoth(group: string): Promise<void> {
  await becomesTrue(
    `the door to know two of ${group}`,
    async () => (await (await fetch(`${shop.ops}/metrics`)).text()).includes(`proxy_instances{${group},state="up"} 2`),
    KNOWN_WITHIN_MS,
  )
}

test('the monolith, which owns everything', async () => {
  await stopsOneOfTwo(MONOLITH.name, () => doorKnowsBoth('side="monolith",context=""'))
})

test('the mover, whose other one moves all contexts then', async () => {
  await stopsOneOfTwo('mover')
  await shop.compose(STAGE, 'run', '--rm', 'arrive')
  expect(shoppers.failures()).toEqual([])
})

test.each(SERVICES)('$name, which owns $context', async ({ name, context }) => {
  await stopsOneOfTwo(name, () => doorKnowsBoth(`side="service",context="${context}"`))
})

test('and nothing was lost', async () => {
  await shoppers.letOut()
  expect(shoppers.failures()).toEqual([])
  const { ledger, findings } = await shoppers.ledger(STAGE)
  console.log(`ledger: ${JSON.stringify(ledger)}`)
  expect(findings).toEqual([])
  expect(ledger.ordersAcknowledged > 0 && isExact(ledger)).toBe(true)
})
