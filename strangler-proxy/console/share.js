/** The share of a context's reads that its service answers: seen, and set when it was chosen on purpose. */
import { act } from './api.js'
import { h, say, show } from './dom.js'
import { tell } from './news.js'

/** What was set needs Unleash's next poll to come back; until then the slider stays where it was put. */
const ECHO_MS = 4_000

/** The phases in which a share takes reads to the service. */
const SPLIT = ['ready', 'switching', 'aborting']

/** No flag of that name, or one whose share is not one number. */
const UNKNOWN = 'no single share'

export function createShare(name, mayAct) {
  let chosen = null
  let echoUntil = 0
  const said = h('span.share')
  const slider = h('input', {
    type: 'range',
    min: 0,
    max: 100,
    step: 1,
    'aria-label': `Share of ${name} reads that the service answers, percent`,
    oninput: () => choose(Number(slider.value)),
  })
  const apply = h('button.primary.small', { onclick: set })
  const cancel = h('button.quiet.small', { onclick: () => choose(null) }, 'Cancel')
  const buttons = h('span.apply', { hidden: true }, apply, cancel)
  const element = h('div.slide', {}, said, slider, buttons)
  let share = null
  let moved = false
  let planned = true
  let pulled = false
  let owned = false
  const percentage = (percent) =>
    owned
      ? `all at the service; ${percent} % after a rollback`
      : `${percent} % at the service${pulled ? ', but the kill switch is on' : ''}`

  function choose(percent) {
    chosen = percent === share ? null : percent
    if (percent === null) slider.value = String(share ?? 0)
    draw()
  }

  async function set() {
    const percent = chosen
    apply.disabled = true
    try {
      await act(name, 'share', { percent })
      echoUntil = performance.now() + ECHO_MS
      tell(`${name}: ${percent} % of the reads go to the service, within a second`)
    } catch (error) {
      tell(error.message, true)
      choose(null)
    } finally {
      apply.disabled = false
      draw()
    }
  }

  function draw() {
    const waits = performance.now() < echoUntil
    const percent = chosen ?? share
    say(
      said,
      !planned
        ? 'all at the monolith'
        : moved
          ? 'all at the service'
          : percent === null
            ? UNKNOWN
            : percentage(percent),
    )
    say(apply, `Set ${chosen} %`)
    show(buttons, chosen !== null && !waits)
  }

  return {
    element,
    update(state, context) {
      share = context.flag.share
      if (chosen === share || (echoUntil > 0 && performance.now() >= echoUntil)) {
        chosen = null
        echoUntil = 0
      }
      pulled = context.reads === 'owner'
      moved = context.phase === 'completed'
      owned = context.phase === 'switched'
      planned = context.phase !== null
      show(slider, planned && !moved)
      const early = SPLIT.includes(context.phase) || share > 0 ? null : waitsFor(name, owned)
      slider.disabled = !mayAct || !state.flags.canShift || early !== null
      slider.title = state.flags.why ?? early ?? ''
      if (chosen === null) slider.value = String(share ?? 0)
      draw()
    },
  }
}

function waitsFor(name, owned) {
  return owned ? `The service answers all reads of ${name} as their owner.` : `A share waits for ${name} to be ready.`
}
