import { expect, onTestFinished, test } from 'vitest'
import { openStackDoor } from './stack-door.ts'

test('a process is stopped for whoever has the token, by its name, and nothing else', async () => {
  const stopped: string[] = []
  const door = await openStackDoor(async (name) => name === 'a-process' && stopped.push(name) > 0)
  onTestFinished(() => door.close())
  const { STACK_URL: url, STACK_TOKEN: token } = door.env
  const ask = async (path: string, given = token, method = 'POST') => {
    const response = await fetch(`${url}${path}`, { method, headers: { authorization: `Bearer ${given}` } })
    return [response.status, await response.json()]
  }
  expect(await ask('/processes/a-process/stop', 'a guess')).toEqual([401, { code: 'no-token' }])
  expect(await ask('/processes/a-process/stop', token, 'GET')).toEqual([404, { code: 'not-running' }])
  expect(await ask('/processes/another/stop')).toEqual([404, { code: 'not-running' }])
  expect(await ask('/processes/../a-process')).toEqual([404, { code: 'not-running' }])
  expect(stopped).toEqual([])
  expect(await ask('/processes/a-process/stop')).toEqual([200, { name: 'a-process', stopped: true }])
  expect(stopped).toEqual(['a-process'])
})
