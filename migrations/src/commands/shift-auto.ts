import { setTimeout as sleep } from 'node:timers/promises'
import { recordAudit } from '../control/audit.ts'
import { readContext } from '../control/contexts.ts'
import { inTransaction } from '../control/transaction.ts'
import { noteWatch, type WatchedSide } from '../control/watches.ts'
import { climb, type Ended, lineOf, type Progress } from '../guard/climb.ts'
import { quantile, type Reads, total } from '../guard/decide.ts'
import { readsIn } from '../guard/reads.ts'
import { createProxies } from '../proxies/ask-proxies.ts'
import type { Setup } from '../setup.ts'
import { knownContext } from './ask.ts'
import { CalledBack } from './called-back.ts'
import type { Output } from './output.ts'
import { Refused } from './refused.ts'
import { flagsOf, setShare, shareOf, waitsFor } from './share.ts'
import { wholeNumber } from './whole-number.ts'

type Asked = {
  context: string
  shares: string
  interval: string
  samples: string
  killSwitch?: boolean
  dryRun?: boolean
  why?: string
  who: string
}

/**
 * Raises the share of a context's reads under the watch of the guard, which holds what the proxies measure of the
 * service against the monolith over the same time.
 * @throws CalledBack when reads went back; Refused before anything was done
 */
export async function shiftAuto(setup: Setup, out: Output, asked: Asked): Promise<void> {
  const { context, who } = asked
  const shares = sharesOf(asked.shares)
  const intervalMs = wholeNumber('--interval', asked.interval, 1) * 1_000
  const samples = wholeNumber('--samples', asked.samples, 1)
  await setup.plan(context)
  const { phase, reads } = await knownContext(setup, context)
  if (phase !== 'ready') throw new Refused(waitsFor(context, phase, 'shift reads'))
  if (reads === 'owner')
    throw new Refused(`the kill switch to be released: with it no read goes to the service; ${letGo(context)}`)
  const flag = `${context}-reads`
  const flags = flagsOf(setup)
  const proxies = createProxies(setup.config)
  if (asked.dryRun) {
    const steps = shares.flatMap((share) => flags.describe(flag, share))
    return out.result({ context, verb: 'shift', auto: shares, dryRun: true, steps }, steps.join('\n'))
  }
  const history: object[] = []
  // A share whose setting failed may have been taken all the same.
  let wanted = 0
  // Nobody's watch ends, or waits, because the console cannot be told of it.
  let told: Promise<unknown> = Promise.resolve()
  const ended = await climb({
    ...{ shares, intervalMs, samples, sleep },
    async read() {
      const said = await proxies.metrics()
      return new Map([...said].map(([proxy, metrics]) => [proxy, readsIn(metrics, context)]))
    },
    async setShare(percent) {
      wanted = percent
      const why = asked.why ? `climbs to ${shares.at(-1)} %: ${asked.why}` : `climbs to ${shares.at(-1)} %`
      await setShare(setup, { context, verb: 'shift', flag, percent, who, why })
    },
    stillOurs: (percent) => stillOurs(setup, context, flag, [percent, wanted]),
    say(progress) {
      history.push(jsonOf(progress))
      out.progress(`shift ${context}: ${lineOf(progress)}`, progress.share / 100)
      told = told.then(() => tried(noteWatch(setup.control(), watchOf(context, who, progress))))
    },
  }).finally(() => out.endProgress())
  if (ended.kind === 'back') {
    const { because, share: from } = ended
    const { killed, noted } = await callBack(setup, asked, flag, ended)
    await told
    const notes = [
      `shift ${context}: called back from ${from} %: ${because}`,
      ...(killed ? [`the kill switch is on; ${letGo(context)}`] : []),
      ...(noted ? [] : ['the audit could not be written']),
    ]
    throw new CalledBack(notes.join('; '), { context, verb: 'shift', flag, percent: 0, from, because, killed, history })
  }
  await told
  out.result(
    { context, verb: 'shift', flag, percent: ended.share, history },
    `shift ${context}: ${flag} is at ${ended.share} %, watched and no worse; nobody watches any more`,
  )
}

