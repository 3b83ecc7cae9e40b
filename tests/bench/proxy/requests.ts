import { createPrivateKey, type JsonWebKeyInput, sign } from 'node:crypto'
import type { PrivateKey } from '../../support/keys.ts'

export const HOST = 'shop.example'
/** Where the page is that asks: another host, so that the answer has to allow it. */
export const ORIGIN = 'https://www.shop.example'

/** A round of requests by 200 users, each with a token: nine reads and one write in ten. */
export function requestsOf(key: PrivateKey): string[] {
  const tokens = Array.from({ length: 200 }, (_, user) => accessToken(key, String(user + 1)))
  const body = JSON.stringify({ delta: -1, reason: 'sold', note: 'n'.repeat(150) })
  return Array.from({ length: 1_000 }, (_, index) => {
    const head =
      `Host: ${HOST}\r\nOrigin: ${ORIGIN}\r\nAuthorization: Bearer ${tokens[index % 200]}\r\nAccept: application/json\r\n` +
      'User-Agent: bench\r\nAccept-Encoding: gzip\r\nCookie: theme=dark\r\n'
    return index % 10 === 0
      ? `POST /api/products/${index}/stock-adjustments HTTP/1.1\r\n${head}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
      : `GET /api/products/${index} HTTP/1.1\r\n${head}\r\n`
  })
}

function accessToken(key: PrivateKey, sub: string): string {
  const now = Math.floor(Date.now() / 1000)
  const signed = [
    { alg: 'ES256', typ: 'at+jwt', kid: key.kid },
    { iss: 'banyan-shop', aud: 'banyan-shop', sub, role: 'customer', iat: now, exp: now + 3600 },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  const privateKey = createPrivateKey({ key, format: 'jwk' } as JsonWebKeyInput)
  return `${signed}.${sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}
