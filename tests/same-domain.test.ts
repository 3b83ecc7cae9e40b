/** A context in its service is the monolith's to the letter: what moves is where it runs, not what it does. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '..')
const MONOLITH = join(ROOT, 'monolith/src')
/** What stands above the domain in every service, and what proves it. */
const OWN = /^(main|service)\.ts$|\.test\.ts$|^testing\/|^ports?\//

const services = readdirSync(join(ROOT, 'extracted'))
  .filter((name) => existsSync(join(ROOT, 'extracted', name, 'package.json')))
  .map((name) => ({ name, src: join(ROOT, 'extracted', name, 'src') }))

test.each(services)('$name has the monolith’s files, but for the side it stands on', ({ src }) => {
  const domain = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.ts') && !OWN.test(name),
  )
  const differing = domain.filter((name) => read(src, name) !== read(MONOLITH, name))
  expect(domain.length).toBeGreaterThan(3)
  expect(differing.filter((name) => !name.endsWith('/side.ts'))).toEqual([])
  for (const name of differing)
    expect(read(src, name)).toBe(read(MONOLITH, name)?.replace("SIDE = 'monolith'", "SIDE = 'service'"))
})

test('there are services to compare', () => {
  expect(services.map(({ name }) => name)).toContain('inventory-service')
})

function read(folder: string, name: string): string | undefined {
  const path = join(folder, name)
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined
}
