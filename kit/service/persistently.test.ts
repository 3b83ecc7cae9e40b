import { expect, it } from 'vitest'
import { persistently } from './persistently.ts'

it('tries again after each failure, until it is told to stop, and throws the last one', async () => {
  const asked: unknown[] = []
  let tries = 0
  const work = async () => {
    tries++
    if (tries < 3) throw `failure ${tries}`
    return 'noted'
  }
  const pauseAfter = (error: unknown, attempt: number) => {
    asked.push([error, attempt])
    return 1
  }
  expect(await persistently(work, pauseAfter)).toBe('noted')
  expect(asked).toEqual([
    ['failure 1', 1],
    ['failure 2', 2],
  ])
  tries = 0
  await expect(persistently(work, (_error, attempt) => (attempt < 2 ? 1 : null))).rejects.toBe('failure 2')
})
