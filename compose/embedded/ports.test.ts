import { execFileSync } from 'node:child_process'
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

test('no two processes are given the same port while both live, though nothing listens there yet', async () => {
  const module = new URL('ports.ts', import.meta.url).href
  const wish = `const { freePorts } = await import('${module}'); Math.random = () => 0.123456
    console.log(await freePorts(1).then(([port]) => port, () => 'none'))`
  const ask = () => execFileSync(process.execPath, ['--input-type=module', '-e', wish], { encoding: 'utf8' }).trim()
  const port = ask()
  expect(Number(port)).toBeGreaterThan(0)
  expect(ask()).toBe(port)
  const random = Math.random
  Math.random = () => 0.123456
  try {
    expect(await freePorts(1)).toEqual([Number(port)])
  } finally {
    Math.random = random
  }
  expect(ask()).toBe('none')
})
