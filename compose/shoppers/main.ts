// The crowd as a process of its own, until it is stopped: RATE things a second at SHOP_URL, its journal in JOURNAL_FILE.
// Ends with a line about the traffic; exit code 0 if nothing failed.
import { whole } from '../sandbox/process.ts'
import { startCrowd } from './crowd.ts'

const { SHOP_URL = '', ADMIN_EMAIL: email = '', ADMIN_PASSWORD: password = '' } = process.env
const { JOURNAL_FILE: journalFile = '/journal/told.jsonl' } = process.env
const answer = await fetch(`${SHOP_URL}/api/products?size=100`)
if (!answer.ok) throw new Error(`${SHOP_URL} answered ${answer.status} when asked for its products`)
const { items } = (await answer.json()) as { items: { id: number }[] }

const crowd = await startCrowd({
  baseUrl: SHOP_URL,
  rate: whole('RATE', 20),
  journalFile,
  admin: { email, password },
  products: items.map(({ id }) => id),
})
console.log(`shoppers: at ${SHOP_URL}, among ${items.length} products`)
const timer = setInterval(() => console.log(`shoppers: ${JSON.stringify(crowd.measure.traffic())}`), 30_000)

let leaving = false
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, async () => {
    if (leaving) return
    leaving = true
    clearInterval(timer)
    await crowd.stop()
    const traffic = crowd.measure.traffic()
    console.log(`shoppers: ${JSON.stringify(traffic)}`)
    process.exit(traffic.failed === 0 ? 0 : 1)
  })
