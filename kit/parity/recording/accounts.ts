/** Who the users of a recording are in a world that does not know them: how they get there is the shop's business. */
import type { Step } from '../step.ts'
import type { Recorded } from './format.ts'
import { makeUp } from './stand-ins.ts'

export type UserRule = {
  /** Claims the recorded token had, such as `{ role: admin }`; every user without it. */
  when?: Record<string, unknown> | undefined
  /** The identity of the sides whose token is sent. */
  as: string
  /** Claims of this user's own; `{{account}}` is a whole number that no other user has. */
  claims?: Record<string, unknown> | undefined
}

/** @returns whose token the step sends; undefined where no rule is about this user */
export function identityOf(
  recorded: Recorded,
  number: number,
  rules: readonly UserRule[],
): Pick<Step, 'as' | 'claims'> | undefined {
  const rule = rules.find(({ when }) =>
    Object.entries(when ?? {}).every(([name, value]) => String(recorded.claims?.[name]) === String(value)),
  )
  if (!rule) return undefined
  const own = Object.entries(rule.claims ?? {}).map(([name, value]) => [
    name,
    typeof value === 'string' ? value.replaceAll('{{account}}', String(accountOf(number))) : value,
  ])
  return { as: rule.as, ...(own.length > 0 ? { claims: Object.fromEntries(own) } : {}) }
}

/**
 * The steps that make an account, for one user.
 * @param steps with `{{email}}`, `{{password}}`, `{{account}}`, and what they capture
 * @param login the user's own login where one was recorded: what it sent is what the account is made with
 */
export function accountSteps(steps: readonly Step[], number: number, login?: Recorded | undefined): Step[] {
  const captured = new Set(steps.flatMap(({ capture }) => Object.keys(capture ?? {})))
  const given: Record<string, string> = {
    account: String(accountOf(number)),
    email: `recorded${number}.{{unique}}@example.test`,
    password: `Recorded-${number}-password-9!`,
    ...(login ? sentBy(steps.at(-1)?.body, login) : {}),
  }
  const filled = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(filled)
    if (typeof node === 'object' && node !== null)
      return Object.fromEntries(Object.entries(node).map(([name, item]) => [name, filled(item)]))
    if (typeof node !== 'string') return node
    return node.replaceAll(/\{\{([\w-]+)\}\}/g, (whole, name: string) =>
      captured.has(name) ? `{{${variableOf(number, name)}}}` : (given[name] ?? whole),
    )
  }
  return steps.map(({ capture, path, body, headers, query, ...step }) => ({
    ...step,
    name: `the account of user ${number}`,
    path: filled(path) as string,
    ...(body === undefined ? {} : { body: filled(body) }),
    ...(query ? { query: filled(query) as Record<string, unknown> } : {}),
    ...(headers ? { headers: filled(headers) as Record<string, string> } : {}),
    ...(capture
      ? { capture: Object.fromEntries(Object.entries(capture).map(([name, at]) => [variableOf(number, name), at])) }
      : {}),
  }))
}

/** The name under which an account's step captures. */
export function variableOf(number: number, name: string): string {
  return `user${number}-${name}`
}

const accountOf = (number: number) => 1_000_000 + number

/** What a recorded login sent for each variable of the step that logs in. */
function sentBy(template: unknown, { body }: Recorded): Record<string, string> {
  const sent = body && 'json' in body ? (body.json as Record<string, unknown> | null) : undefined
  return Object.fromEntries(
    Object.entries((template ?? {}) as Record<string, unknown>).flatMap(([member, text]) => {
      const name = /^\{\{([\w-]+)\}\}$/.exec(String(text))?.[1]
      const value = sent?.[member]
      return name && typeof value === 'string' ? [[name, makeUp(value)]] : []
    }),
  )
}
