import type { Status } from './read-status.ts'

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
const ago = (ms: number) => (ms < 3_600_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`)
const count = (value: number) => value.toLocaleString('en-US')

/** A context's state for people, one fact a line. */
export function showStatus(status: Status): string {
  const { stored, intent, verification, parity } = status
  const facts: [string, string][] = [
    ['phase', stored.phase + (stored.step ? ` (${stored.step})` : '') + (stored.paused ? ', paused' : '')],
    ['owner', `${stored.owner}, term ${stored.term}`],
  ]
  if (status.copy) facts.push(['rows', describeCopy(status.copy)])
  if (status.lagMs !== null) facts.push(['lag', seconds(status.lagMs)])
  if (status.blocked) facts.push(['blocked', status.blocked])
  if (verification)
    facts.push([
      'verified',
      `${seconds(verification.agoMs)} ago: ${count(verification.rows)} rows, ${verification.different} different${verification.voidedBy ? `; void: ${verification.voidedBy}` : ''}`,
    ])
  if (parity)
    facts.push([
      'parity',
      `${ago(parity.agoMs)} ago: ${parity.verdict}, ${parity.monolithBuild} and ${parity.serviceBuild}`,
    ])
  for (const difference of verification?.differences.slice(0, 10) ?? []) facts.push(['', JSON.stringify(difference)])
  if (stored.hold) facts.push(['hold', 'requests that write wait'])
  if (stored.reads === 'owner') facts.push(['reads', 'all at the owner (kill switch)'])
  if (intent)
    facts.push([
      'intent',
      `${intent.verb} by ${intent.who} (${intent.source})${intent.waitsFor ? `, waits for ${intent.waitsFor}` : ''}`,
    ])
  const { last } = status
  if (last && (last.state === 'failed' || last.state === 'refused'))
    facts.push(['last', `${last.verb} ${last.state} ${ago(last.agoMs)} ago: ${last.because}`])
  const lapsed = status.subscribers.filter((one) => one.leaseMs <= 0)
  facts.push(['watched by', status.subscribers.map((one) => `${one.kind} ${one.id}`).join(', ') || 'nobody'])
  if (lapsed.length > 0) facts.push(['stale', lapsed.map((one) => one.id).join(', ')])
  facts.push(['mover', status.mover ? 'runs' : 'is not running: banyan run'])
  return [stored.context, ...facts.map(([name, value]) => `  ${name.padEnd(11)}${value}`)].join('\n')
}

/** One line for a command that follows an intent, and the share of the work that is done, where that is known. */
export function progressOf(
  status: Status,
  verb: string,
  waitsFor: string | null,
): { text: string; share: number | null } {
  const { copy, stored } = status
  const phase = stored.step ? `${stored.phase} (${stored.step})` : stored.phase
  if (verb === 'backfill' && copy && !('unknown' in copy))
    return {
      text: `${verb} ${stored.context}: ${describeCopy(copy)}`,
      share: copy.total > 0 ? copy.done / copy.total : null,
    }
  return { text: `${verb} ${stored.context}: ${phase}${waitsFor ? `, waits for ${waitsFor}` : ''}`, share: null }
}

function describeCopy(copy: NonNullable<Status['copy']>): string {
  if ('unknown' in copy) return `unknown: ${copy.unknown}`
  const share = copy.total > 0 ? Math.floor((copy.done / copy.total) * 100) : 100
  const eta = copy.finished
    ? 'all copied'
    : copy.etaSeconds === null
      ? 'time left unknown'
      : `about ${copy.etaSeconds} s left`
  const aside = copy.aside > 0 ? `, ${copy.aside} wait for a unique key` : ''
  const waits = copy.waitsFor ? `; stands still, waits for ${copy.waitsFor}` : ''
  return `${count(copy.done)} of ${count(copy.total)} (${share} %), ${count(copy.perSecond)}/s, ${eta}${aside}${waits}`
}
