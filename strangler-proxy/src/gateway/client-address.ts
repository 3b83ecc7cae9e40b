import { isIPv4, isIPv6 } from 'node:net'

/**
 * Whose address a request counts for: the first entry of the X-Forwarded-For that this proxy wrote, which is the peer,
 * or what the trusted proxies in front of it saw. An IPv6 address counts as its /64, since whoever has one has 2^64.
 * @param forwardedFor of the cleaned request: never what a client said itself
 */
export function clientAddress(forwardedFor: string): string {
  const comma = forwardedFor.indexOf(',')
  const first = withoutPort(comma === -1 ? forwardedFor : forwardedFor.slice(0, comma).trim())
  if (isIPv4(first)) return first
  const mapped = /^::ffff:([\d.]+)$/i.exec(first)?.[1]
  if (mapped !== undefined && isIPv4(mapped)) return mapped
  if (isIPv6(first)) return prefixOf(first)
  // A proxy in front wrote something else, such as "unknown": all that came through it count together.
  return forwardedFor.slice(forwardedFor.lastIndexOf(',') + 1).trim()
}

function withoutPort(entry: string): string {
  return /^\[(.+)\](?::\d+)?$/.exec(entry)?.[1] ?? /^([\d.]+):\d+$/.exec(entry)?.[1] ?? entry
}

function prefixOf(address: string): string {
  const [head = '', tail] = address.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length
  const groups = [...before, ...Array<string>(Math.max(zeros, 0)).fill('0'), ...after]
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}
