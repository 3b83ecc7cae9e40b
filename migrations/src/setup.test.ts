import { expect, it } from 'vitest'
import { explain } from './commands/explain.ts'
import { parsePlan } from './plan/read.ts'
import { openSetup } from './setup.ts'

const plan = parsePlan(
  'goods.yaml',
  'context: goods\ndatabases:\n  monolith: shop\n  service: nowhere\ntables: [items]\n',
)
const SHOP = { DATABASE_URL_SHOP: 'postgres://nobody@127.0.0.1:1/shop' }
const NOWHERE =
  'goods.yaml:4: the service\'s database "nowhere" has no address: DATABASE_URL_NOWHERE is not set. Remedy: '

it('refuses a plan with a database that has no address: both may be wrong, its line and the variable', async () => {
  const setup = openSetup(SHOP)
  const refusal = () => {
    try {
      setup.sides(plan)
    } catch (error) {
      return explain(error)
    }
  }
  expect(refusal()).toMatchObject({ exitCode: 2, text: expect.stringContaining(NOWHERE) })
  await setup.close()
  const both = openSetup({ ...SHOP, DATABASE_URL_NOWHERE: 'postgres://nobody@127.0.0.1:1/nowhere' })
  expect(Object.keys(both.sides(plan))).toEqual(['monolith', 'service'])
  await both.close()
})

it.each(['/no/such/folder', '/no/such/plan.yaml'])(
  'refuses %s, which is not there, as a place of plans',
  async (place) => {
    const refusal = await openSetup({ BANYAN_PLANS: place }).plans().catch(explain)
    expect(refusal).toMatchObject({ exitCode: 2, text: expect.stringContaining(`there is no ${place}`) })
  },
)
