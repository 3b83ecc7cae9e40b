/** A check of a stage's files put together: pure, with a fault to plant that it must see. */
import type { Service, Stage } from './load.ts'

export type Check = {
  /** Its number in the list of checks, see compose/README.md. */
  n: number
  title: string
  /** Everything that breaks it, each with its place. */
  faults: (stage: Stage) => string[]
  /** Breaks it, in a copy of a stage. */
  plant: (stage: Stage) => void
}

/** What looks at a stage, under the profile `observability`. */
export const VIEWERS = ['collector', 'tempo', 'loki', 'prometheus', 'grafana']

/** What runs to its end: a step of a start, or something asked for. */
export const isOnce = (service: Service): boolean => service.restart === 'no'

/** An image of this repository, not a server's. */
export const isOurs = (service: Service): boolean => service.image?.startsWith('banyan/') ?? false

/** Each fault with the name of its service. */
export function perService(stage: Stage, faults: (service: Service, name: string) => (string | false)[]): string[] {
  return Object.entries(stage.services).flatMap(([name, service]) =>
    faults(service, name)
      .filter((fault) => fault !== false)
      .map((fault) => `${name}: ${fault}`),
  )
}
