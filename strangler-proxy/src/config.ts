import { jsonVariable, processConfig } from '@banyan/kit/service'
import { z } from 'zod'
import { operatorsVariable } from './ops/console/operators.ts'

const secret = z.string().min(16, 'must have at least 16 characters')
const httpUrl = z.url({ protocol: /^http$/ })

/** What the proxy takes from its environment. */
export const proxyConfig = processConfig
  .extend({
    OPS_HOST: z.string().default('127.0.0.1'),
    OPS_PORT: z.coerce.number().int().min(0).max(65_535),
    CONTROL_DATABASE_URL: z.string().min(1),
    UNLEASH_URL: z.url(),
    UNLEASH_TOKEN: z.string().min(1),
    UNLEASH_ENVIRONMENT: z.string().default('development'),
    /** Where the last flags are kept for a start without Unleash; absent: they are not kept. */
    UNLEASH_BACKUP_PATH: z.string().optional(),
    ROUTES: z.string().min(1),
    /**
     * One address, or several with commas between; `none` where every context has left and the monolith is gone. The word
     * is asked for, because a forgotten address would turn whatever no rule names into a 404.
     */
    MONOLITH_URL: z
      .string()
      .transform((text) => (text === 'none' ? [] : text.split(',').map((one) => one.trim())))
      .pipe(z.array(httpUrl)),
    /** `{"<context>": "<url>"}`; a context that is missing is looked up in the instances table. */
    SERVICE_URLS: jsonVariable(z.record(z.string(), httpUrl)).default({}),
    COOKIE_KEY: secret,
    /** Secure cookies: for a proxy behind TLS. */
    COOKIE_SECURE: z
      .enum(['true', 'false'])
      .default('false')
      .transform((text) => text === 'true'),
    OVERRIDE_KEY: secret,
    /** Public keys of access tokens; absent: every client counts as anonymous when shares are decided. */
    JWT_JWKS: jsonVariable(z.object({ keys: z.array(z.looseObject({ kty: z.string() })) })).optional(),
    /** Or where they are published; fetched again when a token names a key that is not among them. */
    JWT_JWKS_URL: z.url({ protocol: /^https?$/ }).optional(),
    /** Needed beside the keys: a wrong guess would make every client anonymous without a word. */
    JWT_ISSUER: z.string().min(1).optional(),
    /** The issuer unless told. */
    JWT_AUDIENCE: z.string().min(1).optional(),
    OPS_TOKEN: secret,
    /** Who may log in at the console: `[{"name", "role": "viewer" or "operator", "secret": a hash}]`; nobody unless told. */
    CONSOLE_OPERATORS: operatorsVariable.default([]),
    CONSOLE_SESSION_MINUTES: z.coerce.number().min(0.01).max(1_440).default(480),
    /** For the console's sliders; without it shares are shown and not set. */
    UNLEASH_ADMIN_TOKEN: z.string().min(1).optional(),
    /** Where recordings go; without it none can be made. */
    RECORD_FOLDER: z.string().min(1).optional(),
    /** What of a token is recorded beside a stand-in for its subject. */
    RECORD_CLAIMS: z
      .string()
      .default('role,roles,scope')
      .transform((text) => text.split(',').map((one) => one.trim())),
    /** Where samples of mismatches of mirrored reads are kept beside the memory; without it nowhere else. */
    MIRROR_FOLDER: z.string().min(1).optional(),
    /** Mirrored reads are not compared while the other side's last applied heartbeat is older. */
    MIRROR_MAX_LAG_MS: z.coerce.number().int().min(100).default(5_000),
    /** Milliseconds within which the headers of a request have to arrive, and all of it. */
    HEADERS_TIMEOUT_MS: z.coerce.number().int().min(100).default(10_000),
    REQUEST_TIMEOUT_MS: z.coerce.number().int().min(100).default(300_000),
    /** Bytes that the headers of a request may have. */
    MAX_HEADER_BYTES: z.coerce.number().int().min(1_024).max(262_144).default(16_384),
    /** How many proxies in front of this one write X-Forwarded-For. */
    TRUSTED_HOPS: z.coerce.number().int().min(0).max(10).default(0),
    /** The same for the operators' listener, to which another way may lead. */
    OPS_TRUSTED_HOPS: z.coerce.number().int().min(0).max(10).default(0),
  })
  .refine(
    ({ JWT_JWKS, JWT_JWKS_URL, JWT_ISSUER }) => (JWT_JWKS ?? JWT_JWKS_URL) === undefined || JWT_ISSUER !== undefined,
    {
      path: ['JWT_ISSUER'],
    },
  )
  .refine(({ JWT_JWKS, JWT_JWKS_URL }) => JWT_JWKS === undefined || JWT_JWKS_URL === undefined, {
    path: ['JWT_JWKS_URL'],
    message: 'names keys a second time beside JWT_JWKS; say one of the two',
  })

export type ProxyConfig = Readonly<z.infer<typeof proxyConfig>>
