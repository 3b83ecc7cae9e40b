/** The requests of a reproduction, a line each, for whoever reads a report. */
import { createMask, type Mask } from './mask.ts'
import { createSeenSecrets } from './seen-secrets.ts'
import type { Step } from './step.ts'

/** @param steps as a scenario has them, where a secret may stand in the text of a body that is no JSON */
export function linesOf(steps: readonly Step[]): string[] {
  const secrets = createSeenSecrets()
  const mask = createMask([], { strict: true, learned: secrets.learned })
  for (const { path, query, headers = {}, ...step } of steps) {
    secrets.sent({ path, headers, body: step.raw ?? JSON.stringify(step.form ?? step.body) })
    secrets.sent({ path: '', headers: {}, body: JSON.stringify(query) })
  }
  return steps.map((step) => lineOf(step, mask))
}

function lineOf({ method, path, query, as, body, raw, form, together }: Step, mask: Mask): string {
  const asked = `${method} ${path}${query ? ` ${JSON.stringify(mask.value(query))}` : ''}`
  const sent =
    raw ?? (form ? JSON.stringify(mask.value(form)) : body === undefined ? '' : JSON.stringify(mask.value(body)))
  return [mask.text(asked), as ? `as ${as}` : '', together ? `${together} at once` : '', mask.text(sent)]
    .filter(Boolean)
    .join(' ')
}
