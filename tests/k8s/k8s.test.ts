/** Every stage of k8s/, rendered by kustomize and held to the list of checks in k8s/README.md. */
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseEnv } from 'node:util'
import { beforeAll, describe, expect, it, test } from 'vitest'
import { newEnvFiles } from '../../compose/containers/env-files.ts'
import { kubernetesSecrets, type Secret } from '../../compose/kubernetes/secrets.ts'
import { SERVICES, STAGES, type Stage, servicesOf } from '../../compose/provision/services.ts'
import { loadStage } from '../compose/support/load.ts'
import { lifeChecks } from './checks/life.ts'
import { networkChecks } from './checks/network.ts'
import { operatorChecks } from './checks/operators.ts'
import { podChecks } from './checks/pods.ts'
import { scalingChecks } from './checks/scaling.ts'
import { largest, settingsChecks, smallestSize } from './checks/settings.ts'
import { the } from './support/check.ts'
import { documentedSize } from './support/documented-size.ts'
import { allowedEdges, architecture, watching } from './support/edges.ts'
import { environmentOf, NOT_SETTINGS } from './support/environment.ts'
import { containersOf, idOf, type Obj, ofKind, podOf, workloads } from './support/objects.ts'
import { withOperators } from './support/operators.ts'
import { programOf, settingsOf, tableEnvironment } from './support/programs.ts'
import { K8S, render, renderWith } from './support/render.ts'
import { schemaFaults } from './support/schema.ts'
import { stageDiff } from './support/stage-diff.ts'

const CHECKS = [...podChecks, ...lifeChecks, ...scalingChecks, ...networkChecks, ...settingsChecks].sort(
  (a, b) => a.n - b.n,
)
/** Every two components that are no rivals together at least once, and not always; on early, middle and late stages. */
const OVERLAYS: Record<string, { stage: Stage; components: string[] }> = {
  'on the first stage': { stage: 0, components: ['ingress-nginx', 'cloudnative-pg'] },
  'on the stage with the door': { stage: 1, components: ['telemetry'] },
  'half way': { stage: 3, components: ['gateway', 'prometheus-operator', 'keda', 'telemetry'] },
  'with operators’ servers': { stage: 5, components: ['gateway', 'cloudnative-pg', 'rabbitmq-cluster'] },
  'before the last stage': {
    stage: 6,
    components: ['ingress-nginx', 'rabbitmq-cluster', 'cloudnative-pg', 'telemetry', 'keda', 'prometheus-operator'],
  },
  'on the last stage': {
    stage: 7,
    components: ['ingress-traefik', 'cloudnative-pg', 'rabbitmq-cluster', 'prometheus-operator', 'keda', 'telemetry'],
  },
}
const overlays = new Map<string, Obj[]>()
const stages: Obj[][] = []
let secrets: Secret[]
const envFiles = await newEnvFiles()

beforeAll(async () => {
  secrets = await kubernetesSecrets()
  // Two at a time: each takes a second or more of a processor.
  const waiting = [
    ...STAGES.map((name, n) => async () => {
      stages[n] = await render(`stages/${name}`)
    }),
    ...Object.entries(OVERLAYS).map(([name, { stage: n, components }]) => async () => {
      overlays.set(name, await renderWith(STAGES[n], components))
    }),
  ]
  const work = async () => {
    for (let next = waiting.pop(); next; next = waiting.pop()) await next()
  }
  await Promise.all([work(), work()])
}, 240_000)

const stage = (n: number) => stages[n] as Obj[]
const copy = () => structuredClone(stage(6))

