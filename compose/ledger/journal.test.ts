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

test('a cancellation counts as asked for from the line before its request on, and a later status does not undo that', async () => {
  const at = '2026-01-01T00:00:00Z'
  const order = (key: string, orderId: number, status: string) => ({ kind: 'order', at, key, orderId, status }) as const
  const lines: Told[] = [
    order('asked', 1, 'confirmed'),
    order('let be', 2, 'confirmed'),
    { kind: 'cancelling', at, orderId: 1 },
    order('asked', 1, 'shipped'),
  ]
  const file = join(folder, 'told.jsonl')
  await writeFile(file, `${lines.map((line) => JSON.stringify(line)).join('\n')}\n{"kind":"cancelling","orderId":2`)
  const { orders } = await readJournal(file)
  expect([...orders.values()].map(({ key, cancelling }) => [key, cancelling])).toEqual([
    ['asked', true],
    ['let be', false],
  ])
})
