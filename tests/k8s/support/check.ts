/** A check of rendered objects: pure, with a fault to plant that it must see. */
import type { Obj } from './objects.ts'

export type Check = {
  /** Its number in the list of checks, see k8s/README.md. */
  n: number
  title: string
  /** Everything that breaks it, each with its place. */
  faults: (objects: readonly Obj[]) => string[]
  /** Breaks it, in a copy of the last stage's objects. */
  plant: (objects: Obj[]) => void
}

/** @returns the object, for a plant to change. */
export function the(objects: readonly Obj[], kind: string, name: string | RegExp): Obj {
  const found = objects.find(
    (one) =>
      one.kind === kind && (typeof name === 'string' ? one.metadata.name === name : name.test(one.metadata.name)),
  )
  if (!found) throw new Error(`there is no ${kind} ${name} to plant a fault in`)
  return found
}
