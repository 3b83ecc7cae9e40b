/** What the component `telemetry` tells its own parts, and the processes, of each other. */
import { beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { STAGES } from '../../compose/provision/services.ts'
import { VIEWERS } from '../compose/support/check.ts'
import { loadStage } from '../compose/support/load.ts'
import { containersOf, type Obj, ofKind, podOf, workloads } from './support/objects.ts'
import { programOf, settingsOf } from './support/programs.ts'
import { renderWith } from './support/render.ts'

const TRACES = 'OTEL_EXPORTER_OTLP_ENDPOINT'
const [, WITH_DOOR, , LATER] = STAGES
let stages: Obj[][]

beforeAll(async () => {
  stages = [await renderWith(WITH_DOOR, ['telemetry']), await renderWith(LATER, ['telemetry'])]
}, 120_000)

test('each process that answers requests, the mover, and nobody else, is told where to send its spans', () => {
  for (const objects of stages) {
    const programs = workloads(objects).flatMap((workload) =>
      containersOf(workload).map((container) => ({ name: workload.metadata.name, container })),
    )
    const able = programs.filter(({ container }) => {
      const program = programOf(container)
      if (program === undefined) return false
      const { known } = settingsOf(program, {})
      // The mover's commands take the variable with all others of a process, but make no spans.
      return known(TRACES) && (known('PORT') || container.args?.at(-1) === 'run')
    })
    const told = programs.filter(({ container }) =>
      container.env?.some(({ name, value }) => name === TRACES && value === 'http://collector'),
    )
    expect(able.length).toBeGreaterThan(1)
    expect(told.map(({ name }) => name)).toEqual(able.map(({ name }) => name))
  }
})

test('on Compose each of them may write where it may on Kubernetes: its image is read-only in both', () => {
  const { services } = loadStage(WITH_DOOR)
  const viewers = workloads(stages[0]!).filter(({ metadata: { name } }) => VIEWERS.includes(name))
  expect(viewers.length).toBe(VIEWERS.length)
  for (const workload of viewers) {
    const { name } = workload.metadata
    const kept = [
      ...(podOf(workload).volumes ?? []).filter(({ emptyDir }) => emptyDir).map((volume) => volume.name),
      ...((workload.spec.volumeClaimTemplates ?? []) as unknown as Obj[]).map(({ metadata }) => metadata.name),
    ]
    const wanted = containersOf(workload)
      .flatMap(({ volumeMounts = [] }) => volumeMounts)
      .filter((mount) => kept.includes(mount.name))
      .map(({ mountPath }) => mountPath)
    const { tmpfs = [], volumes = [] } = services[name] ?? {}
    const given = [...tmpfs.map((one) => one.split(':')[0]), ...volumes.map((one) => /^[a-z]+:([^:]+)$/.exec(one)?.[1])]
    expect({ name, missing: wanted.filter((path) => !given.includes(path)) }).toEqual({ name, missing: [] })
  }
})

test('every address in a file of settings is a Service with that port', () => {
  const objects = stages[0]!
  const files = settings(objects)
  const addresses = Object.values(files).flatMap((text) =>
    [...text.matchAll(/(?:http:\/\/|endpoint: )([a-z][a-z-]*):(\d+)/g)].map(([, host, port]) => `${host}:${port}`),
  )
  expect(addresses.length).toBeGreaterThan(3)
  const services = ofKind(objects, 'Service').flatMap(({ metadata, spec }) =>
    (spec.ports ?? []).map(({ port }) => `${metadata.name}:${port}`),
  )
  expect(addresses.filter((one) => !services.includes(one))).toEqual([])
})

test('Prometheus finds its targets by headless Services that name the port', () => {
  const objects = stages[0]!
  type Job = { dns_sd_configs: { names: string[]; type: string }[] }
  const { scrape_configs } = parse(settings(objects)['prometheus.yaml'] ?? '', { merge: true }) as {
    scrape_configs: Job[]
  }
  const asked = scrape_configs.flatMap(({ dns_sd_configs }) =>
    dns_sd_configs.map(({ names, type }) => `${type} ${names}`),
  )
  const headless = ofKind(objects, 'Service').filter(
    ({ spec }) => (spec as { clusterIP?: string }).clusterIP === 'None',
  )
  expect(asked).toEqual(headless.map(({ metadata, spec }) => `SRV _${spec.ports?.[0]?.name}._tcp.${metadata.name}`))
})

/** The contents of all ConfigMaps, by the name of the file. */
function settings(objects: readonly Obj[]): Record<string, string> {
  return Object.assign({}, ...ofKind(objects, 'ConfigMap').map(({ data }) => data))
}
