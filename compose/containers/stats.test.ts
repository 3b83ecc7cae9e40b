import { expect, test } from 'vitest'
import { means, readStats } from './stats.ts'

const line = (Name: string, MemUsage: string, CPUPerc: string) => JSON.stringify({ Name, MemUsage, CPUPerc })

test('sizes are in MiB, whatever the engine writes them in', () => {
  const lines = ['512KiB / 1GiB', '80.5MiB / 256MiB', '1.5GiB / 2GiB'].map((used, n) => line(`c${n}`, used, '12.5%'))
  expect(readStats(`${lines.join('\n')}\n`)).toEqual([
    { container: 'c0', mib: 0.5, cpu: 12.5 },
    { container: 'c1', mib: 80.5, cpu: 12.5 },
    { container: 'c2', mib: 1536, cpu: 12.5 },
  ])
})

test('a container of which nothing is known is not taken for one that takes nothing', () => {
  expect(() => readStats(line('gone', '-- / --', '--'))).toThrow('gone')
})

test('several samples of a container are its mean', () => {
  const samples = [
    { container: 'b', mib: 10, cpu: 0 },
    { container: 'a', mib: 1, cpu: 1 },
    { container: 'b', mib: 20, cpu: 50 },
  ]
  expect(means(samples)).toEqual([
    { container: 'a', mib: 1, cpu: 1 },
    { container: 'b', mib: 15, cpu: 25 },
  ])
})
