import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const MAIN = join(import.meta.dirname, '../../compose/sandbox/payment-provider/main.ts')
const KEY = 'contract-provider-key'

/** Starts the sandbox that takes the money; `env` is what a shop must be told of it. */
export async function startPaymentProvider(): Promise<{ env: Record<string, string>; close(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'banyan-contract-'))
  const child = spawn(process.execPath, [MAIN], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      PORT: '0',
      BANYAN_LIFELINE: 'stdin',
      PAYMENT_PROVIDER_KEY: KEY,
      LEDGER_FILE: join(folder, 'ledger.jsonl'),
      LATE_MS: '6000',
    },
  })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  for await (const line of createInterface({ input: child.stdout })) {
    const { url } = JSON.parse(line) as { url: string }
    return {
      env: { PAYMENT_PROVIDER_URL: url, PAYMENT_PROVIDER_KEY: KEY },
      async close() {
        child.stdin.end()
        await ended
        await rm(folder, { recursive: true })
      },
    }
  }
  throw new Error('the payment provider ended before it was ready')
}
