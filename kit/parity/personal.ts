/** Which members hold what is somebody's own, and what stands in them. */
import { isSecretName } from './mask.ts'

/** What names of personal data begin with in any shop; a route's own come beside them. */
const PERSONAL =
  /^(e?mail|(tele)?phone|tel$|mobile|fax|birth|dob$|street|addressline|city|zip|post|iban|ssn|tax|surname|(first|last|full|given|family|user)name)/
/** What their last words are where others say whose it is: `customerPhone`, `date_of_birth`. */
const LAST_WORDS =
  /^(e?mail|(tele)?phone|tel|mobile|fax|birth(day|date)?|street|city|zip(code)?|post(al)?code|iban|ssn|surname|(first|last|full|given|family|user)name)(address|number|no)?$/

/** Names are compared without case and without what joins their words. */
const plain = (name: string) => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '')

function endsPersonally(name: string): boolean {
  const words = name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
  return words.some((_, from) => LAST_WORDS.test(words.slice(from).join('')))
}

/** @param own names beside the usual ones */
export function createIsPersonal(own: readonly string[]): (member: string) => boolean {
  const named = new Set(own.map(plain))
  return (member) => PERSONAL.test(plain(member)) || named.has(plain(member)) || endsPersonally(member)
}

/** Adds the texts whose member says that they are secret or personal. */
export function collectSecrets(
  node: unknown,
  isPersonal: (member: string) => boolean,
  into: Set<string>,
  inSecret = false,
): void {
  if (Array.isArray(node)) for (const item of node) collectSecrets(item, isPersonal, into, inSecret)
  else if (typeof node === 'object' && node !== null)
    for (const [member, item] of Object.entries(node))
      collectSecrets(item, isPersonal, into, inSecret || isSecretName(member) || isPersonal(member))
  else if (inSecret && typeof node === 'string') into.add(node)
}

/** The words worth finding wherever they stand, the longest first: a short one stands in too many others. */
export function findable(words: Iterable<string>): string[] {
  return [...words].filter((word) => word.length >= 4).sort((a, b) => b.length - a.length)
}
