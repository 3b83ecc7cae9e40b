import { jsonVariable } from '@banyan/kit/service'
import { z } from 'zod'
import { hashSecret, isHash, isSecret } from './secret.ts'

/** A viewer sees; an operator also acts. */
export type Role = 'viewer' | 'operator'
export type Operator = { readonly name: string; readonly role: Role; readonly secret: string }

const operator = z.strictObject({
  name: z.string().regex(/^[\w.@-]{1,64}$/, 'must be up to 64 letters, digits and . _ @ -'),
  role: z.enum(['viewer', 'operator']),
  secret: z.string().refine(isHash, 'must be a hash as `banyan-operator` prints it'),
})

/** `[{"name", "role", "secret"}]`: who may log in at the console; the secrets are hashed. */
export const operatorsVariable = jsonVariable(
  z
    .array(operator)
    .refine((all) => new Set(all.map((one) => one.name)).size === all.length, 'has a name that is there twice'),
)

/** Says who somebody is, or null; an unknown name takes as long as a wrong secret. */
export function createIdentify(
  operators: readonly Operator[],
): (name: string, secret: string) => Promise<Operator | null> {
  const decoy = hashSecret('nobody')
  return async (name, secret) => {
    const known = operators.find((one) => one.name === name)
    const right = await isSecret(secret, known?.secret ?? (await decoy))
    return right && known ? known : null
  }
}
