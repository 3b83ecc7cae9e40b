import { hash, verify } from '@node-rs/argon2'

export type Passwords = {
  hash(password: string): Promise<string>
  /** With no hash to compare with it takes as long and says no: the time must not tell whether an account exists. */
  matches(password: string, passwordHash: string | undefined): Promise<boolean>
}

/**
 * argon2id.
 * @param cost.memoryKib memory of one hash; the default of the configuration is OWASP's
 * @param cost.passes how often that memory is gone over
 */
export function createPasswords(cost: { memoryKib: number; passes: number }): Passwords {
  const options = { memoryCost: cost.memoryKib, timeCost: cost.passes, parallelism: 1 }
  const decoy = hash('nobody has this password', options)
  return {
    hash: (password) => hash(password, options),
    async matches(password, passwordHash) {
      const same = await verify(passwordHash ?? (await decoy), password)
      return same && passwordHash !== undefined
    },
  }
}
