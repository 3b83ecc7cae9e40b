import { describe, expect, it } from 'vitest'
import { createWorkGate } from './work-gate.ts'

describe('the gate of background work', () => {
  it('lets a step pass and returns what it returned', async () => {
    const gate = createWorkGate(() => false)
    expect(await gate.pass(['orders'], async () => 7)).toBe(7)
  })

  it('begins no step while one of its contexts is held', async () => {
    const gate = createWorkGate((context) => context === 'inventory')
    let began = 0
    const step = async () => ++began
    expect(await gate.pass(['orders', 'inventory'], step)).toBeUndefined()
    expect(await gate.pass(['orders'], step)).toBe(1)
  })

  it('is drained when the steps of that context have ended, however they ended', async () => {
    const gate = createWorkGate(() => false)
    const [good, bad, other] = [1, 2, 3].map(() => Promise.withResolvers<void>())
    const steps = [
      gate.pass(['inventory'], () => good!.promise),
      gate.pass(['inventory', 'orders'], () => bad!.promise).catch((error: Error) => error.message),
      gate.pass(['users'], () => other!.promise),
    ]
    let drained = false
    const draining = gate.drained('inventory').then(() => {
      drained = true
    })
    good!.resolve()
    await steps[0]
    expect(drained).toBe(false)
    bad!.reject(new Error('failed'))
    expect(await steps[1]).toBe('failed')
    await draining
    await gate.drained('orders')
    other!.resolve()
    await steps[2]
  })
})
