/** What stands between a container and the machine, and who can be reached from outside. */
import { DRAIN_S } from '../../k8s/support/drain.ts'
import { type Check, isOnce, isOurs, perService, VIEWERS } from '../support/check.ts'

/** These become their own user themselves, after they have given him their volume. */
const BEGIN_AS_ROOT = ['postgres', 'rabbitmq']
/** Written in other languages than JavaScript. */
const WITHOUT_NODE = [...BEGIN_AS_ROOT, ...VIEWERS]
const SENSITIVE = /PASSWORD|SECRET|TOKEN|OPERATORS|_KEYS?$|JWKS|DATABASE_URL|AMQP_URL/
const CREDENTIALS = /:\/\/[^/\s:@]+:[^/\s@]+@/

/** What Compose knows and these files take. What opens a machine, as `privileged` or `network_mode`, is not among it. */
const FIELDS: Record<string, string> = {
  service:
    'build cap_add cap_drop command depends_on entrypoint env_file environment healthcheck hostname image init logging ' +
    'mem_limit networks pids_limit ports profiles read_only restart security_opt shm_size stop_grace_period tmpfs user volumes',
  healthcheck: 'disable interval retries start_period test timeout',
  build: 'args context',
  logging: 'driver options',
}
/** Where Docker keeps what containers log, which the collector reads. */
const LOGS = '${DOCKER_LOGS:-/var/lib/docker/containers}:/var/log/containers:ro'

export const hardeningChecks: Check[] = [
  {
    n: 3,
    title: 'no field is there that Compose does not know, or that nobody here has looked at',
    faults: (stage) =>
      perService(stage, (service) =>
        Object.entries(FIELDS).flatMap(([part, known]) =>
          Object.keys((part === 'service' ? service : service[part as 'build']) ?? {})
            .filter((field) => !known.split(' ').includes(field))
            .map((field) => `${part} ${field}`),
        ),
      ),
    plant: (stage) => {
      Object.assign(stage.services.proxy!, { privileged: true })
    },
  },
  {
    n: 7,
    title: 'of the machine a container sees files of this repository, to read; the collector what containers log',
    faults: (stage) =>
      perService(stage, ({ volumes = [] }, name) =>
        volumes
          .filter((one) => !/^[a-z]+:\//.test(one) && !/^\.\.?\/(?!.*\.\.\/)[^:]+:[^:]+:ro$/.test(one))
          .filter((one) => name !== 'collector' || one !== LOGS),
      ),
    plant: (stage) => {
      stage.services.proxy!.volumes = ['/var/run/docker.sock:/var/run/docker.sock:ro']
    },
  },
  {
    n: 15,
    title: 'the grace of a process is longer than being unready, draining and closing together',
    faults: (stage) =>
      perService(stage, (service) => {
        const unready = Number(service.environment?.SHUTDOWN_UNREADY_MS ?? 0) / 1000
        const grace = Number(service.stop_grace_period?.replace(/s$/, ''))
        return [isOurs(service) && !(grace > unready + DRAIN_S) && `${service.stop_grace_period}`]
      }),
    plant: (stage) => {
      stage.services['order-service']!.stop_grace_period = '20s'
    },
  },
  {
    n: 24,
    title: 'no secret stands in a file of the repository',
    faults: (stage) =>
      perService(stage, ({ environment = {} }) =>
        Object.entries(environment)
          .filter(([name, value]) => SENSITIVE.test(name) || CREDENTIALS.test(value))
          .map(([name]) => name),
      ),
    plant: (stage) => {
      stage.services.proxy!.environment!.OPS_TOKEN = 'x'
    },
  },
  {
    n: 44,
    title: 'writes only where it may, has no capability or privilege to gain, is bounded in memory, processes and logs',
    faults: (stage) =>
      perService(stage, (service, name) => [
        !service.read_only && 'may write everywhere',
        !service.tmpfs?.some((one) => /^\/tmp:size=/.test(one)) && 'has no bounded /tmp',
        service.cap_drop?.join() !== 'ALL' && 'keeps its capabilities',
        (service.cap_add ?? []).length > 0 && !BEGIN_AS_ROOT.includes(name) && 'is given capabilities',
        !service.security_opt?.includes('no-new-privileges:true') && 'may gain privileges',
        !service.init && 'has no init',
        !service.mem_limit && 'takes all memory',
        !service.pids_limit && 'starts as many processes as it likes',
        !service.logging?.options?.['max-size'] && 'logs without end',
        !service.stop_grace_period && 'has no grace',
        isOurs(service) && service.user !== '65532:65532' && 'is no numeric user',
        !isOnce(service) && service.restart !== 'unless-stopped' && 'is not started again',
      ]),
    plant: (stage) => {
      delete stage.services['order-service']!.pids_limit
    },
  },
  {
    n: 10,
    title: 'Node’s heap is bounded below the container’s memory',
    faults: (stage) =>
      perService(stage, ({ environment, mem_limit = '' }, name) => {
        const heap = Number(/--max-old-space-size=(\d+)/.exec(environment?.NODE_OPTIONS ?? '')?.[1])
        return [!WITHOUT_NODE.includes(name) && !(heap < 0.7 * Number(mem_limit.replace(/m$/, ''))) && `${heap} MB`]
      }),
    plant: (stage) => {
      stage.services.unleash!.mem_limit = '256m'
    },
  },
  {
    n: 45,
    title:
      'the door, the operators’ listener and the dashboards are published, on loopback, at ports that can be others; nothing else',
    faults: (stage) => {
      const doors = [stage.services.proxy ? 'proxy' : 'monolith', 'grafana']
      const open = perService(stage, ({ ports = [], networks = [] }, name) => [
        ...ports.filter((port) => !/^127\.0\.0\.1:\$\{[A-Z_]+:-\d+\}:\d+$/.test(port)),
        ports.length > 0 && !doors.includes(name) && 'is published',
        networks.join() !== (doors.includes(name) ? 'inside,edge' : 'inside') && `is in ${networks.join()}`,
      ])
      return [...open, ...(stage.networks.inside?.internal ? [] : ['inside: reaches the world'])]
    },
    plant: (stage) => {
      stage.services.postgres!.ports = ['5432:5432']
    },
  },
  {
    // The list asks for a name for each stage. Here a stage continues the shop of the one before, on its volumes: two
    // projects would be two PostgreSQL on the same files. Side by side, each its own shop: `docker compose -p <name>`.
    n: 46,
    title: 'all stages are one project, whose containers have no fixed names',
    faults: (stage) => [
      ...(stage.name === 'banyan' ? [] : [`the project is ${stage.name}`]),
      ...perService(stage, ({ container_name }) => [container_name !== undefined && 'has a fixed name']),
    ],
    plant: (stage) => {
      stage.services.proxy!.container_name = 'proxy'
    },
  },
]
