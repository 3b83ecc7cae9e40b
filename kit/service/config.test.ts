import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { ConfigError, jsonVariable, processConfig, readConfig } from './config.ts'

describe('readConfig', () => {
  it('takes what is given, fills in what is not, and freezes it to the bottom', () => {
    const schema = processConfig.extend({
      KEYS: jsonVariable(z.object({ keys: z.array(z.object({ kty: z.string() })) })),
    })
    const config = readConfig(schema, { PORT: '3002', LOG_LEVEL: '', KEYS: '{"keys":[{"kty":"EC"}]}', OTHER: 'x' })
    expect(config).toMatchObject({ HOST: '127.0.0.1', PORT: 3002, LOG_LEVEL: 'info', KEYS: { keys: [{ kty: 'EC' }] } })
    expect(Object.isFrozen(config)).toBe(true)
    expect(Object.isFrozen(config.KEYS.keys[0])).toBe(true)
  })

  it('names all faults at once and shows no value', () => {
    const schema = processConfig.extend({
      DATABASE_URL: z.url(),
      KEY: jsonVariable(z.object({ kty: z.literal('EC') })),
      MODE: z.string().refine(() => false, { error: (issue) => `cannot use ${issue.input}` }),
      NAME: z.string(),
    })
    const env = { PORT: 'hush-port', DATABASE_URL: 'hush-url', KEY: '{"kty":"hush"', MODE: 'hush-mode' }
    let error: unknown
    try {
      readConfig(schema, env)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(ConfigError)
    const { faults, message } = error as ConfigError
    expect(faults.map((fault) => fault.split(/[: ]/)[0])).toEqual(['PORT', 'DATABASE_URL', 'KEY', 'MODE', 'NAME'])
    expect(message).toContain('NAME is missing')
    expect(message).not.toContain('hush')
  })

  it('says where inside a JSON variable the fault is', () => {
    const schema = z.object({ KEY: jsonVariable(z.object({ kty: z.literal('EC') })) })
    expect(() => readConfig(schema, { KEY: '{"kty":"RSA"}' })).toThrow(/KEY at kty: /)
  })
})
