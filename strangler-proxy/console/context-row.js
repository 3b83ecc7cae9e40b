/** One context: where its move stands, its data, who answers its reads, who owns its writes. */
import { act } from './api.js'
import { askWhy } from './dialog.js'
import { fill, h, say, show } from './dom.js'
import { tell } from './news.js'
import { notes } from './notes.js'
import { copyOf, lagOf, track, verifiedOf } from './progress.js'
import { createShare } from './share.js'

/**
 * @param name the context
 * @param mayAct whether the session's role may change anything
 * @returns its element, and what brings it up to date
 */
export function contextRow(name, mayAct) {
  let now = null
  const move = h('div.cell.move')
  const data = h('div.cell.data')
  const share = createShare(name, mayAct)
  const owner = h('span.side')
  const change = h('button.quiet', { onclick: () => askForOwner(now) })
  const kill = h('button.pull', { 'aria-pressed': 'false', onclick: () => pullOrRelease(now) })
  const small = h('small')
  const told = h('div.notes')
  const element = h(
    'li.context',
    { 'aria-label': name },
    h('div.cell.name', {}, h('h3', {}, name), small),
    move,
    data,
    h('div.cell.reads', { 'data-head': 'Reads' }, share.element),
    h('div.cell.writes', { 'data-head': 'Writes' }, owner, change),
    h('div.cell.kill', { 'data-head': 'Kill switch' }, kill),
    told,
  )
  kill.disabled = change.disabled = !mayAct
  return {
    element,
    update(state, context) {
      now = context
      say(small, facts(context))
      fill(move, [context.phase, context.step, context.paused], () => track(context))
      fill(data, [copyOf(context), lagOf(context), verifiedOf(context)], () => [
        ...lines(copyOf(context)),
        ...lines(lagOf(context)),
        ...lines(verifiedOf(context)),
      ])
      share.update(state, context)
      owner.className = `side ${context.owner}`
      say(owner, context.owner)
      say(change, context.owner === 'service' ? 'Roll back…' : 'Switch…')
      show(change, context.phase !== null && context.phase !== 'completed')
      show(kill, context.phase !== null)
      change.disabled = !mayAct || Boolean(context.intent)
      const pulled = context.reads === 'owner'
      kill.setAttribute('aria-pressed', String(pulled))
      say(kill, pulled ? 'On: release…' : 'Pull')
      kill.setAttribute('aria-label', `Kill switch of ${name}: ${pulled ? 'on, release it' : 'off, pull it'}`)
      notes(told, state, context, mayAct)
    },
  }
}

const lines = (text) =>
  text === null ? [] : [h(`p.${text.kind}`, {}, text.text, text.bar === undefined ? null : bar(text.bar))]

function bar(share) {
  return h('progress', { max: 1, value: share, 'aria-label': 'rows copied' })
}

function facts({ phase, term, inFlight, hold, subscribers }) {
  if (phase === null) return 'no plan of it yet'
  const watched = subscribers ? `, ${subscribers.proxies} ${subscribers.proxies === 1 ? 'proxy' : 'proxies'}` : ''
  return `term ${term}${watched}${inFlight > 0 ? `, ${inFlight} in flight` : ''}${hold ? ', writes held' : ''}`
}

function askForOwner(context) {
  const { context: name, owner } = context
  const back = owner === 'service'
  askWhy({
    title: back ? `Roll ${name} back?` : `Switch ${name}?`,
    text: back
      ? 'Its writes are held for a moment, and the monolith owns them again, with every write made since.'
      : 'Its writes are held for a moment, and the service owns them from then on. The way back is a rollback.',
    action: back ? `Roll ${name} back` : `Switch ${name}`,
    danger: true,
    parity: !back,
    async send({ why, withoutParity }) {
      const verb = back ? 'rollback' : 'switch'
      await act(name, 'owner', { verb, why, ...(back ? {} : { withoutParity }) })
      tell(`${verb} ${name}: asked for`)
    },
  })
}

async function pullOrRelease({ context: name, reads }) {
  if (reads === 'owner')
    return askWhy({
      title: `Release the kill switch of ${name}?`,
      text: 'The share of reads is what the flag says again.',
      action: 'Release it',
      send: ({ why }) => act(name, 'reads', { reads: 'flag', why }),
    })
  // Pulling it asks nothing: it is for when there is no time.
  try {
    await act(name, 'reads', { reads: 'owner', why: 'pulled at the console' })
    tell(`${name}: the kill switch is on, its owner answers all reads`)
  } catch (error) {
    tell(error.message, true)
  }
}
