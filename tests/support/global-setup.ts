/** Before a project's first test: a set of servers for each of its workers, unless the environment names one. */
import type { TestProject } from 'vitest/node'
import { type Services, startServices } from './services.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The first one is worker 1's. Absent where the environment names the servers. */
    services?: Services[]
  }
}

/** @returns The function that ends what was started here; nothing when the environment named the servers. */
export async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const files = project.vitest.state.getPaths().filter((path) => project.matchesTestGlob(path))
  const services = await startServices(
    Math.min(project.config.maxWorkers, files.length),
    project.config.env?.TEST_INFRA,
  )
  if (services) project.provide('services', services.sets)
  return services?.stop
}
