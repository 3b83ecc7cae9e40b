/** What reads that were asked of both sides came to: counts, and what differed with both answers side by side. */
import { mirrorSamples } from './api.js'
import { at, fill, h, show } from './dom.js'
import { count, moment } from './format.js'
import { tell } from './news.js'

const WAITS = { 'not-in-step': 'until both sides hold the data', behind: 'until the other side has caught up' }
let shown = null
let elements = new Map()

export function forgetMirror() {
  shown = null
  elements = new Map()
  at('mirror-samples').replaceChildren()
}

/** @param contexts their counts, as the proxy tells them */
export function showMirror(contexts) {
  const used = contexts.filter((one) => one.mirrored > 0 || one.flag.share > 0)
  show(at('mirror'), used.length > 0)
  fill(at('mirror-counts'), used.map(counted), () => used.map(row))
  const mismatched = used.reduce((sum, one) => sum + one.mismatched, 0)
  if (mismatched === shown || used.length === 0) return
  shown = mismatched
  showSamples()
}

async function showSamples() {
  try {
    drawSamples((await mirrorSamples()).samples)
  } catch (error) {
    shown = null
    tell(error.message, true)
  }
}

/**
 * What is new comes in front, and nothing that is there moves: it may have the focus.
 * @param samples the newest first
 */
function drawSamples(samples) {
  const ids = new Set(samples.map((one) => one.id))
  for (const [id, element] of elements) {
    // Whoever reads one goes on reading it, though the proxy has let go of it.
    if (ids.has(id) || element.open) continue
    element.remove()
    elements.delete(id)
  }
  for (const one of samples.toReversed()) {
    if (elements.has(one.id)) continue
    const element = sample(one)
    elements.set(one.id, element)
    at('mirror-samples').prepend(element)
  }
}

function counted({ context, flag, mirrored, compared, mismatched, alikeAtLeast, waitsFor, dropped }) {
  const left = Object.values(dropped).reduce((sum, one) => sum + one, 0)
  const alike = compared > 0 ? `${(alikeAtLeast * 100).toFixed(2)} %` : '–'
  const state = waitsFor
    ? ['warn', `stands still ${WAITS[waitsFor]}`]
    : mismatched > 0
      ? ['bad', 'differs']
      : ['ok', 'alike']
  const share = flag.share === null ? '–' : `${flag.share} %`
  return { context, state, texts: [share, count(mirrored), count(compared), count(mismatched), alike, count(left)] }
}

function row(one) {
  const { context, state, texts } = counted(one)
  const [kind, text] = state
  return h(
    'tr',
    {},
    h('td', {}, context),
    h('td', {}, h(`span.state.${kind}`, {}, text)),
    ...texts.map((number) => h('td', {}, number)),
  )
}

function sample({ at: when, method, url, route, context, owner, answers, differences, replay }) {
  const other = owner === 'monolith' ? 'service' : 'monolith'
  const paths = [...new Set(differences.map((one) => one.path))]
  return h(
    'details',
    {},
    h(
      'summary',
      {},
      h('time', { dateTime: when }, moment(when)),
      ` ${context} `,
      h('code', { title: route }, `${method} ${url}`),
      h('span.change', {}, ` differs at ${paths.slice(0, 4).join(', ')}${paths.length > 4 ? ', …' : ''}`),
    ),
    h('div.both', {}, answer(owner, answers.owner, ', the owner'), answer(other, answers.other, '')),
    replay ? h('p.replay', {}, 'Ask both again: ', h('code', {}, replay)) : null,
  )
}

function answer(side, document, role) {
  return h(
    'div',
    {},
    h(`span.side.${side}`, {}, `${side}${role}`),
    h('pre', { tabIndex: 0, 'aria-label': `answer of the ${side}` }, JSON.stringify(document, null, 2) ?? 'no answer'),
  )
}
