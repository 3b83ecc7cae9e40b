import { afterAll, beforeAll, expect, it } from 'vitest'
import { expectAtRest, expectEqualSides } from './support/invariants.ts'
import { makeReady, move } from './support/moves.ts'
import { type Browser, newBrowser, refresh, register, signIn, startPeople } from './support/people.ts'
import { type System, startSystem } from './support/system.ts'
import { until } from './support/wait.ts'

// The cost of a hash is no part of what is shown here.
const QUICK = { ARGON2_MEMORY_KIB: '8', ARGON2_PASSES: '1' }

let system: System
let proxy: Browser
/** Each side itself: who is let in there holds a token that this very side accepts. */
let sides: Record<'monolith' | 'service', Browser>
beforeAll(async () => {
  system = await startSystem('sessions', { monolith: QUICK, 'user-service': QUICK }, 'users')
  const { PROXY_URL = '', MONOLITH_URL = '', USER_SERVICE_URL = '' } = system.stack.env
  proxy = newBrowser(PROXY_URL)
  sides = { monolith: newBrowser(MONOLITH_URL), service: newBrowser(USER_SERVICE_URL) }
  await makeReady(system)
})
afterAll(() => system?.stop())

it('users move and come back: nobody fails to sign in, no session is lost, and a stolen token is noticed', async () => {
  const people = startPeople(system, 8)
  for (const [verb, from, to] of [
    ['switch', 'monolith', 'service'],
    ['rollback', 'service', 'monolith'],
  ] as const) {
    const account = await register(proxy)
    const kept = await signIn(proxy, account)
    const stolen = await signIn(proxy, account)
    const renewed = await refresh(proxy, stolen)
    const busy = { ...people.counts }
    await move(system, verb)
    await until('people to go on', 10_000, async () =>
      Object.entries(people.counts).every(([what, count]) => count > busy[what as keyof typeof busy]),
    )
    // What the former owner signed is let in by the new one, and by the former one still.
    for (const side of [from, to]) {
      const { status, body } = await sides[side]('GET', '/api/users/me', { token: kept.accessToken })
      expect([side, status, body.email]).toEqual([side, 200, account.email])
    }
    // That it was used has come along: shown again, it ends its session, which was renewed at the other side.
    await expect(refresh(proxy, stolen)).rejects.toThrow('invalid-refresh-token')
    await expect(refresh(proxy, renewed)).rejects.toThrow('invalid-refresh-token')
    await refresh(proxy, kept)
  }
  const open = await people.stop()
  expect(people.failures).toEqual([])
  for (const session of open) await refresh(proxy, session)
  await expectAtRest(system, 'monolith')
  await expectEqualSides(system)
})
