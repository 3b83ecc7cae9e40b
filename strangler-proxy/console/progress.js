/** How far a context's move is, in words and shapes. */
import { h } from './dom.js'
import { count, span } from './format.js'

const WAY = ['idle', 'prepared', 'copying', 'following', 'ready', 'switched', 'completed']
/** Between two stations. */
const BETWEEN = { switching: 'ready', aborting: 'ready' }

/** The stations of a move with the present one marked, and its name. */
export function track({ phase, step, paused }) {
  const at = phase === null ? -1 : WAY.indexOf(BETWEEN[phase] ?? phase)
  const dots = WAY.map((_, index) => h(`i${index < at ? '.past' : index === at ? '.here' : ''}`))
  const text = phase === null ? 'not on the move' : `${phase}${step ? ` (${step})` : ''}${paused ? ', paused' : ''}`
  return [h('span.track', { 'aria-hidden': 'true' }, ...dots), h('b', {}, text)]
}

/** The copy, with its time left; null where there is none under way. */
export function copyOf({ phase, copy }) {
  if (!copy || !['copying', 'following'].includes(phase)) return null
  if (copy.finished) return { kind: 'plain', text: `${count(copy.done)} rows copied` }
  const share = copy.total > 0 ? copy.done / copy.total : 1
  const left = copy.etaSeconds === null ? 'time left unknown' : `about ${span(copy.etaSeconds * 1000)} left`
  const waits = copy.waitsFor ? `; stands still, waits for ${copy.waitsFor}` : ''
  const text = `${count(copy.done)} of ${count(copy.total)} rows, ${Math.floor(share * 100)} %, ${left}${waits}`
  return { kind: copy.waitsFor ? 'warn' : 'plain', text, bar: share }
}

export function lagOf({ lagMs, phase }) {
  if (lagMs === null || lagMs === undefined || ['prepared', 'idle', 'completed'].includes(phase)) return null
  return { kind: lagMs > 1_000 ? 'warn' : 'plain', text: `lag ${span(Math.round(lagMs / 100) * 100)}` }
}

/** By protocol a verification counts for a quarter of an hour. */
const FRESH_MS = 15 * 60_000

export function verifiedOf({ verification, phase }) {
  if (!verification) return ['following', 'ready'].includes(phase) ? { kind: 'plain', text: 'not verified yet' } : null
  const { rows, different, voidedBy, agoMs } = verification
  const ago = span(agoMs < 60_000 ? Math.floor(agoMs / 10_000) * 10_000 : agoMs)
  if (different > 0) return { kind: 'bad', text: `${count(different)} of ${count(rows)} rows differ, ${ago} ago` }
  if (voidedBy) return { kind: 'warn', text: `verification void: ${voidedBy}` }
  const stale = agoMs > FRESH_MS && phase === 'ready'
  return { kind: stale ? 'warn' : 'ok', text: `${count(rows)} rows verified ${ago} ago` }
}
