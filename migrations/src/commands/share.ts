import { recordAudit } from '../control/audit.ts'
import type { Phase } from '../control/stored.ts'
import type { Setup } from '../setup.ts'
import { Refused } from './refused.ts'

/** @throws Refused for anything but a whole number from 0 to 100 */
export function shareOf(written: string): number {
  const percent = Number(written)
  if (!/^\d+$/.test(written) || percent > 100)
    throw new Refused(`the share to be a whole number from 0 to 100; it is "${written}"`)
  return percent
}

/** @throws Refused where no flags can be set */
export function flagsOf(setup: Setup) {
  const flags = setup.flagAdmin()
  if (!flags) throw new Refused('UNLEASH_URL and UNLEASH_ADMIN_TOKEN to be set: the share is a flag in Unleash')
  return flags
}

/** Sets a flag's share, with a line in the audit that says what it was before. */
export async function setShare(
  setup: Setup,
  change: { context: string; verb: 'shift' | 'shadow'; flag: string; percent: number; who: string; why: string | null },
): Promise<void> {
  const { context, verb, flag, percent, who, why } = change
  const flags = flagsOf(setup)
  const shares = { old: { [flag]: await flags.share(flag) }, new: { [flag]: percent } }
  await flags.setShare(flag, percent)
  await recordAudit(setup.control(), { who, what: verb, context, ...shares, why, result: 'done' })
}

/** Why a share would do nothing: until both sides are seen to be equal, and once the service owns them, proxies split no reads. */
export function waitsFor(context: string, phase: Phase, what: string): string {
  if (phase === 'completed') return `a move to ${what} in; ${context} is completed, and its service answers them all`
  if (phase === 'switched')
    return `a move that is not over; ${context} is switched, and its service answers its reads as their owner until banyan rollback`
  if (phase === 'following') return `${context} to be ready; it is following: banyan verify ${context}`
  return `${context} to be ready; it is ${phase}: banyan backfill, then verify`
}
