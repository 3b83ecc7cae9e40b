/** A bounded context as a process assembles it, and how several run as one. */
import type { Router } from 'express'
import type { Registry } from 'prom-client'
import type { Topology } from '../broker/index.ts'

export type Running = { close(): Promise<void> }

/**
 * Routers carry full paths (`/api/things`). `start` begins the background work (workers, consumers) and is called before
 * the process listens. `hears` is where events for the context arrive: the process tells none of its own before that is
 * there. `measures` makes its own metrics known.
 */
export type Context = {
  routes: Router
  hears?: Topology
  measures?(registry: Registry): void
  start?(): Running | Promise<Running>
}

/** Starts them in order; closing closes all of them at once. */
export async function startContexts(contexts: readonly Context[]): Promise<Running> {
  const running: Running[] = []
  for (const context of contexts) if (context.start) running.push(await context.start())
  return {
    async close() {
      await Promise.all(running.map((one) => one.close()))
    },
  }
}
