/** Keys of a stack: ES256 pairs for users' tokens and for calls between processes, and the proxy's secrets. */
import { randomBytes, scryptSync } from 'node:crypto'
import { exportJWK, generateKeyPair, type JWK } from 'jose'

export type Keys = {
  /** Private JWKS; the first key signs users' tokens. */
  userKeys: string
  /** The same keys, public: for whoever checks a user's token. */
  userJwks: string
  /** Per process its private JWK for calls to others. */
  internalKey: (process: string) => string
  /** Public keys of all processes; `kid` is the process's name. */
  internalJwks: string
  cookieKey: string
  overrideKey: string
  opsToken: string
  /** Who logs in at the operators' console, and what the proxy knows of them: no secret. */
  console: { name: string; secret: string; operators: string }
  paymentProviderKey: string
}

/** @param processes the names of those that call others */
export async function newKeys(processes: readonly string[]): Promise<Keys> {
  const user = await pair(`users-${randomBytes(4).toString('hex')}`)
  const internal = new Map<string, Awaited<ReturnType<typeof pair>>>()
  for (const name of processes) internal.set(name, await pair(name))
  return {
    userKeys: JSON.stringify({ keys: [user.private] }),
    userJwks: JSON.stringify({ keys: [user.public] }),
    internalKey(process) {
      const found = internal.get(process)
      if (!found) throw new Error(`no internal key was made for ${process}`)
      return JSON.stringify(found.private)
    },
    internalJwks: JSON.stringify({ keys: [...internal.values()].map((each) => each.public) }),
    cookieKey: randomBytes(32).toString('base64url'),
    overrideKey: randomBytes(32).toString('base64url'),
    // Hexadecimal: people pass it as an argument, where a leading hyphen would read as another option.
    opsToken: randomBytes(18).toString('hex'),
    console: consoleLogin(),
    paymentProviderKey: randomBytes(18).toString('base64url'),
  }
}

/** The proxy's own format for an operator: strangler-proxy/README.md. */
function consoleLogin(): Keys['console'] {
  const name = 'ops'
  const secret = randomBytes(15).toString('hex')
  const salt = randomBytes(16)
  const hash = scryptSync(secret, salt, 32, { N: 16_384, r: 8, p: 1 })
  const hashed = `scrypt:16384:8:1:${salt.toString('base64url')}:${hash.toString('base64url')}`
  return { name, secret, operators: JSON.stringify([{ name, role: 'operator', secret: hashed }]) }
}

async function pair(kid: string): Promise<{ private: JWK; public: JWK }> {
  const keys = await generateKeyPair('ES256', { extractable: true })
  const more = { kid, alg: 'ES256', use: 'sig' }
  return {
    private: { ...(await exportJWK(keys.privateKey)), ...more },
    public: { ...(await exportJWK(keys.publicKey)), ...more },
  }
}
