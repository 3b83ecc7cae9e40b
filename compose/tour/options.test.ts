import { expect, test } from 'vitest'
import { readOptions } from './options.ts'

const CHAPTERS = ['0-monolith', '1-proxy']

test('without options the tour goes through everything, at 50 a second, and stops the stack', () => {
  expect(readOptions([], CHAPTERS)).toEqual({
    auto: false,
    through: undefined,
    stay: false,
    rate: 50,
    report: undefined,
    chaos: undefined,
    help: false,
  })
})

test('a stage that does not exist is refused with those that do', () => {
  expect(() => readOptions(['--through', '9-mars'], CHAPTERS)).toThrow('0-monolith, 1-proxy')
})

test('a rate that is no number is refused', () => {
  expect(() => readOptions(['--rate', 'fast'], CHAPTERS)).toThrow('--rate fast')
})

test('chaos wants a seed', () => {
  expect(readOptions(['--chaos', '7'], CHAPTERS).chaos).toBe('7')
  expect(() => readOptions(['--chaos', ''], CHAPTERS)).toThrow('--chaos')
})

test('an unknown option is refused', () => {
  expect(() => readOptions(['--quickly'], CHAPTERS)).toThrow('--quickly')
})

test('a report that cannot be written is refused before the tour', () => {
  for (const report of ['/no/such/folder/report.json', '/tmp'])
    expect(() => readOptions(['--report', report], CHAPTERS)).toThrow(`--report ${report}: it cannot be written there`)
  expect(() => readOptions(['--report', ''], CHAPTERS)).toThrow('--report: say a file')
  expect(readOptions(['--report', 'report.json'], CHAPTERS).report).toBe('report.json')
})
