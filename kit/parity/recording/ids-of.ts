/** Which parts of an answer a client may send back later: by their member's name, or by being a UUID or a stand-in. */
import { isStandIn } from './format.ts'

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const ID_NAME = /^(id|ids|uuid|guid|slug|number|reference)$|[_-](id|ids|uuid|number)$|[a-z](Id|Ids|ID|IDs|Uuid|Number)$/
const AT_MOST = 500
const LONGEST = 64

export type Id = string | number

/** Whether a member of this name holds an id. */
export function isIdName(member: string): boolean {
  return ID_NAME.test(member)
}

export function isUuid(value: unknown): value is string {
  return typeof value === 'string' && UUID.test(value)
}

/**
 * @param answer masked
 * @param at the path of the answer itself
 * @returns the ids in it by path, the first ones of a long answer
 */
export function idsOf(answer: unknown, at: string): Record<string, Id> {
  const found: Record<string, Id> = {}
  let count = 0
  const look = (node: unknown, path: string, member: string) => {
    if (count >= AT_MOST) return
    if (Array.isArray(node)) for (const [index, item] of node.entries()) look(item, `${path}[${index}]`, member)
    else if (typeof node === 'object' && node !== null)
      for (const [name, item] of Object.entries(node)) {
        // A member whose name is no plain word cannot be named in a path.
        if (!/[.[\]]/.test(name)) look(item, `${path}.${name}`, name)
      }
    else if (isId(node, member)) {
      found[path] = node
      count++
    }
  }
  look(answer, at, '')
  return found
}

function isId(value: unknown, member: string): value is Id {
  if (isStandIn(value) || isUuid(value)) return true
  if (!isIdName(member)) return false
  return typeof value === 'string' ? value !== '' && value.length <= LONGEST : Number.isSafeInteger(value)
}
