/**
 * What an operator should know of a context now: what is asked for and what it waits for, what was refused, what the guard
 * of its reads says, what is wrong.
 */
import { act } from './api.js'
import { askWhy } from './dialog.js'
import { fill, h } from './dom.js'
import { count, milliseconds, span } from './format.js'

/** How long a refusal stays in sight. */
const RECENT_MS = 10 * 60_000

export function notes(element, state, context, mayAct) {
  const all = [...asked(state, context), ...ended(context), ...watched(context), ...wrong(context)]
  fill(element, all, () => all.map((note) => draw(note, context, mayAct)))
}

function draw({ kind, text, detail, callOff }, context, mayAct) {
  const button =
    callOff && mayAct ? h('button.quiet.small', { onclick: () => askToCallOff(context) }, 'Call off…') : null
  return h(`p.note.${kind}`, {}, h('b', {}, text), detail ? ` ${detail}` : '', button)
}

/** In minutes, so that a note stands still while it is read. */
const ago = (ms) => (ms < 60_000 ? 'just now' : `${span(ms)} ago`)

function asked({ control }, { intent }) {
  if (!intent) return []
  const by = `${intent.verb}, asked for by ${intent.who}${intent.source === 'flag' ? ' (flag)' : ''}`
  const waits = intent.waitsFor
    ? `waits for ${intent.waitsFor}`
    : intent.state === 'running'
      ? 'is under way'
      : control.mover
        ? 'waits for its turn'
        : 'waits for a mover: none is running'
  const callOff = intent.verb === 'switch' || intent.verb === 'rollback'
  return [{ kind: 'wait', text: by, detail: waits, callOff }]
}

function ended({ last }) {
  if (!last || !['refused', 'failed'].includes(last.state) || last.agoMs > RECENT_MS) return []
  const detail = `${ago(last.agoMs)}; ${last.state === 'refused' ? 'it waits for ' : ''}${last.because ?? 'no reason noted'}`
  return [{ kind: 'bad', text: `${last.verb} ${last.state}`, detail }]
}

const GUARD = {
  continue: { kind: 'wait', text: 'no worse so far' },
  promote: { kind: 'wait', text: 'no worse' },
  pause: { kind: 'warn', text: 'goes no further' },
  back: { kind: 'bad', text: 'sent the reads back' },
}

/** What the guard of a climb says of the service beside the monolith. */
function watched({ watch }) {
  if (!watch || watch.agoMs > RECENT_MS) return []
  const { kind, text } = GUARD[watch.decision]
  const { service, monolith } = watch.sides
  const figures = `service ${readsOf(service)}; monolith ${readsOf(monolith)}; ${ago(watch.agoMs)}`
  return [
    { kind, text: `guard at ${watch.share} %: ${text}`, detail: [watch.because, figures].filter(Boolean).join('; ') },
  ]
}

function readsOf({ reads, failed, p99Ms }) {
  const share = reads === 0 ? '' : `, ${((100 * failed) / reads).toFixed(1)} % failed`
  return `${count(reads)} reads${share}${p99Ms === null ? '' : `, p99 ≤ ${milliseconds(p99Ms)}`}`
}

function wrong({ blocked, phase, owner, writesFlag, context, subscribers }) {
  const found = []
  if (blocked) found.push({ kind: 'bad', text: 'a change is blocked', detail: blocked })
  if (subscribers?.lapsed > 0)
    found.push({
      kind: 'warn',
      text: 'a proxy or worker has let its lease end',
      detail: `${subscribers.lapsed} of them`,
    })
  const said = writesFlag === 100 ? 'service' : writesFlag === 0 ? 'monolith' : null
  if (phase !== null && phase !== 'completed' && phase !== 'switching' && said !== null && said !== owner)
    found.push({
      kind: 'warn',
      text: `the flag ${context}-writes is at ${writesFlag} %`,
      detail: `while the ${owner} owns the writes; it is only shown, until somebody flips it`,
    })
  return found
}

function askToCallOff({ context, intent }) {
  askWhy({
    title: `Call off the ${intent?.verb ?? 'change'} of ${context}?`,
    text: 'Before its point of no return everything is as it was. After it, it goes on to its end.',
    action: 'Call it off',
    send: ({ why }) => act(context, 'call-off', { why }),
  })
}
