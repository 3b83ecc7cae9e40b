import { expect, it } from 'vitest'
import { MIB, passLargeBodies } from '../test-support/large-bodies.ts'

const ROUTES = `
contexts: { goods: goods-service }
routes:
  - { method: GET, path: /api/goods, context: goods, access: read }
`

it('1 GiB goes up and 1 GiB comes down, unchanged, through a proxy that grows by less than 64 MiB', async () => {
  const { sent, up, down, grownBytes } = await passLargeBodies(ROUTES, 1024 * MIB)
  expect([up, down]).toEqual([sent, sent])
  expect(grownBytes).toBeLessThan(64 * MIB)
})
