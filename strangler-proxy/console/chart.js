/** A small line chart of both sides over the last two minutes. */
import { h, say } from './dom.js'

const SVG = 'http://www.w3.org/2000/svg'
const WIDTH = 240
const HEIGHT = 64
const SECONDS = 120
/** By shape as well as by colour: one line is drawn through, the other dashed. */
export const SIDES = ['monolith', 'service']

/**
 * @param title what is shown
 * @param pick a side's second → its value, or null where there is none
 * @param label a value → its text
 */
export function chart(title, pick, label) {
  const svg = document.createElementNS(SVG, 'svg')
  svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`)
  svg.setAttribute('preserveAspectRatio', 'none')
  svg.setAttribute('aria-hidden', 'true')
  const grid = line(svg, 'grid')
  grid.setAttribute('d', `M0 .5H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}M0 ${HEIGHT - 0.5}H${WIDTH}`)
  const paths = SIDES.map((side) => line(svg, side))
  const values = SIDES.map(() => h('b'))
  const top = h('span.top')
  const legend = SIDES.map((side, index) => h(`span.side.${side}`, {}, `${side} `, values[index]))
  const element = h('figure.chart', {}, h('figcaption', {}, title, top), svg, h('p.legend', {}, ...legend))
  return {
    element,
    update(seconds) {
      const series = SIDES.map((side) => seconds.map((second) => pick(second.sides[side] ?? NOTHING)))
      const highest = Math.max(...series.flat().map((value) => value ?? 0))
      const scale = nice(highest)
      say(top, highest > 0 ? label(scale) : '')
      for (const [index, points] of series.entries()) {
        paths[index].setAttribute('d', path(points, scale))
        say(values[index], label(points.at(-1) ?? null))
      }
    },
  }
}

const NOTHING = { rate: 0, errors: 0, p50: null, p99: null }

function line(svg, name) {
  const path = document.createElementNS(SVG, 'path')
  path.setAttribute('class', name)
  svg.append(path)
  return path
}

/** The next of 1, 2, 5, 10, 20, … */
function nice(value) {
  if (value <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  return power * ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10)
}

function path(points, scale) {
  const from = SECONDS - points.length
  let pen = 'M'
  let drawn = ''
  for (const [index, value] of points.entries()) {
    if (value === null) {
      pen = 'M'
      continue
    }
    const x = ((from + index) / (SECONDS - 1)) * WIDTH
    const y = HEIGHT - 1 - (value / scale) * (HEIGHT - 2)
    drawn += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`
    // A single second between two without an answer would be no line at all.
    if (pen === 'M') drawn += 'h.01'
    pen = 'L'
  }
  return drawn
}
