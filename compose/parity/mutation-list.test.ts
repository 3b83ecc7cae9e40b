import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { MUTATIONS } from './mutation-list.ts'

const SOURCES = join(import.meta.dirname, '../../extracted/inventory-service/src/inventory')

it('every mutation still finds its line in the service, once, and changes it', () => {
  expect(MUTATIONS).toHaveLength(50)
  for (const { what, file, from, to } of MUTATIONS) {
    expect(readFileSync(join(SOURCES, file), 'utf8').split(from), `${file}: ${what}`).toHaveLength(2)
    expect(from).not.toBe(to)
  }
})