function sharesOf(written: string): number[] {
  const shares = written.split(',').map((one) => shareOf(one.trim()))
  const rising = shares.every((share, at) => share > (shares[at - 1] ?? 0))
  if (!rising) throw new Refused(`--auto to be rising shares above 0, such as 1,5,25,50,100; it is "${written}"`)
  if (shares[0] === 100)
    throw new Refused('--auto to begin below 100: there the monolith has no reads to be held against')
  return shares
}

/** Whoever sets the flag, throws the kill switch or switches meanwhile has decided otherwise: the climb is over. */
async function stillOurs(setup: Setup, context: string, flag: string, ours: readonly number[]): Promise<string | null> {
  const asked = Promise.all([readContext(setup.control(), context), flagsOf(setup).share(flag)])
  const seen = await asked.catch((error: Error) => error)
  if (seen instanceof Error) return `whether it is still ours cannot be known: ${seen.message}`
  const [stored, now] = seen
  const over = (what: string) =>
    new Error(`shift ${context}: ${what} while it climbed; the climb is over, and changed nothing more`)
  if (stored?.phase === 'switched' || stored?.phase === 'completed') throw over(`${context} was switched`)
  if (stored?.reads === 'owner') throw over('the kill switch was thrown')
  if (now === null || !ours.includes(now))
    throw over(`${flag} was set to ${now === null ? 'something else' : `${now} %`}`)
  return null
}

/**
 * Sends the reads back: the flag to 0, and by the kill switch at once where that is wanted, or where Unleash does not
 * take the flag. Neither waits for the other, nor for the audit.
 * @returns whether the kill switch is on, and whether the audit says so
 * @throws Error when neither could be done
 */
async function callBack(
  setup: Setup,
  { context, killSwitch, who }: Asked,
  flag: string,
  { share, because }: Ended & { kind: 'back' },
): Promise<{ killed: boolean; noted: boolean }> {
  const back = { who: `${who} (guard)`, context, why: because, result: 'called back' }
  const kill = () =>
    inTransaction(setup.control(), async (client) => {
      await client.query(`update banyan.contexts set reads = 'owner' where context = $1`, [context])
      await recordAudit(client, { ...back, what: 'reads', old: { reads: 'flag' }, new: { reads: 'owner' } })
    })
  const [flagged, early] = await Promise.all([
    tried(flagsOf(setup).setShare(flag, 0)),
    killSwitch ? tried(kill()) : null,
  ])
  const late = flagged !== null && !killSwitch ? await tried(kill()) : null
  const killed = killSwitch ? early === null : flagged !== null && late === null
  if (flagged !== null && !killed)
    throw new Error(
      `shift ${context}: it must go back from ${share} %, ${because}, and cannot: ${flagged.message}; ${(early ?? late)?.message}`,
    )
  const result = flagged ? `Unleash did not take it: ${flagged.message}` : back.result
  const line = { ...back, what: 'shift', old: { [flag]: share }, new: { [flag]: 0 }, result }
  return { killed, noted: (await tried(recordAudit(setup.control(), line))) === null }
}

const letGo = (context: string) =>
  `POST /contexts/${context}/reads {"reads":"flag"} at the operators' listener lets the flag count again`

async function tried(work: Promise<unknown>): Promise<Error | null> {
  return await work.then(
    () => null,
    (error: Error) => error,
  )
}

function watchOf(context: string, who: string, { share, decision, window }: Progress) {
  const because = 'because' in decision ? decision.because : null
  const sides = { monolith: watchedSide(window.monolith), service: watchedSide(window.service) }
  return { context, who, share, decision: decision.kind, because, sides }
}

function watchedSide(reads: Reads): WatchedSide {
  const p99 = quantile(reads, 0.99)
  const p99Ms = p99 === null || !Number.isFinite(p99) ? null : Math.round(p99 * 1_000)
  return { reads: total(reads), failed: reads.failed, p99Ms }
}

function jsonOf({ share, intervals, decision, window }: Progress): object {
  const { monolith, service } = window
  const side = ({ answered, failed }: typeof monolith) => ({ answered, failed })
  return { share, intervals, ...decision, service: side(service), monolith: side(monolith) }
}
