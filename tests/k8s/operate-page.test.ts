/** docs/operate.md names what is there: its commands are read, and those that need no engine are run. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'
import { STAGES } from '../../compose/provision/services.ts'
import { createTokenSigner, createTokenVerifier, publicJwks } from '../../kit/service/tokens.ts'
import { loadStage } from '../compose/support/load.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')
const page = read('docs/operate.md')
/** What is written as code, line by line. */
const code = [...page.matchAll(/^ {4}(.*)$|`([^`\n]+)`/gm)].map(([, line, word]) => line ?? word ?? '')
const all = (pattern: RegExp) => code.flatMap((line) => [...line.matchAll(pattern)])
/** Where the page means any stage, the one that has everything. */
const stageNamed = (file: string) => (file === '<stage>' ? STAGES[6] : file)

it('every script of npm that it names is one', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const named = all(/npm run (?:-s |--silent )?([\w:]+)/g).map(([, name]) => name as string)
  expect(named.length).toBeGreaterThan(5)
  expect(named.filter((name) => !(name in scripts))).toEqual([])
})

it('every stage, profile and container of Compose that it names is there', () => {
  const commands = all(
    /docker compose -f compose\/(\S+)\.yaml(?: --profile (\S+))? ([a-z]+)((?: -{1,2}\S+)*)(?: (\S+))?/g,
  )
  expect(commands.length).toBeGreaterThan(10)
  const faults = commands.flatMap(([command, file = '', profile = '', verb = '', , container]) => {
    const stage = stageNamed(file)
    if (!(STAGES as readonly unknown[]).includes(stage)) return [command]
    const { services } = loadStage(stage as string)
    const profiles = Object.values(services).flatMap((service) => service.profiles ?? [])
    const isThere = container === undefined || !['up', 'run', 'exec'].includes(verb) || container in services
    return isThere && (profile === '' || profile === "'*'" || profiles.includes(profile)) ? [] : [command]
  })
  expect(faults).toEqual([])
})

it('every command of `banyan` that it names is one', () => {
  const verbs = [...read('migrations/src/cli.ts').matchAll(/^ {2}(\w+): async/gm)].map(([, verb]) => verb)
  const named = all(/(?:(?<!-n )\bbanyan|\btools) ([a-z]+)/g).map(([, verb]) => verb)
  expect(named.length).toBeGreaterThan(8)
  expect(named.filter((verb) => !verbs.includes(verb))).toEqual([])
})

it('every file that it names is there', () => {
  const named = all(/(?:^|\s)((?:\.github|k8s|compose|tests|kit|docs)\/[\w./-]+)/g).map(([, file]) => file as string)
  expect(named.length).toBeGreaterThan(5)
  expect(named.filter((file) => !existsSync(join(ROOT, file)))).toEqual([])
})

it('with the key that its command makes, tokens of the old key and of the new one are good', async () => {
  const [command = ''] = /^ {4}node -e "[^"]*"$/m.exec(page) ?? []
  const makeKey = () => {
    const lines = execFileSync('sh', ['-c', command], { encoding: 'utf8' }).trim().split('\n')
    return lines.map((line) => JSON.parse(line))
  }
  const [[old], [fresh, shown]] = [makeKey(), makeKey()]
  const keys = publicJwks({ keys: [old, fresh] })
  expect(keys.keys[1]).toEqual(shown)
  const said = { issuer: 'shop', audience: 'shop', typ: 'at+jwt' }
  const verifier = createTokenVerifier({ ...said, jwks: keys })
  for (const privateJwk of [old, fresh]) {
    const token = await createTokenSigner({ ...said, privateJwk, ttlSeconds: 60 }).sign({ sub: '7' })
    expect(await verifier.verify(token)).toMatchObject({ sub: '7' })
  }
})
