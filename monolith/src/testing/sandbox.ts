import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const ROOT = join(import.meta.dirname, '../../..')

/** One line of the provider's ledger. */
export type LedgerEntry = {
  kind: 'charge' | 'decline' | 'refund' | 'void'
  key: string
  amountCents: number
  reference: string
}
export type Mail = { messageId: string; eventId: string; to: string[]; subject: string }

export type Sandbox = {
  /** What the monolith must be told of it. */
  env: Record<string, string>
  ledger(): Promise<LedgerEntry[]>
  /** Cents that the provider still holds, by charge key. */
  heldCents(): Promise<Map<string, number>>
  mails(): Promise<Mail[]>
  /** The next messages are refused for now. */
  refuseMails(count: number): Promise<void>
  /** Kills the provider; the way to have it back, at its old address and with its ledger as it is on the disk. */
  killProvider(): Promise<() => Promise<void>>
  close(): Promise<void>
}

/** Starts the payment provider and the SMTP sink as processes of their own, with an empty ledger and mailbox. */
export async function startSandbox(options: { lateMs?: number } = {}): Promise<Sandbox> {
  const folder = await mkdtemp(join(tmpdir(), 'banyan-sandbox-'))
  const key = 'test-provider-key'
  const startProvider = (port: string) =>
    start('payment-provider', {
      PORT: port,
      PAYMENT_PROVIDER_KEY: key,
      LEDGER_FILE: join(folder, 'ledger.jsonl'),
      LATE_MS: String(options.lateMs ?? 3_000),
    })
  const [first, sink] = await Promise.all([
    startProvider('0'),
    start('smtp-sink', { SMTP_PORT: '0', MAILBOX_FILE: join(folder, 'mailbox.jsonl') }),
  ])
  let provider = first
  const providerUrl = provider.ready.url
  const ledger = async (): Promise<LedgerEntry[]> => {
    const response = await fetch(`${providerUrl}/ledger`, { headers: { authorization: `Bearer ${key}` } })
    return ((await response.json()) as { entries: LedgerEntry[] }).entries
  }
  return {
    env: { PAYMENT_PROVIDER_URL: providerUrl, PAYMENT_PROVIDER_KEY: key, SMTP_URL: sink.ready.smtpUrl ?? '' },
    ledger,
    async heldCents() {
      const held = new Map<string, number>()
      for (const { kind, key, amountCents } of await ledger()) {
        if (kind === 'charge') held.set(key, (held.get(key) ?? 0) + amountCents)
        if (kind === 'refund') held.set(key, (held.get(key) ?? 0) - amountCents)
      }
      return held
    },
    mails: async () => ((await (await fetch(`${sink.ready.url}/messages`)).json()) as { messages: Mail[] }).messages,
    async refuseMails(refuse) {
      await fetch(`${sink.ready.url}/faults`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ refuse }),
      })
    },
    async killProvider() {
      const ended = once(provider.child, 'exit')
      provider.child.kill('SIGKILL')
      await ended
      return async () => {
        provider = await startProvider(new URL(providerUrl).port)
      }
    },
    async close() {
      await Promise.all([stop(provider.child), stop(sink.child)])
      await rm(folder, { recursive: true })
    },
  }
}

type Ready = { ready: string; url: string; smtpUrl?: string }

async function start(name: string, env: Record<string, string>): Promise<{ child: ChildProcess; ready: Ready }> {
  const child = spawn(process.execPath, [join(ROOT, 'compose/sandbox', name, 'main.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, PORT: '0', BANYAN_LIFELINE: 'stdin', ...env },
  })
  for await (const line of createInterface({ input: child.stdout! })) return { child, ready: JSON.parse(line) as Ready }
  throw new Error(`${name} ended before it was ready`)
}

async function stop(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.stdin?.end()
  await ended
}
