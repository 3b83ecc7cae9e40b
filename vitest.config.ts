import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { keepDataInMemory } from './tests/support/memory-folder.ts'
import { SETS } from './tests/support/services.ts'

keepDataInMemory()

const ignored = ['**/node_modules/**', '**/.banyan/**']

// The suffix of a test says what it costs: `.test.ts` is pure, `.int.test.ts` uses a real PostgreSQL or RabbitMQ,
// `.system.test.ts` starts all processes, `.long.test.ts` is the chaos that only `npm run test:all` pays for, and
// `.containers.test.ts` needs a container engine: `npm run test:containers`; with `-all`, that and the time for every stage.
// The groups run one after the other: a whole stack beside all other tests on two cores would measure only the crowd.
let order = 0
const project = (name: string, include: string[], exclude: string[], more: object) => ({
  test: { name, include, exclude: [...ignored, ...exclude], sequence: { groupOrder: order++ }, ...more },
})

// Two at a time on two cores as well, where Vitest would take one.
const maxWorkers = Math.max(2, availableParallelism() - 1)
const TOUR = 'compose/tour/tour.system.test.ts'
const stacks = { testTimeout: 600_000, hookTimeout: 300_000 }
const services = {
  globalSetup: ['tests/support/global-setup.ts'],
  setupFiles: ['tests/support/own-services.ts'],
  testTimeout: 60_000,
  hookTimeout: 120_000,
}

// Those of `int` that lean the most on what a server does: a few for every run with containers, more with `-all`, and
// all of them with TEST_INFRA=containers npm run test:int.
const ON_CONTAINERS = ['kit/inbox', 'tests/support']
const ON_CONTAINERS_ALL = ['kit/outbox', 'kit/ownership', 'migrations/src/data']
const onContainers = (name: string, folders: string[]) =>
  project(
    name,
    folders.map((folder) => `${folder}/**/*.int.test.ts`),
    [],
    {
      ...services,
      globalSetup: ['tests/containers/engine.ts', ...services.globalSetup],
      env: { TEST_INFRA: 'containers' },
      maxWorkers: 1,
    },
  )

const containers = {
  globalSetup: ['tests/containers/engine.ts', 'tests/containers/images.ts'],
  testTimeout: 600_000,
  hookTimeout: 300_000,
  fileParallelism: false,
}

export default defineConfig({
  test: {
    projects: [
      project(
        'unit',
        ['**/*.test.ts'],
        ['int', 'system', 'long', 'containers', 'containers-all'].map((cost) => `**/*.${cost}.test.ts`),
        {
          testTimeout: 30_000,
          hookTimeout: 60_000,
          maxWorkers,
          // What is pure leaves nothing behind in its process.
          isolate: false,
        },
      ),
      // Each file has databases and queues of its own; to load all modules anew for each took a third of the processor.
      project('int', ['**/*.int.test.ts'], [], { ...services, maxWorkers: SETS, isolate: false }),
      // While one stack starts or waits for a lease, another has the processor.
      project('system', ['**/*.system.test.ts'], [TOUR], { ...stacks, maxWorkers }),
      // Alone: its shoppers must not wait so long that they see a failure.
      project('tour', [TOUR], [], { ...stacks, fileParallelism: false }),
      project('long', ['**/*.long.test.ts'], [], {
        ...services,
        testTimeout: 3_600_000,
        hookTimeout: 300_000,
        fileParallelism: false,
      }),
      onContainers('int-on-containers', ON_CONTAINERS),
      onContainers('int-on-containers-all', ON_CONTAINERS_ALL),
      project('containers', ['**/*.containers.test.ts'], [], containers),
      project('containers-all', ['**/*.containers-all.test.ts'], [], containers),
    ],
  },
})