describe.each(STAGES.map((name, n) => ({ name, n })))('$name', ({ n }) => {
  it('1. renders, each object once', () => {
    const names = stage(n).map(idOf)
    expect(names.length).toBeGreaterThan(30)
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
  })

  it('2. and 3. has objects of current versions whose every field their schemas know', () => {
    expect(stage(n).flatMap((object) => schemaFaults(object).map((fault) => `${idOf(object)}: ${fault}`))).toEqual([])
  })

  it.each(CHECKS)('$n: $title', ({ faults }) => {
    expect(faults(stage(n))).toEqual([])
  })

  it('22. lets those talk to each other who must, and nobody else', () => {
    expect(allowedEdges(stage(n)).sort()).toEqual(architecture(n as Stage))
  })

  it('gives each process settings that it takes, none that it does not know, and all that the embedded stack gives', () => {
    const programs = workloads(stage(n)).flatMap((workload) =>
      containersOf(workload).map((container) => ({ workload, container, program: programOf(container) })),
    )
    for (const { workload, container, program } of programs) {
      if (program === undefined) continue
      const env = environmentOf(container, stage(n), secrets)
      const { faults, known } = settingsOf(program, env)
      const unknown = Object.keys(env).filter((name) => !NOT_SETTINGS.includes(name) && !known(name))
      const missing = tableEnvironment(workload.metadata.name, n as Stage).filter((name) => !(name in env))
      expect({ at: idOf(workload), faults, unknown, missing }).toEqual({
        at: idOf(workload),
        faults: [],
        unknown: [],
        missing: [],
      })
    }
    expect(programs.length).toBeGreaterThan(3)
  })

  it('asks for what docs/operate.md says', () => {
    expect(documentedSize(STAGES[n] as string).slice(1)).toEqual(smallestSize(stage(n)))
  })

  it('has room in PostgreSQL for the pools of every process at its largest', () => {
    const args = podOf(the(stage(n), 'StatefulSet', 'postgres')).containers[0]?.args ?? []
    const room = Number(/max_connections=(\d+)/.exec(args.join(' '))?.[1])
    // Beside the pool of a process: its relay, its gate, its instance and one to spare. A mover has 3 for each database.
    const connections = ofKind(stage(n), 'Deployment').reduce((all, one) => {
      const env = environmentOf(podOf(one).containers[0]!, stage(n), secrets)
      const databases = Object.keys(env).filter((name) => name.startsWith('DATABASE_URL_')).length
      const each = databases > 0 ? 3 * databases + 8 : Number(env.DATABASE_POOL ?? 4) + 4
      return all + largest(stage(n), one) * each
    }, 20)
    expect(connections).toBeLessThanOrEqual(room)
  })
})

test.each(STAGES.slice(2, -1).map((name) => ({ name, n: STAGES.indexOf(name) })))(
  '$name gives the commands in the mover’s pod what they are given on Compose',
  ({ name, n }) => {
    const { environment = {}, env_file = [] } = loadStage(name).services.tools ?? {}
    const given = env_file.flatMap((file) => Object.keys(parseEnv(envFiles[basename(file)] ?? '')))
    const wanted = [...given, ...Object.keys(environment)]
    const has = environmentOf(podOf(the(stage(n), 'Deployment', 'mover')).containers[0]!, stage(n), secrets)
    // Of the databases those of its stage, and the name of whoever asks is the pod's.
    const missing = wanted.filter((name) => !(name in has) && !/^DATABASE_URL_|^BANYAN_WHO$|^LOG_LEVEL$/.test(name))
    expect(wanted).toContain('OPS_URL')
    expect(missing).toEqual([])
  },
)

