/** Which answer an id of a later request came from, so that each side is asked for its own. */
import { isStandIn, type Recorded } from './format.ts'
import { type Id, isUuid } from './ids-of.ts'

/** Where an id stood when it was answered. */
export type Source = { exchange: Recorded; at: string }

export type References = {
  /** Takes note of an answer; in the order of the recording. */
  answered(exchange: Recorded): void
  /**
   * @param nouns what the id is an id of, as far as the request's words say; ids that are no one else's need none
   * @returns the answer it came from: one of the same session, else the write or the login of another that made it
   */
  find(asking: Recorded, value: Id, nouns: readonly string[]): Source | undefined
}

export function createReferences(): References {
  const known = new Map<Id, (Source & { nouns: readonly string[] })[]>()
  return {
    answered(exchange) {
      if (exchange.answer.status >= 400) return
      for (const [at, value] of Object.entries(exchange.answer.ids ?? {})) {
        const sources = known.get(value) ?? []
        known.set(value, sources)
        sources.push({ exchange, at, nouns: nounsOfAnswer(exchange.path, at) })
      }
    },
    find(asking, value, nouns) {
      const alone = isStandIn(value) || isUuid(value) || (typeof value === 'string' && /^(W\/)?"/.test(value))
      const sources = (known.get(value) ?? []).filter(
        (source) => source.exchange.n < asking.n && (alone || source.nouns.some((noun) => nouns.includes(noun))),
      )
      const made = (source: Source) => source.exchange.method !== 'GET'
      return (
        sources.find((source) => source.exchange.session === asking.session) ?? sources.find((source) => made(source))
      )
    },
  }
}

/** `productId`, `product_ids` and `/products/7` are all about a product. */
export function nounOf(word: string): string {
  const bare = word.replace(/[_-]?(ids?|uuids?|guid|numbers?|slugs?)$/i, '').toLowerCase()
  return bare.replace(/ies$/, 'y').replace(/s$/, '')
}

/** What a path is about: its last words that are no ids. */
export function nounsOfPath(path: string): string[] {
  const words = path.split('/').filter((segment) => /^[a-z][a-z_-]*$/i.test(segment))
  return words.slice(-1).map(nounOf)
}

function nounsOfAnswer(path: string, at: string): string[] {
  const names = at.split('.').map((part) => part.replaceAll(/\[\d+\]/g, ''))
  const own = nounOf(names.at(-1) ?? '')
  if (own !== '') return [own]
  // A bare `id` is of what holds it: a member such as `order`, else what was asked for.
  const holder = names.length > 3 ? [nounOf(names.at(-2)!)] : []
  return [...holder, ...nounsOfPath(path)]
}
