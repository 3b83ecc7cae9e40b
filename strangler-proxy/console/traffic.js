/** The four charts, and the two minutes that they show. */
import { chart } from './chart.js'
import { at } from './dom.js'
import { count, milliseconds } from './format.js'

const KEPT = 120
const charts = [
  chart(
    'Requests a second',
    (side) => side.rate,
    (value) => count(value ?? 0),
  ),
  chart(
    'Errors (5xx) a second',
    (side) => side.errors,
    (value) => count(value ?? 0),
  ),
  chart('Latency, p50', (side) => side.p50, milliseconds),
  chart('Latency, p99', (side) => side.p99, milliseconds),
]
let seconds = []

export function drawTraffic() {
  at('charts').replaceChildren(...charts.map((one) => one.element))
}

export function trafficBegins(history) {
  seconds = [...history]
  for (const one of charts) one.update(seconds)
}

/** @param second the last one that is over; it comes again when something else has changed */
export function trafficGoesOn(second) {
  if (second === null || second.at <= (seconds.at(-1)?.at ?? 0)) return
  seconds = [...seconds, second].slice(-KEPT)
  for (const one of charts) one.update(seconds)
}
