/** The tour's shoppers at the door of a project, and the ledger of what they were told, over HTTP and SQL. */
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { becomesTrue } from '../../compose/embedded/wait.ts'
import type { Finding, Ledger } from '../../compose/ledger/compare.ts'
import { type Places, readStock } from '../../compose/ledger/held.ts'
import { settledLedger } from '../../compose/ledger/settle.ts'
import { inDatabase } from '../../compose/provision/database.ts'
import { STAGES, type Stage, servicesOf } from '../../compose/provision/services.ts'
import { type Crowd, startCrowd } from '../../compose/shoppers/crowd.ts'
import { docker, type Shop } from './compose.ts'

export type Shoppers = {
  /** Lets them in. */
  letIn(): Promise<void>
  /** Lets no more in, and resolves when each has ended what he was about. */
  letOut(): Promise<void>
  /** Resolves when those who are in have had so many more answers. */
  goOn(answers?: number): Promise<void>
  /** Everything that failed for anybody so far, each as a line. */
  failures(): string[]
  /** For when all are out. @param stage the one that is up */
  ledger(stage: string): Promise<{ ledger: Ledger; findings: Finding[] }>
  close(): Promise<void>
}

/** What the profile `load` asks for unless told. */
const RATE = 20
/** How long sagas, shipments and e-mails may take to end after the last shopper. */
const SETTLE_MS = 90_000
const ANSWERS_WITHIN_MS = 60_000

/** @param stage the one that is up, where nobody has shopped yet */
export async function openShoppers(shop: Shop, stage: string): Promise<Shoppers> {
  const folder = await mkdtemp(join(tmpdir(), 'banyan-told-'))
  const journalFile = join(folder, 'told.jsonl')
  const initial = await readStock(await placesOf(shop, stage))
  const { ADMIN_EMAIL: email = '', ADMIN_PASSWORD: password = '' } = secrets('shoppers')
  const crowds: Crowd[] = []
  let inside: Crowd | undefined
  const answered = () => crowds.reduce((sum, { measure }) => sum + measure.traffic().requests, 0)
  const letOut = async () => {
    const leaving = inside
    inside = undefined
    await leaving?.stop()
  }
  return {
    async letIn() {
      const products = [...initial.keys()]
      inside = await startCrowd({ baseUrl: shop.url, rate: RATE, journalFile, admin: { email, password }, products })
      crowds.push(inside)
    },
    letOut,
    async goOn(answers = 50) {
      const wanted = answered() + answers
      await becomesTrue(`${answers} answers to shoppers`, async () => answered() >= wanted, ANSWERS_WITHIN_MS)
    },
    failures: () =>
      crowds
        .flatMap(({ measure }) => measure.failures())
        .map(({ startedAt, action, status = 'no answer', code = '', ms }) =>
          [new Date(startedAt).toISOString(), action, status, code, `after ${Math.round(ms)} ms`].join(' '),
        ),
    ledger: async (last) => await settledLedger(journalFile, initial, await placesOf(shop, last), SETTLE_MS),
    async close() {
      await letOut()
      console.log(`shoppers: ${JSON.stringify(crowds.map(({ measure }) => measure.traffic()))}`)
      await rm(folder, { recursive: true })
    },
  }
}

/** By the containers' addresses, which on Linux the machine reaches although they are on a network of their own. */
async function placesOf(shop: Shop, stage: string): Promise<Places> {
  const at = async (service: string) => {
    const [container = ''] = (await shop.container(stage, service)).split('\n')
    return await docker('inspect', '--format', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', container)
  }
  const [server, provider, mailbox] = [await at('postgres'), await at('payment-provider'), await at('smtp-sink')]
  const superuser = new URL(secrets('databases').DATABASE_URL ?? '')
  superuser.hostname = server
  const number = (STAGES as readonly string[]).indexOf(stage) as Stage
  return {
    shopUrl: inDatabase(superuser.href, 'shop'),
    serviceUrls: Object.fromEntries(
      servicesOf(number).map(({ context, database }) => [context, inDatabase(superuser.href, database)]),
    ),
    paymentsUrl: `http://${provider}:4001`,
    paymentsKey: secrets('payment-provider').PAYMENT_PROVIDER_KEY ?? '',
    mailUrl: `http://${mailbox}:4002`,
  }
}

/** What one of the containers is given. */
function secrets(container: string): NodeJS.Dict<string> {
  return parseEnv(readFileSync(new URL(`../../.banyan/compose/${container}.env`, import.meta.url), 'utf8'))
}
