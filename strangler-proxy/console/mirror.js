/** What reads that were sent to both sides came to: counts, and differences with both answers side by side. */
import { mirrorSamples } from './api.js'
import { at, fill, h, show } from './dom.js'
import { count, moment } from './format.js'

let asked = null

/** @param mirror the counts as the proxy gives them, null where it mirrors nothing */
export function showMirror(mirror) {
  show(at('mirror'), mirror !== null)
  if (mirror === null || JSON.stringify(mirror) === asked) return
  asked = JSON.stringify(mirror)
  mirrorSamples()
    .then((samples) => draw(mirror, samples))
    .catch(() => draw(mirror, []))
}

function draw(mirror, samples) {
  fill(at('mirror-body'), [mirror, samples], () => [h('pre', {}, JSON.stringify(mirror)), ...samples.map(sample)])
}

function sample(one) {
  return h(
    'details',
    {},
    h('summary', {}, `${moment(one.at)} ${one.context} ${one.path}`),
    h('div.both', {}, body('monolith', one.monolith), body('service', one.service)),
  )
}

const body = (side, answer) =>
  h(
    'div',
    {},
    h(`span.side.${side}`, {}, `${side} ${count(answer?.status ?? 0)}`),
    h('pre', {}, JSON.stringify(answer?.body, null, 2)),
  )
