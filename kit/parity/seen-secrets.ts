/** What a run has seen of secrets: a password that an answer repeats has no name there that gives it away. */
import type { MaskOptions } from './mask.ts'
import type { BurstObservation, Observation } from './observation.ts'
import { collectSecrets, findable } from './personal.ts'
import type { Ask } from './step.ts'

/** Of earlier sequences so many words are remembered. */
const REMEMBERED_AT_MOST = 20_000

export type SeenSecrets = {
  /** For a mask: the words of this sequence wherever they stand, those of earlier ones as whole words. */
  learned: NonNullable<MaskOptions['learned']>
  /** From here on, what was seen is an earlier sequence's. */
  begin(): void
  /** Takes note of what a request says under a name that tells: in its query, its headers, its body. */
  sent(ask: Pick<Ask, 'path' | 'headers' | 'body'>): void
  /** Takes note of what an answer, rows or events hold under such a name. */
  seen(document: Observation | BurstObservation): void
}

export function createSeenSecrets(): SeenSecrets {
  const earlier = new Set<string>()
  const now = new Set<string>()
  let longestFirst: string[] | undefined
  const add = (node: unknown) => {
    const before = now.size
    collectSecrets(node, () => false, now)
    if (now.size > before) longestFirst = undefined
  }
  return {
    learned: {
      now: () => {
        longestFirst ??= findable(now)
        return longestFirst
      },
      has: (word) => earlier.has(word),
    },
    begin() {
      for (const word of now) if (word.length >= 6 && earlier.size < REMEMBERED_AT_MOST) earlier.add(word)
      now.clear()
      longestFirst = undefined
    },
    sent({ path, headers, body }) {
      add(Object.fromEntries(new URLSearchParams(path.split('?')[1] ?? '')))
      for (const [name, value] of Object.entries(headers)) add({ [name]: wordsOf(name.toLowerCase(), value) })
      add(bodyOf(body))
    },
    seen,
  }

  function seen(document: Observation | BurstObservation): void {
    if ('outcomes' in document) for (const outcome of document.outcomes) seen(outcome)
    else {
      add({ headers: document.headers, body: document.body })
      add({ cookie: Object.values(document.cookies).map((cookie) => (cookie as { value?: unknown }).value) })
    }
    // A table's name does not say that all of its columns are secrets.
    add(Object.values(document.rows ?? {}))
    add(document.events)
  }
}

/** Beside the whole, what stands in it: `Bearer …` and `sid=…; theme=…` are no words that come back. */
function wordsOf(header: string, value: string): string[] {
  if (header === 'cookie') return value.split(/;\s*/).map((pair) => pair.slice(pair.indexOf('=') + 1))
  return [value, ...value.split(/\s+/).filter((word) => !/^(basic|bearer)$/i.test(word))]
}

/** JSON, else a form; of what is neither nothing has a name. */
function bodyOf(body: string | undefined): unknown {
  if (body === undefined) return undefined
  try {
    return JSON.parse(body)
  } catch {
    return Object.fromEntries(new URLSearchParams(body))
  }
}
