import { expect, test } from 'vitest'
import { STAGES } from '../provision/services.ts'
import { runTour } from './testing/run-tour.ts'

const MINUTE_MS = 60_000

test('the whole playbook, at the rate the tour has by itself, fails nobody and loses nothing', async () => {
  const begun = performance.now()
  const { stages, traffic, ledger } = await runTour('--rate', '50')
  const tookMs = performance.now() - begun
  expect(stages.map((stage) => stage.name)).toEqual([...STAGES])
  expect(stages.flatMap((stage) => stage.switches).filter((each) => each.failed > 0)).toEqual([])
  const pauses = stages.flatMap((stage) => stage.switches.map(({ pauseMs }) => pauseMs)).sort((a, b) => a - b)
  expect(pauses[Math.floor(pauses.length / 2)]).toBeLessThanOrEqual(1_000)
  expect(pauses.at(-1)).toBeLessThanOrEqual(3_000)
  expect(traffic.failed).toBe(0)
  expect(ledger.ordersAcknowledged).toBeGreaterThan(500)
  expect(tookMs).toBeLessThan(12 * MINUTE_MS)
})
