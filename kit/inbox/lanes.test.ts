import { expect, test } from 'vitest'
import { createLanes, createPlaces } from './lanes.ts'

const turn = () => new Promise(setImmediate)

test('a lane works in order, lanes side by side', async () => {
  const lanes = createLanes()
  const log: string[] = []
  const work = (name: string) => async () => {
    log.push(`${name} begins`)
    await turn()
    log.push(`${name} ends`)
  }
  await Promise.all([lanes.run('a', work('a1')), lanes.run('a', work('a2')), lanes.run('b', work('b1'))])
  expect(log.indexOf('a1 ends')).toBeLessThan(log.indexOf('a2 begins'))
  expect(log.indexOf('b1 begins')).toBeLessThan(log.indexOf('a1 ends'))
})

test('what comes while the second works waits for it, though the first has ended', async () => {
  const lanes = createLanes()
  const ended: string[] = []
  const second = Promise.withResolvers<void>()
  const first = lanes.run('a', turn).then(() => ended.push('first'))
  const slow = lanes.run('a', () => second.promise).then(() => ended.push('second'))
  await first
  await turn()
  const third = lanes.run('a', turn).then(() => ended.push('third'))
  await turn()
  await turn()
  second.resolve()
  await Promise.all([slow, third])
  expect(ended).toEqual(['first', 'second', 'third'])
})

test('a failure stays with the one who gave the work', async () => {
  const lanes = createLanes()
  const failing = lanes.run('a', () => Promise.reject(new Error('no')))
  const next = lanes.run('a', () => Promise.resolve('done'))
  await expect(failing).rejects.toThrow('no')
  expect(await next).toBe('done')
})

test('no more work at a time than there are places', async () => {
  const places = createPlaces(2)
  let now = 0
  let most = 0
  const work = async () => {
    most = Math.max(most, ++now)
    await turn()
    now--
  }
  await Promise.all(Array.from({ length: 6 }, () => places.share(work)))
  expect(most).toBe(2)
})

test('alone means nothing beside it, and nobody passes one who waits for that', async () => {
  const places = createPlaces(3)
  const log: string[] = []
  let now = 0
  const work = (name: string) => async () => {
    log.push(`${name} beside ${now}`)
    now++
    await turn()
    now--
  }
  await Promise.all([places.share(work('a')), places.alone(work('x')), places.share(work('b'))])
  expect(log).toEqual(['a beside 0', 'x beside 0', 'b beside 0'])
})
