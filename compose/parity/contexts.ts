/** The contexts that have a service to be compared with the monolith. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../embedded/stack.ts'
import { SERVICES, type ServiceRow } from '../provision/services.ts'

export const CONTEXTS: ReadonlyMap<string, ServiceRow & { main: string }> = new Map(
  SERVICES.map((row) => [row.context, { ...row, main: `extracted/${row.name}/src/main.ts` }] as const).filter(
    ([, { main }]) => existsSync(join(ROOT, main)),
  ),
)
