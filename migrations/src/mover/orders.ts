import type { Phase, Stored, Verb } from '../control/stored.ts'

const ALLOWED: Readonly<Record<Verb, readonly Phase[]>> = {
  prepare: ['idle'],
  unprepare: ['prepared', 'copying', 'following', 'ready'],
  backfill: ['prepared'],
  pause: ['copying'],
  resume: ['copying'],
  verify: ['following', 'ready', 'switched'],
  repair: ['following', 'ready', 'switched'],
  switch: ['ready'],
  rollback: ['switched'],
  complete: ['switched'],
}

const NEXT: Readonly<Record<Phase, string>> = {
  idle: 'banyan prepare',
  prepared: 'banyan backfill',
  copying: 'the copy to end (banyan status shows how far it is)',
  following: 'banyan verify',
  ready: 'banyan switch',
  switching: 'the switch under way to end, or banyan abort',
  aborting: 'the abort under way to end',
  switched: 'banyan rollback, or banyan complete after a quiet time',
  completed: 'nothing: this context has moved for good',
}

/** Says what a verb waits for in this state, or null when its turn has come. Pure: the CLI asks it before it writes. */
export function outOfOrder(verb: Verb, stored: Pick<Stored, 'phase' | 'paused' | 'step' | 'context'>): string | null {
  const { phase, paused, step, context } = stored
  if (!ALLOWED[verb].includes(phase))
    return `${verb} needs ${context} to be ${ALLOWED[verb].join(' or ')}; it is ${phase}, and next comes ${NEXT[phase]}`
  if (step !== null && step !== 'preparing') return `${verb} waits for the step "${step}" of ${context} to end`
  if (verb === 'pause' && paused) return `${context} is paused already; banyan resume goes on`
  if (verb === 'resume' && !paused) return `${context} is not paused`
  return null
}
