import { ruleShape } from '@banyan/kit/parity/answers'
import { z } from 'zod'
import { duration } from './schema-duration.ts'
import { corsSchema, rate } from './schema-gateway.ts'
import { balanceSchema } from './schema-upstreams.ts'

const method = z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
const name = z.string().regex(/^[a-z][a-z0-9-]*$/, 'must be a lower-case name such as "billing"')

const size = z
  .string()
  .regex(/^\d+(kb|mb)$/, 'must be a size such as 100kb or 5mb')
  .transform((text) => Number.parseInt(text, 10) * (text.endsWith('kb') ? 1024 : 1024 * 1024))

const header = z
  .string()
  .regex(
    /^[a-z0-9]+(-[a-z0-9]+)*(-\*)?$/,
    'must be a header in lower case such as x-tenant-id, or a beginning such as x-tenant-*',
  )

const host = z
  .string()
  .regex(
    /^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*$/,
    'must be a host in lower case such as shop.example, or *.shop.example for those below it',
  )

const rule = z.strictObject({
  method: z.union([method.transform((one) => [one]), z.array(method).min(1)]),
  path: z.string(),
  context: name,
  access: z.enum(['read', 'write']),
  writes: z.array(name).min(1).optional(),
  auth: z.enum(['required', 'optional']).default('optional'),
  limits: z.strictObject({ body: size.optional(), address: rate.optional(), account: rate.optional() }).optional(),
  deadline: duration.optional(),
  personal: z.array(z.string().min(1)).optional(),
  resend: z.enum(['never', 'idempotency-key', 'always']).optional(),
})

/** The route table as it is written; `parseRoutes` says what must hold beyond the form. */
export const routeTableSchema = z.strictObject({
  /** Each context with the name its service registers its instances under. */
  contexts: z.record(name, name).refine((all) => Object.keys(all).length > 0, 'must name at least one context'),
  /** Members of any body or query whose value is never recorded, beside those that are called as secrets usually are. */
  personal: z.array(z.string().min(1)).default([]),
  /** Headers that say who somebody is: taken from clients beside those that always are, or left to them all the same. */
  identity: z
    .strictObject({ strip: z.array(header).default([]), keep: z.array(header).default([]) })
    .default({ strip: [], keep: [] }),
  /** What both sides' answers to a mirrored read may differ in; `operation` is a rule as it is named, `GET /api/items`. */
  differences: z.array(ruleShape).default([]),
  upstreams: balanceSchema.prefault({}),
  /** Requests of an address on all rules together, and off them; bodies of rules that name no limit, and off the rules. */
  limits: z.strictObject({ address: rate.optional(), body: size.optional() }).default({}),
  /** The hosts that requests may name, without a port; any unless told. */
  hosts: z.array(host).min(1).optional(),
  cors: corsSchema.optional(),
  routes: z.array(rule).min(1),
})

export type WrittenRule = z.infer<typeof rule>
