import { expect, test } from 'vitest'
import { directionOf, heldBy, pauseOf } from './switches.ts'

const shown = JSON.stringify({ hold: { released: 7, expired: 2 }, contexts: [{ context: 'goods' }] })

test('held is who was let go, who was held in vain, and who was sent again because a fenced side refused', () => {
  expect(heldBy(shown, 'proxy_resends_total{why="connection"} 40\nproxy_resends_total{why="refused"} 3\n')).toBe(12)
  expect(heldBy(shown, '')).toBe(9)
})

test('a pause is the slowest that may have been held, unless nobody was; whoever failed may have been', () => {
  expect(pauseOf({ held: 1, failed: 0, slowestHeldMs: 900 })).toBe(900)
  expect(pauseOf({ held: 0, failed: 1, slowestHeldMs: 900 })).toBe(900)
  expect(pauseOf({ held: 0, failed: 0, slowestHeldMs: 900 })).toBe(0)
})

test('only a command that moves a context is measured', () => {
  expect(directionOf('npm run -s banyan -- switch goods')).toBe('to-service')
  expect(directionOf('npm run -s banyan -- rollback goods')).toBe('to-monolith')
  expect(directionOf('npm run -s banyan -- switch goods --dry-run')).toBeUndefined()
  expect(directionOf('node compose/tour/refused.ts why npm run -s banyan -- switch goods')).toBeUndefined()
})
