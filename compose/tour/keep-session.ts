/**
 * A customer who is signed in while a command runs:  node compose/run.mjs compose/tour/keep-session.ts COMMAND [ARGUMENT ...]
 * Signs in through $SHOP_URL, runs the command, and shows that the session outlives it: the access token is still good,
 * the refresh token is good once and not twice. Exit code 0 if so, and if the command had it.
 */
import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'

const shop = process.env.SHOP_URL ?? ''
const customer = { email: `session-${randomUUID().slice(0, 8)}@shopper.example`, password: 'a customer who stays' }
expect('an account', 201, await call('POST', '/api/users', { ...customer, name: 'Session' }))
const session = expect('signing in', 201, await call('POST', '/api/sessions', customer))
const { refreshToken } = session

const [command = '', ...args] = process.argv.slice(2)
const done = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] })
if (done.status !== 0) process.exit(done.status ?? 1)

const me = expect(
  'the access token from before',
  200,
  await call('GET', '/api/users/me', undefined, session.accessToken),
)
const renewed = expect(
  'the refresh token from before',
  201,
  await call('POST', '/api/sessions/refresh', { refreshToken }),
)
expect('the same refresh token again', 401, await call('POST', '/api/sessions/refresh', { refreshToken }))
console.log(`account ${me.id} stayed signed in; a refresh token works once, before and after`)
if (renewed.user.id !== session.user.id) process.exit(1)

type Called = { status: number; text: string }

async function call(method: string, path: string, body?: object, token?: string): Promise<Called> {
  const response = await fetch(`${shop}${path}`, {
    method,
    headers: {
      ...(body ? { 'content-type': 'application/json' } : {}),
      ...(token ? { authorization: `Bearer ${token}` } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
  return { status: response.status, text: await response.text() }
}

// biome-ignore lint/suspicious/noExplicitAny: the answers are the shop's own, and a wrong one ends this script.
function expect(what: string, wanted: number, { status, text }: Called): any {
  if (status === wanted) return JSON.parse(text)
  console.error(`${what}: ${status} instead of ${wanted}: ${text.slice(0, 300)}`)
  process.exit(1)
}
