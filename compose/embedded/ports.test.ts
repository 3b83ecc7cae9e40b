import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { freePorts, portOr } from './ports.ts'

test('free ports differ, and lie below those that outgoing connections take for themselves', async () => {
  const ports = await freePorts(20)
  expect(new Set(ports).size).toBe(20)
  for (const port of ports) expect(port).toBeLessThan(32_768)
})

test('a wished-for port that is taken is replaced by a free one', async () => {
  const server = createServer()
  const [wished = 0] = await freePorts(1)
  await new Promise<void>((resolve) => server.listen(wished, '127.0.0.1', resolve))
  expect(await portOr(wished)).not.toBe(wished)
  await new Promise((resolve) => server.close(resolve))
  expect(await portOr(wished)).toBe(wished)
})