describe.each(Object.keys(OVERLAYS))('with components %s', (name) => {
  const objects = () => overlays.get(name) as Obj[]

  it('1. renders, and every component has a folder and is rendered somewhere', () => {
    const taken = Object.values(OVERLAYS).flatMap(({ components }) => components)
    const folders = readdirSync(join(K8S, 'components')).filter((one) => !['door', 'release'].includes(one))
    expect([...new Set(taken)].sort()).toEqual(folders.sort())
    expect(objects().length).toBeGreaterThan(30)
  })

  it('2. and 3. has objects of current versions whose every field their schemas know', () => {
    expect(objects().flatMap((object) => schemaFaults(object).map((fault) => `${idOf(object)}: ${fault}`))).toEqual([])
  })

  it.each([...podChecks, ...lifeChecks, ...scalingChecks, ...operatorChecks])('$n: $title', ({ faults }) => {
    expect(faults(objects())).toEqual([])
  })

  it.each([...networkChecks, ...settingsChecks.filter(({ n }) => n === 28)])('$n: $title', ({ faults }) => {
    expect(faults(withOperators(objects()))).toEqual([])
  })

  it.each(settingsChecks.filter(({ n }) => n !== 28))('$n: $title', ({ faults }) => {
    expect(faults(objects())).toEqual([])
  })

  it('22. lets nobody within talk to anybody more than without them, but for the nodes of a server among each other', () => {
    const { stage: n, components } = OVERLAYS[name]!
    const among = allowedEdges(withOperators(objects())).filter((edge) => !/^(\S+) → \1:/.test(edge))
    const watched = components.includes('telemetry') ? watching(n) : []
    expect(among.sort()).toEqual([...architecture(n), ...watched].sort())
  })

  it('48. alarms of figures that the processes have', () => {
    const sources = ['kit/service/metrics.ts', 'strangler-proxy/src/metrics.ts'].map((file) =>
      readFileSync(join(K8S, '..', file), 'utf8'),
    )
    const rules = JSON.stringify(ofKind(objects(), 'PrometheusRule'))
    const used = [...rules.matchAll(/\b((?:http|proxy)_[a-z_]+)\b/g)].map(([, one]) =>
      one!.replace(/_(count|sum|bucket)$/, ''),
    )
    expect(used.filter((one) => !sources.some((source) => source.includes(`'${one}'`)))).toEqual([])
    expect(used.length > 0).toBe(OVERLAYS[name]!.components.includes('prometheus-operator'))
  })
})

test('1. every two components that are no rivals are rendered together', () => {
  const rivals = ['ingress-traefik', 'ingress-nginx', 'gateway']
  const all = [...new Set(Object.values(OVERLAYS).flatMap(({ components }) => components))]
  const apart = all.flatMap((one) =>
    all
      .filter((other) => one < other && !(rivals.includes(one) && rivals.includes(other)))
      .filter((other) => !Object.values(OVERLAYS).some(({ components: c }) => c.includes(one) && c.includes(other)))
      .map((other) => `${one} with ${other}`),
  )
  expect(apart).toEqual([])
})

describe('a check sees what it is for', () => {
  it.each(operatorChecks)('$n: $title', ({ faults, plant }) => {
    const broken = structuredClone(overlays.get('on the last stage') as Obj[])
    plant(broken)
    expect(faults(broken)).not.toEqual([])
  })

  it.each(CHECKS)('$n: $title', ({ faults, plant }) => {
    const broken = copy()
    plant(broken)
    expect(faults(broken)).not.toEqual([])
  })

  it('3. a field that no schema knows, and an old version', () => {
    const broken = copy()
    Object.assign(podOf(the(broken, 'Deployment', 'proxy')).containers[0]!, { imagePullpolicy: 'Always' })
    expect(schemaFaults(the(broken, 'Deployment', 'proxy')).join()).toContain('imagePullpolicy')
    const scaler = the(broken, 'HorizontalPodAutoscaler', 'proxy')
    scaler.apiVersion = 'autoscaling/v2beta2'
    expect(schemaFaults(scaler)).not.toEqual([])
  })

  it('22. a connection more than the architecture has', () => {
    const broken = copy()
    the(broken, 'Deployment', 'user-service').spec.template.metadata.labels!['calls.banyan/order-service'] = 'true'
    expect(allowedEdges(broken)).toContain('user-service → order-service:3004')
    expect(architecture(6)).not.toContain('user-service → order-service:3004')
  })
})

