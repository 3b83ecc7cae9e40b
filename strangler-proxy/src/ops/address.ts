import type { IncomingMessage } from 'node:http'
import { forwardedFor } from '../clean-headers.ts'
import { clientAddress } from '../gateway/client-address.ts'

/** Whose address a request at the operators' listener counts for, by the same rules as at the door. */
export type AddressOf = (req: IncomingMessage) => string

/** @param trustedHops how many proxies in front of this listener write X-Forwarded-For */
export function createAddressOf(trustedHops: number): AddressOf {
  return (req) => clientAddress(forwardedFor(req, trustedHops))
}
