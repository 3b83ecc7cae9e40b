/** Before the first integration test: the services of the environment if all are named, else an embedded stack. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const NAMES = [
  'TEST_POSTGRES_URL',
  'TEST_AMQP_URL',
  'TEST_RABBITMQ_API',
  'TEST_UNLEASH_URL',
  'TEST_UNLEASH_CLIENT_TOKEN',
  'TEST_UNLEASH_ADMIN_TOKEN',
]

/** @returns The function that ends what was started here; nothing when the environment named the services. */
export async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (NAMES.every((name) => process.env[name])) return undefined
  const infra = fileURLToPath(new URL('../../compose/embedded/infra.ts', import.meta.url))
  const child = spawn(process.execPath, [infra, '--management'], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const line = await firstLine(child.stdout, ended)
  // Absent where the databases cannot be copied: then each test migrates its own.
  const given = [...NAMES, 'TEST_MADE_DATABASES']
  for (const [name, value] of Object.entries(JSON.parse(line) as Record<string, string>))
    if (given.includes(`TEST_${name}`)) process.env[`TEST_${name}`] = value
  return async () => {
    child.stdin.end()
    await ended
  }
}

async function firstLine(stream: NodeJS.ReadableStream, ended: Promise<void>): Promise<string> {
  const read = (async () => {
    let text = ''
    for await (const part of stream) {
      text += part
      if (text.includes('\n')) return text.slice(0, text.indexOf('\n'))
    }
    throw new Error('the embedded services ended before they were up; their reason stands above')
  })()
  return await Promise.race([read, ended.then(() => read)])
}
