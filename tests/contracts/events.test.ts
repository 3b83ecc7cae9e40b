import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { SERVICES } from '../../compose/provision/services.ts'
import { checkEvent } from './events.ts'

describe('the contract of the events', () => {
  it('names every schema there is, and none that is not', () => {
    const document = parse(readFileSync(join(import.meta.dirname, 'asyncapi.yaml'), 'utf8'))
    const files = readdirSync(join(import.meta.dirname, 'events')).map((name) => name.replace(/\.json$/, ''))
    expect(Object.keys(document.components.messages).sort()).toEqual(files.sort())
    expect(Object.keys(document.channels.events.messages).sort()).toEqual(files.sort())
    for (const [name, message] of Object.entries<{ payload: { $ref: string } }>(document.components.messages)) {
      expect(message.payload.$ref).toBe(`./events/${name}.json`)
    }
  })

  it('has each event told by one context', () => {
    const told = SERVICES.flatMap((row) => row.tells)
    const files = readdirSync(join(import.meta.dirname, 'events')).map((name) => name.replace(/\.v\d+\.json$/, ''))
    expect(told.toSorted()).toEqual([...new Set(files)].sort())
  })

  it('notices a field too many, one too few, one of another kind, and an unknown type', () => {
    const check = (payload: unknown, type = 'ProductDeleted') => checkEvent({ type, version: 1, payload })
    expect(check({ productId: 1, sku: 'A-1' })).toEqual([])
    expect(check({ productId: 1, sku: 'A-1', name: 'A' })).toHaveLength(1)
    expect(check({ productId: 1 })).toHaveLength(1)
    expect(check({ productId: '1', sku: 'A-1' })).toHaveLength(1)
    expect(check({}, 'ProductForgotten')).toEqual([expect.stringContaining('has no schema')])
  })
})
