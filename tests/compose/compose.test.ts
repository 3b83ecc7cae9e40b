/** Every stage of compose/, put together and held to the list of checks, and to the table of services. */
import { parseEnv } from 'node:util'
import { describe, expect, it, test } from 'vitest'
import { newEnvFiles } from '../../compose/containers/env-files.ts'
import { DATABASES } from '../../compose/provision/made-databases.ts'
import { MONOLITH, SERVICES, STAGES, type Stage as StageNumber, servicesOf } from '../../compose/provision/services.ts'
import { documentedSize } from '../k8s/support/documented-size.ts'
import { programOf, settingsOf, tableEnvironment } from '../k8s/support/programs.ts'
import { hardeningChecks } from './checks/hardening.ts'
import { startingChecks } from './checks/starting.ts'
import { isOnce } from './support/check.ts'
import { loadStage, type Service, type Stage } from './support/load.ts'

const CHECKS = [...startingChecks, ...hardeningChecks].sort((a, b) => a.n - b.n)
const stages = STAGES.map(loadStage)
const stage = (n: number) => stages[n] as Stage
const files = await newEnvFiles()

/** Set for Node, or for the container's health check. */
const NOT_SETTINGS = ['NODE_OPTIONS', 'HEALTH_URL', 'BANYAN_WHO']
/** Addresses of services that come later: see changes/0-monolith.yaml. */
const environmentOf = ({ env_file = [], environment = {} }: Service): Record<string, string> => ({
  ...Object.assign({}, ...env_file.map((file) => parseEnv(files[file.split('/').at(-1) as string] ?? ''))),
  ...Object.fromEntries(
    Object.entries(environment).map(([name, text]) => [name, text.replace(/^\$\{\w+:-(.*)\}$/, '$1')]),
  ),
})
const processes = (n: number) =>
  Object.entries(stage(n).services).flatMap(([name, service]) => {
    const { image = '', command = [], entrypoint = [] } = service
    const args = entrypoint.length > 0 ? entrypoint.slice(1) : command
    const program = command[0] === 'src/migrate.ts' ? undefined : programOf({ name, image, args })
    return program ? [{ name, service, program }] : []
  })

/** @returns MiB of all */
const total = (limits: readonly string[]) =>
  limits.reduce((all, limit) => all + Number.parseInt(limit, 10) * (limit.endsWith('g') ? 1024 : 1), 0)

describe.each(STAGES.map((name, n) => ({ name, n })))('$name', ({ n }) => {
  it.each(CHECKS)('$n: $title', ({ faults }) => {
    expect(faults(stage(n))).toEqual([])
  })

  it('has the processes of the table of services, each at its port', () => {
    const wanted = [...(n < 7 ? [MONOLITH] : []), ...servicesOf(n as StageNumber)]
    const { services } = stage(n)
    const there = Object.keys(services).filter((name) => name === MONOLITH.name || name.endsWith('-service'))
    expect(there.sort()).toEqual(wanted.map(({ name }) => name).sort())
    for (const { name, port } of wanted) expect(services[name]?.environment?.PORT).toBe(String(port))
    for (const { name, database } of servicesOf(n as StageNumber))
      expect(services[name]?.depends_on).toHaveProperty(`schema-${database}`)
    expect('mover' in services).toBe(n >= 2 && n < 7)
  })

  it('gives each process settings that it takes, none that it does not know, and all that the embedded stack gives', () => {
    expect(processes(n).length).toBeGreaterThan(0)
    for (const { name, service, program } of processes(n)) {
      const env = environmentOf(service)
      const { faults, known } = settingsOf(program, env)
      const unknown = Object.keys(env).filter((variable) => !NOT_SETTINGS.includes(variable) && !known(variable))
      const missing = tableEnvironment(name, n as StageNumber).filter((variable) => !(variable in env))
      expect({ name, faults, unknown, missing }).toEqual({ name, faults: [], unknown: [], missing: [] })
    }
  })

  it('49. may take what docs/operate.md says', () => {
    const staying = Object.values(stage(n).services).filter((service) => !isOnce(service) && !service.profiles)
    expect(documentedSize(STAGES[n] as string)[0]).toBe(`${total(staying.map(({ mem_limit = '?' }) => mem_limit))} MiB`)
  })

  it('names addresses under which somebody listens, now or in a later stage', () => {
    const all = stage(6).services
    const addresses = Object.values(stage(n).services).flatMap(({ environment = {} }) =>
      [
        ...Object.values(environment)
          .join(' ')
          .matchAll(/(?:http|smtp):\/\/([a-z-]+):(\d+)/g),
      ].map(([, host, port]) => ({
        host: host as string,
        port,
      })),
    )
    const ports = (service: Service | undefined) =>
      Object.entries(service?.environment ?? {})
        .filter(([name]) => /(^|_)PORT$/.test(name))
        .map(([, port]) => port)
    expect(addresses.filter(({ host, port }) => !ports(all[host]).includes(port as string))).toEqual([])
  })
})

