import { storableText } from '@banyan/kit/service'
import { z } from 'zod'

// What one writes as Ada@Example.org and as ada@example.org is one account.
const email = z.string().trim().toLowerCase().max(254).pipe(z.email())
const name = storableText(1, 100)
// argon2 reads all of it, so the length is bounded; NIST SP 800-63B asks for at least 8.
const password = z.string().min(8).max(200)

export const registration = z.strictObject({ email, password, name })
export const credentials = z.strictObject({ email, password: z.string().min(1).max(200) })
export const refreshRequest = z.strictObject({ refreshToken: z.string().min(1).max(200) })
export const profilePatch = z
  .strictObject({ name, email })
  .partial()
  .refine((patch) => Object.keys(patch).length > 0, 'names no field to change')

export type Registration = z.infer<typeof registration>
export type Credentials = z.infer<typeof credentials>
export type ProfilePatch = z.infer<typeof profilePatch>
