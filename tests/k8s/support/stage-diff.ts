/** What a stage changes of the one before: objects that come and go, and the places in those that stay. */
import { idOf, type Obj } from './objects.ts'

export type StageDiff = { added: string[]; removed: string[]; changed: string[] }

/** A ConfigMap is taken by its name without the hash; that its hash is another one is no change of its own. */
export function stageDiff(before: readonly Obj[], after: readonly Obj[]): StageDiff {
  const [old, now] = [byName(before), byName(after)]
  const changed = [...now].flatMap(([name, object]) => {
    const former = old.get(name)
    return former ? differences(former, object).map((path) => `${name} ${path}`) : []
  })
  return {
    added: [...now.keys()].filter((name) => !old.has(name)).sort(),
    removed: [...old.keys()].filter((name) => !now.has(name)).sort(),
    changed: changed.sort(),
  }
}

const unhashed = (name: string) => name.replace(/-[a-z0-9]{10}$/, '')

function byName(objects: readonly Obj[]): Map<string, unknown> {
  const maps = objects.filter((one) => one.kind === 'ConfigMap').map((one) => one.metadata.name)
  return new Map(
    objects.map((object) => {
      const text = JSON.stringify(object, (_key, value) => (maps.includes(value) ? unhashed(value) : value))
      const known = JSON.parse(text) as Obj
      return [idOf(known), known]
    }),
  )
}

function differences(before: unknown, after: unknown, path = ''): string[] {
  if (JSON.stringify(before) === JSON.stringify(after)) return []
  if (!isObject(before) || !isObject(after)) return [path]
  const keys = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...keys].flatMap((key) => differences(before[key], after[key], `${path}/${key}`))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