describe('a check sees what it is for', () => {
  it.each(CHECKS)('$n: $title', ({ faults, plant }) => {
    const broken = structuredClone(stage(6))
    plant(broken)
    expect(faults(broken)).not.toEqual([])
  })
})

test('the databases, contexts and the door’s addresses are those of the table of services', () => {
  const { databases, flags, proxy } = stage(1).services
  expect(databases?.command?.slice(2).sort()).toEqual(['control', 'unleash', ...DATABASES].sort())
  expect(flags?.command?.slice(2).sort()).toEqual(SERVICES.map(({ context }) => context).sort())
  const urls = SERVICES.map(({ context, name, port }) => [context, `http://${name}:${port}`])
  expect(JSON.parse(proxy?.environment?.SERVICE_URLS ?? '')).toEqual(Object.fromEntries(urls))
})

test('the command line may ask the proxy, with the token that the proxy takes; no other container has that', () => {
  for (const { services } of stages.slice(1)) {
    const holders = Object.entries(services).flatMap(([name, service]) => {
      const { OPS_TOKEN } = environmentOf(service)
      return OPS_TOKEN ? [[name, OPS_TOKEN]] : []
    })
    const token = parseEnv(files['proxy.env'] ?? '').OPS_TOKEN
    expect(Object.fromEntries(holders)).toEqual({ proxy: token, tools: token })
    const { environment } = services.tools as Service
    expect(environment?.OPS_URL).toBe(`http://proxy:${services.proxy?.environment?.OPS_PORT}`)
  }
  expect(Object.keys(parseEnv(files['tools.env'] ?? ''))).toEqual(['OPS_TOKEN'])
})

describe('50. a stage goes on where the one before was', () => {
  const same = (n: number, name: string) =>
    JSON.stringify(stage(n).services[name]) === JSON.stringify(stage(n - 1).services[name])
  const kept = (n: number) => Object.keys(stage(n - 1).services).filter((name) => name in stage(n).services)

  test('on the same volumes', () => {
    for (const each of stages) expect(each.volumes).toEqual(stage(0).volumes)
  })

  test('and starts nothing anew but what changes hands: the door first, the monolith’s address last', () => {
    const anew = stages.slice(1).map((_, at) =>
      kept(at + 1)
        .filter((name) => !same(at + 1, name))
        .sort(),
    )
    expect(anew).toEqual([['monolith', 'shoppers', 'smoke'], [], [], [], [], [], ['contexts', 'proxy']])
  })

  test('until the last one takes away the monolith and the mover', () => {
    const gone = stages
      .slice(1)
      .map((_, at) => Object.keys(stage(at).services).filter((name) => !kept(at + 1).includes(name)))
    expect(gone.map((names) => names.sort())).toEqual([
      [],
      [],
      [],
      [],
      [],
      [],
      ['arrive', 'flags', 'monolith', 'mover'],
    ])
  })
})
