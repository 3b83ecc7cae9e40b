import { setTimeout as sleep } from 'node:timers/promises'
import { recordAudit } from '../control/audit.ts'
import { inTransaction } from '../control/transaction.ts'
import { climb, type Ended, lineOf, type Progress } from '../guard/climb.ts'
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
  const { phase } = await knownContext(setup, context)
  if (phase === 'switched')
    throw new Refused(
      `a move that is not over; ${context} is switched, and its service answers its reads as their owner`,
    )
  if (phase !== 'ready') throw new Refused(waitsFor(context, phase, 'shift reads'))
  const flag = `${context}-reads`
  const flags = flagsOf(setup)
  const proxies = createProxies(setup.config)
  if (asked.dryRun) {
    const steps = shares.flatMap((share) => flags.describe(flag, share))
    return out.result({ context, verb: 'shift', auto: shares, dryRun: true, steps }, steps.join('\n'))
  }
  const history: object[] = []
  const ended = await climb({
    ...{ shares, intervalMs, samples, sleep },
    async read() {
      const said = await proxies.metrics()
      return new Map([...said].map(([proxy, metrics]) => [proxy, readsIn(metrics, context)]))
    },
    async setShare(percent) {
      const why = asked.why ? `climbs to ${shares.at(-1)} %: ${asked.why}` : `climbs to ${shares.at(-1)} %`
      await setShare(setup, { context, verb: 'shift', flag, percent, who, why })
    },
    stillOurs: (percent) => stillOurs(setup, context, flag, percent),
    say(progress) {
      history.push(jsonOf(progress))
      out.progress(`shift ${context}: ${lineOf(progress)}`, progress.share / 100)
    },
  }).finally(() => out.endProgress())
  if (ended.kind === 'back') {
    const killed = await callBack(setup, asked, flag, ended)
    throw new CalledBack(
      `shift ${context}: called back from ${ended.share} %: ${ended.because}${killed ? `; the kill switch is on: POST /contexts/${context}/reads {"reads":"flag"} at the operators' listener lets the flag count again` : ''}`,
      { context, verb: 'shift', flag, percent: 0, from: ended.share, because: ended.because, killed, history },
    )
  }
  out.result(
    { context, verb: 'shift', flag, percent: ended.share, history },
    `shift ${context}: ${flag} is at ${ended.share} %, watched and no worse; nobody watches any more`,
  )
}

function sharesOf(written: string): number[] {
  const shares = written.split(',').map((one) => shareOf(one.trim()))
  const rising = shares.every((share, at) => share > (shares[at - 1] ?? 0))
  if (!rising) throw new Refused(`--auto to be rising shares above 0, such as 1,5,25,50,100; it is "${written}"`)
  return shares
}

/** Whoever sets the flag, throws the kill switch or switches meanwhile has decided otherwise: the climb is over. */
async function stillOurs(setup: Setup, context: string, flag: string, percent: number): Promise<void> {
  const { phase, reads } = await knownContext(setup, context)
  const over = (what: string) =>
    new Error(`shift ${context}: ${what} while it climbed; the climb is over, and changed nothing more`)
  if (phase === 'switched' || phase === 'completed') throw over(`${context} was switched`)
  if (reads === 'owner') throw over('the kill switch was thrown')
  const now = await flagsOf(setup).share(flag)
  if (now !== percent) throw over(`${flag} was set to ${now === null ? 'something else' : `${now} %`}`)
}

/**
 * Sends the reads back: the flag to 0, and by the kill switch first where that is wanted, or where Unleash does not
 * take the flag. Says whether the kill switch is on.
 */
async function callBack(
  setup: Setup,
  { context, killSwitch, who }: Asked,
  flag: string,
  { share, because }: Ended & { kind: 'back' },
): Promise<boolean> {
  const back = { who: `${who} (guard)`, context, why: because, result: 'called back' }
  const kill = () =>
    inTransaction(setup.control(), async (client) => {
      await client.query(`update banyan.contexts set reads = 'owner' where context = $1`, [context])
      await recordAudit(client, { ...back, what: 'reads', old: { reads: 'flag' }, new: { reads: 'owner' } })
    })
  if (killSwitch) await kill()
  const failed = await flagsOf(setup)
    .setShare(flag, 0)
    .then(
      () => null,
      (error: Error) => error,
    )
  if (failed && !killSwitch) await kill()
  const result = failed ? `Unleash did not take it: ${failed.message}` : back.result
  await recordAudit(setup.control(), { ...back, what: 'shift', old: { [flag]: share }, new: { [flag]: 0 }, result })
  return killSwitch === true || failed !== null
}

function jsonOf({ share, intervals, decision, window }: Progress): object {
  const { monolith, service } = window
  const side = ({ answered, failed }: typeof monolith) => ({ answered, failed })
  return { share, intervals, ...decision, service: side(service), monolith: side(monolith) }
}
