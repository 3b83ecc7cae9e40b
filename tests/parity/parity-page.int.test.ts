import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { blocksOfPage } from './parity-page.ts'
import { parity, readReport } from './run-parity.ts'

const folder = mkdtempSync(join(tmpdir(), 'banyan-parity-page-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const yamlUnder = (heading: string) =>
  blocksOfPage().flatMap(({ under, language, text }) => (under === heading && language === 'yaml' ? [text] : []))

it('does with the scenario and the rule of docs/parity.md what the page says', async () => {
  const context = join(folder, 'parity/inventory')
  cpSync(join(import.meta.dirname, 'inventory'), context, { recursive: true })
  for (const part of ['openapi.yaml', 'openapi'])
    cpSync(join(import.meta.dirname, '../contracts', part), join(folder, 'contracts', part), { recursive: true })
  const settings = join(context, 'parity.yaml')
  const [scenario, ...more] = yamlUnder('Adding a scenario')
  const [rule] = yamlUnder('Adding a rule')
  expect(more).toEqual([])
  writeFileSync(join(context, 'a-new-one.yaml'), scenario!)
  writeFileSync(settings, `${readFileSync(settings, 'utf8')}${rule!.replace(/^/gm, '  ')}`)
  const reports = join(folder, 'reports')
  const { code, said } = await parity(reports, 'inventory', '--requests', '100', '--folder', join(folder, 'parity'))
  expect(readReport(reports), said).toMatchObject({ verdict: 'alike', differences: [] })
  expect(code).toBe(0)
  // What the page calls the scenario is the name that runs it alone.
  const [, name = ''] = /^scenario: (.+)$/m.exec(scenario!) ?? []
  const alone = await parity(reports, 'inventory', '--only', name, '--folder', join(folder, 'parity'))
  expect(readReport(reports), alone.said).toMatchObject({ verdict: 'alike', compared: 3 })
}, 240_000)
