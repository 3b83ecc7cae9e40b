/** The page's course: who are you → the stream of pictures → what each part shows of them. */
import { logIn, logOut, whoAmI } from './api.js'
import { forgetContexts, showContexts } from './contexts.js'
import { at, say, show } from './dom.js'
import { showFacts } from './facts.js'
import { forgetMirror, showMirror } from './mirror.js'
import { announce } from './news.js'
import { showAudit, showInstances } from './tables.js'
import { drawTraffic, trafficBegins, trafficGoesOn } from './traffic.js'

/** The proxy sends something at least this often. */
const SILENCE_MS = 15_000

let session = null
let stream = null
let before = null
let silence

function picture(state) {
  showFacts(state)
  showContexts(state, session.role === 'operator')
  showInstances(state)
  if (state.control.error === null) showAudit(state.audit)
  showMirror(state.mirror)
  trafficGoesOn(state.traffic)
  announce(before, state)
  before = state
}

function alive() {
  show(at('stale'), false)
  clearTimeout(silence)
  silence = setTimeout(lost, SILENCE_MS)
}

function lost() {
  say(at('stale'), 'The proxy has gone silent. What is shown is what was known last.')
  show(at('stale'), true)
}

function listen() {
  stream = new EventSource('events')
  stream.addEventListener('history', ({ data }) => trafficBegins(JSON.parse(data).traffic))
  stream.addEventListener('state', ({ data }) => {
    alive()
    picture(JSON.parse(data))
  })
  stream.addEventListener('heartbeat', alive)
  stream.addEventListener('error', async () => {
    lost()
    // The browser asks again by itself unless it was refused: then the session is over.
    if (stream?.readyState === EventSource.CLOSED) await begin()
  })
}

function stop() {
  stream?.close()
  stream = null
  before = null
  clearTimeout(silence)
}

async function begin() {
  stop()
  try {
    session = await whoAmI()
  } catch (error) {
    if (error.status === 401) return enter()
    setTimeout(begin, 2_000)
    return lost()
  }
  say(at('who'), `${session.name}, ${session.role}`)
  forgetContexts()
  forgetMirror()
  show(at('door'), false)
  show(at('console'), true)
  listen()
}

function enter() {
  show(at('console'), false)
  show(at('door'), true)
  at('login').elements.name.focus()
}

at('login').addEventListener('submit', async (event) => {
  event.preventDefault()
  const { name, secret } = event.target.elements
  say(at('login-said'), '')
  try {
    await logIn(name.value, secret.value)
    event.target.reset()
    await begin()
  } catch (error) {
    secret.value = ''
    say(at('login-said'), error.message)
  }
})
at('logout').addEventListener('click', async () => {
  await logOut().catch(() => undefined)
  stop()
  enter()
})

drawTraffic()
await begin()
