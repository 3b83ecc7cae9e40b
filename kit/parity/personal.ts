/** Which members hold what is somebody's own, and what stands in them. */
import { isSecretName } from './mask.ts'

/** Names of personal data in any shop; a route's own come beside them. */
const PERSONAL =
  /^(e?mail|phone|mobile|fax|birth|street|city|zip|post|iban|ssn|tax|(first|last|full|given|family|user)name)/

/** Names are compared without case and without what joins their words. */
const plain = (name: string) => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '')

/** @param own names beside the usual ones */
export function createIsPersonal(own: readonly string[]): (member: string) => boolean {
  const named = new Set(own.map(plain))
  return (member) => PERSONAL.test(plain(member)) || named.has(plain(member))
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
