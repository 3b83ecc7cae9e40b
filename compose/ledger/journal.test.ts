import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Told } from '../shoppers/told.ts'
import { readJournal } from './journal.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'journal-'))
})
afterEach(() => rm(folder, { recursive: true }))

const at = '2026-01-01T00:00:00Z'
const read = async (lines: readonly Told[], torn = '') => {
  const file = join(folder, 'told.jsonl')
  await writeFile(file, `${lines.map((line) => JSON.stringify(line)).join('\n')}\n${torn}`)
  return await readJournal(file)
}
const order = (key: string, orderId: number, status: string) => ({ kind: 'order', at, key, orderId, status }) as const

test('a cancellation counts as asked for from the line before its request on, and a later status does not undo that', async () => {
  const lines: Told[] = [
    order('asked', 1, 'confirmed'),
    order('let be', 2, 'confirmed'),
    { kind: 'cancelling', at, orderId: 1 },
    order('asked', 1, 'shipped'),
  ]
  const { orders } = await read(lines, '{"kind":"cancelling","orderId":2')
  expect([...orders.values()].map(({ key, cancelling }) => [key, cancelling])).toEqual([
    ['asked', true],
    ['let be', false],
  ])
})

test('of an order counts what was told last, a cancellation included, and all the numbers that it was given', async () => {
  const { orders } = await read([
    order('confirmed', 1, 'pending'),
    order('cancelled', 2, 'confirmed'),
    { kind: 'cancelling', at, orderId: 2 },
    { kind: 'cancel', at, orderId: 2, status: 'cancelled' },
    order('confirmed', 1, 'confirmed'),
    order('confirmed', 3, 'confirmed'),
  ])
  expect([...orders.values()].map(({ key, status, orderIds }) => [key, status, [...orderIds]])).toEqual([
    ['confirmed', 'confirmed', [1, 3]],
    ['cancelled', 'cancelled', [2]],
  ])
})

test('stock that was moved by hand counts for sure, not at all, or perhaps where there was no answer', async () => {
  const moved = (id: string, delta: number) => ({ kind: 'adjusting', at, id, productId: 7, delta }) as const
  const { adjusted } = await read([
    moved('done', 3),
    moved('refused', 5),
    moved('unheard', 9),
    { kind: 'adjusted', at, id: 'done', done: true },
    { kind: 'adjusted', at, id: 'refused', done: false },
  ])
  expect(adjusted.get(7)).toEqual({ sure: 3, unsure: [9] })
})

test('a key that was refused is one of which no order may stand', async () => {
  expect((await read([{ kind: 'refused', at, key: 'no', status: 402 }])).refused).toEqual(new Set(['no']))
})
