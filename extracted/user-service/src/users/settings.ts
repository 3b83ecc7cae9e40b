import { jwksVariable } from '@banyan/kit/service'
import { z } from 'zod'

const seconds = z.coerce.number().int().min(1)

/** What the users context takes from the environment. */
export const usersSettings = {
  /** Private keys of the access tokens: the first signs, the public halves of all are published. */
  JWT_KEYS: jwksVariable,
  JWT_ISSUER: z.string().min(1).default('banyan-shop'),
  /** Whom the tokens are for, as whoever checks them expects it: the issuer unless told. */
  JWT_AUDIENCE: z.string().min(1).optional(),
  ACCESS_TOKEN_SECONDS: seconds.default(900),
  REFRESH_TOKEN_SECONDS: seconds.default(30 * 86_400),
  /** argon2id as OWASP recommends it: 19 MiB, two passes, one lane. */
  ARGON2_MEMORY_KIB: z.coerce.number().int().min(8).default(19_456),
  ARGON2_PASSES: z.coerce.number().int().min(1).default(2),
  /** The shop's first administrator, made at the start if there is none of that address. */
  ADMIN_EMAIL: z.email().optional(),
  ADMIN_PASSWORD: z.string().min(12).optional(),
}

export type UsersSettings = Readonly<z.infer<z.ZodObject<typeof usersSettings>>>
