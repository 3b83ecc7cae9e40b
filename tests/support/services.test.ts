import { expect, test } from 'vitest'
import { servicesOf, startServices } from './services.ts'

test('each worker has servers of its own, and one for which there are none is told so', () => {
  const sets = [{ TEST_POSTGRES_URL: 'postgres://one' }, { TEST_POSTGRES_URL: 'postgres://two' }]
  expect(servicesOf(1, sets)).toBe(sets[0])
  expect(servicesOf(2, sets)).toBe(sets[1])
  expect(() => servicesOf(3, sets)).toThrow('worker 3 has no servers to itself: 2 sets')
})

test('a kind of servers that there is not is refused by the names of those that there are', async () => {
  await expect(startServices(1, 'kubernetes')).rejects.toThrow('TEST_INFRA=kubernetes: there are embedded, containers')
})
