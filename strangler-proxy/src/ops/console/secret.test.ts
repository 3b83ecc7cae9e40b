import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createIdentify, operatorsVariable } from './operators.ts'
import { hashSecret, isHash, isSecret } from './secret.ts'

describe('a secret', () => {
  it('is known by its hash, which is another one each time', async () => {
    const [one, two] = await Promise.all([hashSecret('a long secret'), hashSecret('a long secret')])
    expect(one).not.toBe(two)
    expect(isHash(one)).toBe(true)
    expect(await Promise.all([isSecret('a long secret', one), isSecret('a long secret', two)])).toEqual([true, true])
    expect(await Promise.all([isSecret('a long secreT', one), isSecret('', one)])).toEqual([false, false])
  })

  it('is not taken for a hash, nor is a hash that would be cheap to guess', async () => {
    const hash = await hashSecret('a long secret')
    expect(['a long secret', hash.replace('16384', '1024'), hash.slice(0, -1), `${hash}x`].filter(isHash)).toEqual([])
  })
})

describe('the operators', () => {
  it('are refused in the configuration with a plain secret, an unknown role, or a name that is there twice', async () => {
    const secret = await hashSecret('a long secret')
    const ann = { name: 'ann', role: 'operator', secret }
    expect(operatorsVariable.safeParse(JSON.stringify([ann])).success).toBe(true)
    for (const wrong of [
      [{ ...ann, secret: 'plain' }],
      [{ ...ann, role: 'root' }],
      [{ ...ann, name: 'a b' }],
      [ann, ann],
    ]) {
      const { success, error } = operatorsVariable.safeParse(JSON.stringify(wrong))
      expect(success).toBe(false)
      expect(error?.message).not.toContain('plain"')
    }
  })

  it('are identified by name and secret together', async () => {
    const identify = createIdentify([{ name: 'ann', role: 'viewer', secret: await hashSecret('a long secret') }])
    expect(await identify('ann', 'a long secret')).toMatchObject({ name: 'ann', role: 'viewer' })
    expect([await identify('ann', 'nobody'), await identify('bob', 'nobody')]).toEqual([null, null])
  })
})

describe('banyan-operator', () => {
  const run = (args: string[], input: string) =>
    spawnSync(process.execPath, [join(import.meta.dirname, '../../operator.ts'), ...args], { input, encoding: 'utf8' })

  it('prints an entry that the proxy takes, without the secret', async () => {
    const { stdout, status } = run(['ann', 'operator'], 'a long secret\n')
    expect(status).toBe(0)
    expect(stdout).not.toContain('a long secret')
    expect(operatorsVariable.safeParse(`[${stdout}]`).success).toBe(true)
    expect(await isSecret('a long secret', JSON.parse(stdout).secret)).toBe(true)
  })

  it('says what it needs', () => {
    for (const [args, input, said] of [
      [[], 'a long secret', 'the name must be'],
      [['ann', 'root'], 'a long secret', 'the role must be'],
      [['ann', 'viewer'], 'short', 'at least 12 characters'],
    ] as const) {
      const { stderr, stdout, status } = run([...args], input)
      expect([status, stdout]).toEqual([2, ''])
      expect(stderr).toContain(said)
    }
  })
})
