import { expect, it } from 'vitest'
import type { AuditLine } from '../audit.ts'
import { createNoteStranger } from './strangers.ts'

function start() {
  const clock = { now: 0 }
  const lines: AuditLine[] = []
  const note = createNoteStranger(
    async (line) => void lines.push(line),
    () => clock.now,
  )
  const refuse = (address: string) =>
    note(address, { who: 'unknown', what: 'login', why: `from ${address}`, result: 'refused' })
  return { clock, lines, refuse }
}

it('writes ten lines an hour of an address, and then says how many it has left out', () => {
  const { clock, lines, refuse } = start()
  for (let time = 0; time < 1_000; time += 1) refuse('a')
  expect(lines).toEqual(Array(10).fill({ who: 'unknown', what: 'login', why: 'from a', result: 'refused' }))
  refuse('b')
  refuse('b')
  clock.now = 3_600_000
  refuse('a')
  expect(lines.slice(10).map(({ why }) => why)).toEqual([
    'from b; 990 more were not written down before',
    'from b',
    'from a',
  ])
})

it('writes sixty lines an hour of all addresses together', () => {
  const { clock, lines, refuse } = start()
  for (let address = 0; address < 1_000; address += 1) refuse(String(address))
  expect(lines.length).toBe(60)
  clock.now = 3_600_000
  for (let address = 0; address < 1_000; address += 1) refuse(String(address))
  expect(lines.length).toBe(120)
})
