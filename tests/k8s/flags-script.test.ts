/** The script that a context's Job runs makes the same flags as the embedded stack. */
import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { provisionFlags } from '../../compose/provision/flags.ts'

const run = promisify(execFile)
const SCRIPT = join(import.meta.dirname, '../../k8s/base/setup-scripts/flags.mjs')

test('flags.mjs sends Unleash what the embedded stack sends', async () => {
  const seen: string[] = []
  const server = createServer(async (req, res) => {
    let body = ''
    for await (const part of req) body += part
    seen.push(`${req.method} ${req.url} ${req.headers.authorization} ${body}`)
    // Of the three flags one is there already.
    res.writeHead(body.includes('goods-shadow') && req.url?.endsWith('/features') ? 409 : 200).end('{}')
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`
  try {
    await provisionFlags({ url, adminToken: 'token' }, 'goods')
    const stack = seen.splice(0)
    await run(process.execPath, [SCRIPT, 'goods'], {
      env: { PATH: process.env.PATH, UNLEASH_URL: url, UNLEASH_ADMIN_TOKEN: 'token' },
    })
    expect(seen).toEqual(stack)
    expect(seen.length).toBe(6)
  } finally {
    await new Promise((done) => server.close(done))
  }
})
