/** The line at the top: how fresh all this is. */
import { at, fill, h } from './dom.js'
import { span } from './format.js'

export function showFacts(state) {
  const all = facts(state)
  fill(at('facts'), all, () => all.map(([kind, text, title]) => h(`li.state.${kind}`, { title }, text)))
}

function facts({ ownership, flags, control, hold, recording }) {
  const stale = ownership.staleMs === null || ownership.staleMs > 2_000
  return [
    stale
      ? [
          'bad',
          `ownership ${ownership.staleMs === null ? 'unknown' : `${span(ownership.staleMs)} old`}`,
          'What is known of owners is not fresh; the last known goes on.',
        ]
      : ['ok', 'ownership fresh', 'This proxy has just read who owns what.'],
    ownership.leaseValid
      ? ['ok', 'lease held', 'Movers wait for this proxy.']
      : ['bad', 'lease lost', 'No mover waits for this proxy: writes of a context that switches are refused.'],
    flags.ok ? ['ok', 'flags fresh', ''] : ['warn', 'flags not fresh', flags.error ?? ''],
    control.error
      ? ['bad', 'control database away', control.error]
      : control.mover
        ? ['ok', 'mover runs', '']
        : ['none', 'no mover runs', 'Nothing that is asked for is carried out: banyan run'],
    ...(hold.waiting > 0 ? [['warn', `${hold.waiting} requests held`, '']] : []),
    ...(recording.on ? [['warn', 'recording', 'Traffic is being recorded.']] : []),
  ]
}