describe('29. a stage changes only what its extraction changes', () => {
  const ofService = (name: string) =>
    ['ConfigMap', 'Deployment', 'HorizontalPodAutoscaler', 'PodDisruptionBudget', 'Service', 'ServiceAccount'].map(
      (kind) => `${kind}/${name}`,
    )
  const policies = (name: string) => [`NetworkPolicy/calls-${name}`, `NetworkPolicy/to-${name}`]
  const job = (name: string) => [`Job/${name}`, `ServiceAccount/${name}`]
  const leaving = (n: number) =>
    SERVICES.filter((row) => row.since === n).flatMap(({ name, database, context }) => [
      ...ofService(name),
      ...policies(name),
      ...job(`database-${database}`),
      ...job(`context-${context}`),
    ])
  const container = '/spec/template/spec/containers/0'
  const monolithLearns = (variable: string, callee: string) => [
    `ConfigMap/monolith /data/${variable}`,
    `Deployment/monolith /spec/template/metadata/labels/calls.banyan/${callee}`,
  ]
  const moverLearns = (index: number) => [
    'ConfigMap/mover /data/BANYAN_PLANS',
    `Deployment/mover ${container}/envFrom/${index}`,
  ]
  const mover = [
    ...['ConfigMap', 'Deployment', 'PodDisruptionBudget', 'ServiceAccount'].map((kind) => `${kind}/mover`),
    'Service/proxies',
    ...policies('proxies'),
  ]

  const expected: Record<number, { added: string[]; removed?: string[]; changed: string[] }> = {
    1: {
      added: [
        ...['proxy', 'unleash'].flatMap(ofService),
        ...policies('unleash'),
        'Service/proxy-ops',
        'NetworkPolicy/calls-monolith',
        'NetworkPolicy/to-monolith',
        ...job('database-control'),
        ...job('database-unleash'),
      ],
      changed: [
        `Deployment/monolith ${container}/envFrom/2`,
        'Deployment/monolith /spec/template/metadata/labels/door.banyan/front',
      ],
    },
    2: { added: [...leaving(2), ...mover], changed: [] },
    3: {
      added: leaving(3),
      changed: [...monolithLearns('INVENTORY_SERVICE_URL', 'inventory-service'), ...moverLearns(6)],
    },
    4: { added: leaving(4), changed: [...monolithLearns('USER_SERVICE_URL', 'user-service'), ...moverLearns(7)] },
    5: { added: leaving(5), changed: [...monolithLearns('PAYMENT_SERVICE_URL', 'payment-service'), ...moverLearns(8)] },
    6: { added: leaving(6), changed: moverLearns(9) },
    7: {
      added: [],
      removed: [
        ...ofService('monolith'),
        ...policies('monolith'),
        ...mover,
        ...job('database-shop'),
        ...SERVICES.flatMap((row) => job(`context-${row.context}`)),
      ],
      changed: [
        'ConfigMap/proxy /data/MONOLITH_URL',
        'Deployment/proxy /spec/template/metadata/labels/calls.banyan/monolith',
      ],
    },
  }

  test.each(Object.entries(expected))('stage %s', (n, { added, removed = [], changed }) => {
    const diff = stageDiff(stage(Number(n) - 1), stage(Number(n)))
    expect(diff).toEqual({ added: added.sort(), removed: removed.sort(), changed: changed.sort() })
  })

  test('and the way back is the same in reverse', () => {
    for (const n of Object.keys(expected).map(Number)) {
      const [forth, back] = [stageDiff(stage(n - 1), stage(n)), stageDiff(stage(n), stage(n - 1))]
      expect(back).toEqual({ added: forth.removed, removed: forth.added, changed: forth.changed })
    }
  })

  test('a service that no stage names would be missed', () => {
    const present = (n: number) => ofKind(stage(n), 'Deployment').map((one) => one.metadata.name)
    for (const n of STAGES.keys())
      expect(
        present(n)
          .filter((name) => name.endsWith('-service'))
          .sort(),
      ).toEqual(
        servicesOf(n as Stage)
          .map((row) => row.name)
          .sort(),
      )
  })
})
