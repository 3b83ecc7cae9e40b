import { placeOf, type Report, searchEnded } from './report.ts'
import { xml } from './report-junit.ts'

const HEADLINES = {
  alike: 'Alike: nothing tells the two sides apart',
  different: 'Different',
  inconclusive: 'Inconclusive: this run proves nothing',
} as const

/** One HTML file that needs nothing else: the verdict first, then by operation, then each difference side by side. */
export function htmlOf(report: Report): string {
  const { context, verdict, sides, builds } = report
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${xml(context)}: ${verdict}</title><style>${STYLE}</style></head><body>
<h1 class="${verdict}">${HEADLINES[verdict]}</h1>
<ul>${report.reasons.map((reason) => `<li>${xml(reason)}</li>`).join('')}</ul>
<p>${xml(context)}: <b>${xml(sides.left)}</b> against <b>${xml(sides.right)}</b>, ${xml(report.at)}, seed ${report.seed}.
Left: ${xml(builds.left ?? 'a build it does not tell')}; right: ${xml(builds.right ?? 'a build it does not tell')}.
${report.compared} comparisons by ${report.requests} requests in ${report.seconds} s (${report.requestsPerSecond} a second;
${Math.round(report.comparerShare * 100)} % of the time went into comparing).</p>
${operationsOf(report)}${differencesOf(report)}${unmetOf(report)}${varyingOf(report)}${rulesOf(report)}
</body></html>
`
}

function operationsOf({ operations, uncovered, onlyRefused }: Report): string {
  const rows = operations.map(({ operation, compared, succeeded, askedTwice, differed }) => [
    operation,
    String(compared),
    String(succeeded),
    String(askedTwice),
    String(differed),
  ])
  const never = uncovered.length > 0 ? `<p>Never compared: ${xml(uncovered.join(', '))}.</p>` : ''
  const refused = onlyRefused.length > 0 ? `<p>Only refused: ${xml(onlyRefused.join(', '))}.</p>` : ''
  const head = ['operation', 'compared', 'answered with success', 'asked twice', 'with anything differing']
  return `<h2>By operation</h2>${table(head, rows)}${never}${refused}`
}

function differencesOf({ differences, doubtful, sides, search }: Report): string {
  if (differences.length + doubtful.length === 0) return ''
  const all = [...differences, ...doubtful.map((each) => ({ ...each, reproduction: undefined, seen: 'once' }))]
  const shown = all.map((each) => {
    const { operation, at, kind, differed, compared, askedTwice, noiseAtMost, sample, origin, reproduction } = each
    const byItself =
      askedTwice === 0
        ? 'no side was asked the same twice here, so nothing excuses it (<code>--twin</code> asks writes twice, too)'
        : `by itself it varies in at most ${Math.round(noiseAtMost * 1000) / 10} % (95 %, asked twice ${askedTwice} times)`
    const asked = reproduction
      ? `<p>${reproduction.shortened ? 'Shortest way found to see it' : 'Seen by'}:</p><pre>${xml(reproduction.requests.join('\n'))}</pre><pre>${xml(reproduction.command)}</pre>`
      : `<p>Seen in: ${xml(origin.sequence)}, step ${origin.step + 1}.</p>`
    return `<section><h3>${xml(operation)} <code>${xml(at)}</code>: ${kind}${'seen' in each ? ' (did not come back)' : ''}</h3>
<p>${differed} of ${compared} comparisons; ${byItself}.</p>
<div class="pair"><div><h4>${xml(sides.left)}</h4><pre>${show(sample.left)}</pre></div>
<div><h4>${xml(sides.right)}</h4><pre>${show(sample.right)}</pre></div></div>${asked}</section>`
  })
  const ended = searchEnded({ search })
  return `<h2>Differences</h2>${ended === undefined ? '' : `<p>${xml(ended)}</p>`}${shown.join('\n')}`
}

function unmetOf({ unmet }: Report): string {
  if (unmet.length === 0) return ''
  const rows = unmet.map(({ sequence, step, side, what }) => [sequence, String(step + 1), side, what])
  return `<h2>Expectations not met</h2>${table(['scenario', 'step', 'side', 'what'], rows)}`
}

function varyingOf({ noise }: Report): string {
  if (noise.length === 0) return ''
  const rows = noise.map(({ operation, at, kind, noisy, askedTwice, differed, compared }) => [
    operation,
    at,
    kind,
    `${noisy} of ${askedTwice}`,
    `${differed} of ${compared}`,
  ])
  const head = ['operation', 'where', 'kind', 'one side asked twice', 'between the sides']
  return `<h2>What varies by itself</h2><p>Type, format and presence are compared all the same.</p>${table(head, rows)}`
}

function rulesOf({ rules }: Report): string {
  if (rules.length === 0) return ''
  const rows = rules.map(({ kind, reason, until, used, expired, ...rule }) => [
    placeOf(rule),
    kind,
    reason,
    expired ? `${until} (over)` : until,
    String(used),
  ])
  return `<h2>Rules</h2>${table(['where', 'kind', 'why', 'until', 'used'], rows)}`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[], tag: string) =>
    `<tr>${cells.map((cell) => `<${tag}>${xml(cell)}</${tag}>`).join('')}</tr>`
  return `<table>${line(head, 'th')}${rows.map((row) => line(row, 'td')).join('\n')}</table>`
}

const show = (value: unknown) => xml(value === undefined ? '(absent)' : JSON.stringify(value, null, 2).slice(0, 4_000))

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
h1.alike{color:#17652b}h1.different{color:#a31621}h1.inconclusive{color:#8a5a00}
table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:.2rem .6rem;text-align:left;vertical-align:top}
pre{background:#f5f5f5;padding:.6rem;overflow:auto;white-space:pre-wrap}section{border-top:1px solid #ccc}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:1rem}.pair>div{min-width:0}
@media(max-width:40rem){.pair{grid-template-columns:1fr}}`
