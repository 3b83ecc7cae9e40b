/** Answers to one question, made into what may be kept of them: whole, but without a secret or what is personal. */
import type { Difference } from '../compare.ts'
import { createMask } from '../mask.ts'
import { collectSecrets, createIsPersonal, findable } from '../personal.ts'
import { standIn } from '../recording/format.ts'
import { createMaskExchange } from '../recording/mask-exchange.ts'

export type Question = {
  /** The rule's path, such as `/api/resets/:token`, by which segments have names; null where no rule names it. */
  route: string | null
  method: string
  /** With the query. */
  url: string
  /** Names in lower case. */
  headers: Readonly<Record<string, string | string[] | undefined>>
}

export type Masked = {
  url: string
  /** Of the question's headers those that say what is wanted, not by whom. */
  headers: Record<string, string>
  documents: unknown[]
  differences: Difference[]
}

/** Equal secrets of two documents are equal stand-ins, so that a reader still sees what differs. */
export type MaskAnswers = (
  question: Question,
  documents: readonly unknown[],
  differences: readonly Difference[],
) => Masked

/** @param personal members that hold personal data, by the path of the route; under `''` those of every route */
export function createMaskAnswers(personal: Readonly<Record<string, readonly string[]>>): MaskAnswers {
  const maskExchange = createMaskExchange({ personal, claims: [] })
  let isPersonal = createIsPersonal([])
  let here: readonly string[] = []
  const mask = createMask([], {
    isPersonal: (member) => isPersonal(member),
    learned: { now: () => here, has: () => false },
    strict: true,
    write: standIn,
  })
  return (question, documents, differences) => {
    isPersonal = createIsPersonal([...(personal[''] ?? []), ...(personal[question.route ?? ''] ?? [])])
    const words = new Set<string>()
    const opened = documents.map(open)
    for (const document of opened) collectSecrets(document, isPersonal, words)
    for (const value of [question.headers.authorization, question.headers.cookie].flat())
      for (const word of value?.split(/[\s;=]+/) ?? []) words.add(word)
    here = findable(words)
    const { path, query, headers } = maskExchange({
      ...question,
      ...{ n: 0, at: 0, session: '', status: 0, answerHeaders: {} },
      answerBody: { text: JSON.stringify(opened), type: 'application/json' },
    })
    return {
      url: path + searchOf(query ?? {}),
      headers: headers ?? {},
      documents: opened.map((document) => closed(mask.value(document) as Opened)),
      differences: differences.map(({ path: at, kind, left, right }) => ({
        ...{ path: mask.text(at), kind },
        ...{ left: mask.at(at, left), right: mask.at(at, right) },
      })),
    }
  }
}

/** Apart from the name `body`: a member of an answer may be called so, too, and be somebody's own. */
type Opened = { around: object; answered: unknown[] }

function open(document: unknown): Opened {
  const { body, ...around } = document as { body?: unknown }
  return { around, answered: body === undefined ? [] : [body] }
}

function closed({ around, answered }: Opened): unknown {
  return answered.length === 0 ? around : { ...around, body: answered[0] }
}

/** Stand-ins stay readable: whoever asks again has to put something in their place. */
function searchOf(query: Readonly<Record<string, readonly string[]>>): string {
  const said = (text: string) => (text.includes('‹') ? text : encodeURIComponent(text))
  const pairs = Object.entries(query).flatMap(([name, values]) => values.map((value) => `${said(name)}=${said(value)}`))
  return pairs.length > 0 ? `?${pairs.join('&')}` : ''
}
