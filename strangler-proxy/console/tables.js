/** Instances and the audit. */
import { olderAudit } from './api.js'
import { at, fill, h, show } from './dom.js'
import { moment, span } from './format.js'
import { tell } from './news.js'

const SILENT_MS = 3_000
let lines = []

/** Where this proxy sends requests, with what it knows of each; and who announces itself without being asked anything. */
export function showInstances({ upstreams, instances }) {
  const announced = new Map(instances.map((one) => [one.url, one]))
  const asked = upstreams.flatMap(({ side, context, up, instances: all }) =>
    all.map((one) => {
      const { service = context ?? side, ...more } = announced.get(one.url) ?? {}
      announced.delete(one.url)
      return { ...more, ...one, service, up }
    }),
  )
  const rows = [...asked, ...announced.values()]
  fill(
    at('instances'),
    rows.map((one) => [one.service, one.url, one.build, ...health(one)]),
    () => (rows.length > 0 ? rows.map(instance) : [h('tr', {}, h('td', { colSpan: 5 }, 'No process is known.'))]),
  )
}

function instance(one) {
  const [kind, text] = health(one)
  return h(
    'tr',
    {},
    h('td', {}, h(`span.state.${kind}`, {}, text)),
    h('td', {}, one.service),
    h('td', {}, h('code', {}, one.url)),
    h('td', {}, one.startedAt ? moment(one.startedAt) : '–'),
    h('td', {}, one.build ? h('code', { title: one.build }, one.build.split('+').at(-1).slice(0, 12)) : '–'),
  )
}

function health({ state, up, silentMs }) {
  const silent = silentMs >= SILENT_MS ? `silent for ${span(Math.floor(silentMs / 5_000) * 5_000)}` : null
  if (state === undefined) return silent ? ['warn', silent] : ['none', 'is asked nothing by this proxy']
  if (state === 'fails its checks') return ['bad', state]
  if (!up) return ['bad', `${state}; its breaker is open`]
  if (state !== 'answers') return ['warn', state]
  return silent ? ['warn', `${state}, ${silent}`] : ['ok', state]
}

/** @param newest the last lines, newest first; what was asked for beyond them stays */
export function showAudit(newest) {
  const oldest = newest.at(-1)?.id ?? 0
  lines = [...newest, ...lines.filter((line) => line.id < oldest)]
  draw()
}

function draw() {
  fill(
    at('audit'),
    lines.map((line) => line.id),
    () => lines.map(auditLine),
  )
}

function auditLine(line) {
  const result = line.result ?? ''
  const kind = ['done', 'committed'].includes(result)
    ? 'ok'
    : ['refused', 'failed', 'aborted'].includes(result)
      ? 'bad'
      : 'none'
  return h(
    'tr',
    {},
    h('td', {}, h('time', { dateTime: line.at, title: line.at }, moment(line.at))),
    h('td', {}, line.who),
    h('td', {}, line.what),
    h('td', {}, line.context ?? ''),
    h('td', {}, result ? h(`span.state.${kind}`, {}, result) : ''),
    h('td', {}, change(line), line.why ? h('q', {}, line.why) : ''),
  )
}

/** What there was, and what there is, as short as it can be told. */
function change({ old, new: now }) {
  if (!old && !now) return ''
  const flat = (value) =>
    Object.entries(value ?? {})
      .filter(([, one]) => one !== null && typeof one !== 'object')
      .map(([name, one]) => `${name} ${one}`)
      .join(', ')
  const text = old && now ? `${flat(old)} → ${flat(now)}` : flat(now ?? old)
  return h('span.change', { title: JSON.stringify({ old, new: now }) }, `${text} `)
}

at('older').addEventListener('click', async () => {
  try {
    const older = await olderAudit(lines.at(-1)?.id ?? 1)
    show(at('older'), older.length > 0)
    lines = [...lines, ...older]
    draw()
  } catch (error) {
    tell(error.message, true)
  }
})
