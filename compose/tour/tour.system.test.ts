import { expect, test } from 'vitest'
import { runTour } from './testing/run-tour.ts'

test('the playbook moves inventory under traffic, back, and again, and nothing is lost', async () => {
  const { stages, traffic, ledger } = await runTour('--through', '3-inventory')
  expect(traffic.failed).toBe(0)
  expect(ledger.ordersAcknowledged).toBeGreaterThan(20)
  const inventory = stages.find((stage) => stage.name === '3-inventory')
  expect(inventory?.switches.map((each) => each.direction)).toEqual(['to-service', 'to-monolith', 'to-service'])
  expect(inventory?.rows).toMatchObject({ different: 0 })
  expect(inventory?.rows.copied).toBeGreaterThan(1_000)
})
