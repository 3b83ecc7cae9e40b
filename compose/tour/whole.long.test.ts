import { expect, test } from 'vitest'
import { STAGES } from '../provision/services.ts'
import { runTour } from './testing/run-tour.ts'

test('the whole playbook, at the rate the tour has by itself, fails nobody and loses nothing', async () => {
  const { stages, traffic, ledger } = await runTour('--rate', '50')
  expect(stages.map((stage) => stage.name)).toEqual([...STAGES])
  expect(stages.flatMap((stage) => stage.switches).filter((each) => each.failed > 0)).toEqual([])
  expect(traffic.failed).toBe(0)
  expect(ledger.ordersAcknowledged).toBeGreaterThan(500)
})
