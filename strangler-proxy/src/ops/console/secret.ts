import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'

/** scrypt's N, r and p: 16 MiB and some tens of milliseconds a guess. */
const COST = { N: 16_384, r: 8, p: 1 }
const BYTES = 32

/** `scrypt:<N>:<r>:<p>:<salt>:<hash>`; colons, because Compose and shells read more into a dollar. */
const HASHED = /^scrypt:(16384|32768|65536):(8):([1-4]):([\w-]{16,64}):([\w-]{43})$/

/** Whether a text is a hash that `isSecret` can check. */
export const isHash = (text: string): boolean => HASHED.test(text)

/** @returns what stands in the configuration in the place of a secret */
export async function hashSecret(secret: string): Promise<string> {
  const salt = randomBytes(16)
  const { N, r, p } = COST
  const hash = await derive(secret, salt, COST)
  return `scrypt:${N}:${r}:${p}:${salt.toString('base64url')}:${hash.toString('base64url')}`
}

/** Takes as long for a wrong secret as for the right one. */
export async function isSecret(secret: string, hashed: string): Promise<boolean> {
  const [, N, r, p, salt = '', hash = ''] = HASHED.exec(hashed) ?? []
  const right = Buffer.from(hash, 'base64url')
  const cost = { N: Number(N), r: Number(r), p: Number(p) }
  const given = await derive(secret, Buffer.from(salt, 'base64url'), cost)
  return right.length === given.length && timingSafeEqual(given, right)
}

function derive(secret: string, salt: Buffer, cost: typeof COST): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    // Twice of what the largest cost allowed above needs.
    const options = { ...cost, maxmem: 256 * 1024 * 1024 }
    scrypt(secret.normalize('NFC'), salt, BYTES, options, (error, key) => (error ? reject(error) : resolve(key)))
  })
}
