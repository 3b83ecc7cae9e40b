import { afterAll, beforeAll, describe } from 'vitest'
import { SERVICES, STAGES } from '../../compose/provision/services.ts'
import { move, turn } from '../system/support/moves.ts'
import { type System, startSystem } from '../system/support/system.ts'
import { brokenContractOfStack, contractOfStack } from './shop-in-pieces.ts'

/** Passwords hashed as cheaply as it goes; a carrier that is quick. */
const QUICK = { ARGON2_MEMORY_KIB: '8', ARGON2_PASSES: '1', SHIPPING_DELAY_MS: '0' }
const ENDED = ['mover', 'monolith'] as const

let system: System
beforeAll(async () => {
  const env = { monolith: QUICK, 'user-service': QUICK, 'shipping-service': QUICK }
  system = await startSystem('stages', env, 'orders')
})
afterAll(() => system?.stop())

// One shop walks through all of them: whatever earlier stages left in it is there in the later ones.
describe('the contract, kept by the monolith alone', () => {
  contractOfStack(() => system, 'MONOLITH_URL')
})

describe.each(STAGES.slice(1, -1))('the contract, kept by the proxy at stage %s', (name) => {
  const leaving = SERVICES.filter(({ since }) => since === STAGES.indexOf(name))
  beforeAll(async () => {
    for (const { context } of leaving) await turn(system.seenAs(context))
  })
  contractOfStack(() => system)
})

describe(`the contract, kept by the proxy at stage ${STAGES.at(-1)}`, () => {
  beforeAll(async () => {
    for (const { context } of SERVICES) {
      const here = system.seenAs(context)
      await move(here, 'verify')
      await move(here, 'complete', { confirm: context, quietSeconds: 0 }, 120_000)
    }
    for (const process of ENDED) await system.stack.process(process).stop()
    await system.stack.restart('proxy', { MONOLITH_URL: 'none' })
  }, 600_000)
  contractOfStack(() => system)
  brokenContractOfStack(() => system)
})
