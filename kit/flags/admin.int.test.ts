import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { makeTestFlag, testUnleash } from '../../tests/support/infra.ts'
import { createFlagAdmin, type FlagAdmin } from './admin.ts'

let flag: string
let admin: FlagAdmin
let drop: () => Promise<void>
beforeEach(async () => {
  flag = `test-${randomUUID()}-reads`
  drop = await makeTestFlag(flag)
  const { url, adminToken } = testUnleash()
  admin = createFlagAdmin({ url, adminToken, environment: 'development' })
})
afterEach(() => drop())

/** Adds another strategy, as somebody does in Unleash itself. */
async function alsoOnFor(strategy: object): Promise<void> {
  const { url, adminToken } = testUnleash()
  const path = `/admin/projects/default/features/${flag}/environments/development/strategies`
  const answer = await fetch(url + path, {
    method: 'POST',
    headers: { authorization: adminToken, 'content-type': 'application/json' },
    body: JSON.stringify({ constraints: [], parameters: {}, ...strategy }),
  })
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`)
}

it('sets a share, and says what it is', async () => {
  await admin.setShare(flag, 30)
  expect(await admin.share(flag)).toBe(30)
  await admin.setOn(flag, false)
  expect(await admin.share(flag)).toBe(0)
  await admin.setOn(flag, true)
  expect(await admin.share(flag)).toBe(100)
})

it.each([
  ['everybody', { name: 'default' }],
  [
    'some by name',
    {
      name: 'flexibleRollout',
      parameters: { rollout: '100', stickiness: 'default', groupId: 'testers' },
      constraints: [{ contextName: 'userId', operator: 'IN', values: ['1'] }],
    },
  ],
])('does not say that a share is set while another strategy turns the flag on for %s', async (_, strategy) => {
  await admin.setShare(flag, 30)
  await alsoOnFor(strategy)
  await expect(admin.setShare(flag, 0)).rejects.toThrow(`${flag} has another strategy beside its share`)
  expect(await admin.share(flag)).toBeNull()
  await admin.setOn(flag, true)
})
