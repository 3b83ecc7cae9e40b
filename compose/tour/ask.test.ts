import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'

const ASK = fileURLToPath(new URL('ask.ts', import.meta.url))

async function ask(...args: string[]): Promise<{ output: string }> {
  const server = createServer((req, res) => res.end(JSON.stringify({ sent: req.headers.authorization })))
  onTestFinished(() => void server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const env = { PATH: process.env.PATH, A_TOKEN: '-hush' }
  const { stdout } = await promisify(execFile)(process.execPath, [ASK, url, '--show', 'sent', ...args], { env })
  return { output: stdout.trim() }
}

test('a token is sent from the variable that is named', async () => {
  expect(await ask('--bearer-env', 'A_TOKEN')).toEqual({ output: 'Bearer -hush' })
})

test('a variable that is not set is refused by its name', async () => {
  await expect(ask('--bearer-env', 'NO_TOKEN')).rejects.toThrow('NO_TOKEN is not set')
})

test('no page has a shell put a token into the arguments of a program, which everyone on the machine can read', () => {
  for (const page of ['playbook', 'parity', 'adopt']) {
    const text = readFileSync(new URL(`../../docs/${page}.md`, import.meta.url), 'utf8')
    expect([page, text.split('\n').filter((line) => /\$\{?\w*(TOKEN|PASSWORD|SECRET)/.test(line))]).toEqual([page, []])
  }
})
