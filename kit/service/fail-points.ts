/** Named places where a test may stop, slow or kill the process. Unarmed, one is a comparison with an empty map. */

type Action = { readonly kind: 'kill' | 'throw' | 'hang' } | { readonly kind: 'pause'; readonly ms: number }
type Armed = { readonly action: Action; skip: number; once: boolean; reached: number; release: (() => void)[] }

export type ArmedFailPoints = {
  /** How often the point was reached since it was armed. */
  reached(name: string): number
  /** Lets everything that hangs at the point go on. */
  release(name: string): void
  /** Back to no fail points at all; what hangs goes on. */
  disarm(): void
}

/** Thrown by a point armed with `throw`. */
export class FailPointError extends Error {
  constructor(name: string) {
    super(`fail point ${name}`)
    this.name = 'FailPointError'
  }
}

let points = new Map<string, Armed>()

/**
 * Marks a place. Always `await` it.
 * @param name Unique in the process, e.g. `relay.after-publish`.
 */
export function failPoint(name: string): void | Promise<void> {
  if (points.size === 0) return
  const point = points.get(name)
  if (point) return reach(name, point)
}

/**
 * Arms points from a specification, replacing those armed before.
 * @param spec Comma-separated `name=[once:][after:<n>:]action`, where the action is `kill` (SIGKILL to this very
 *   process), `throw`, `hang` (until released) or `pause:<ms>`; `once` disarms after the first time, `after:<n>` lets
 *   the first n pass. Example: `relay.after-publish=after:3:kill, inbox.before-ack=once:pause:500`. Empty arms none.
 * @throws Error that quotes the part that cannot be read.
 */
export function armFailPoints(spec: string): ArmedFailPoints {
  const parts = spec.split(',').map((part) => part.trim())
  const armed = new Map(parts.filter(Boolean).map(parse))
  points = armed
  const release = (name: string) => {
    for (const go of armed.get(name)?.release.splice(0) ?? []) go()
  }
  return {
    reached: (name) => armed.get(name)?.reached ?? 0,
    release,
    disarm() {
      if (points === armed) points = new Map()
      for (const name of armed.keys()) release(name)
    },
  }
}

function reach(name: string, point: Armed): void | Promise<void> {
  point.reached++
  if (point.skip > 0) {
    point.skip--
    return
  }
  if (point.once) point.skip = Number.POSITIVE_INFINITY
  switch (point.action.kind) {
    case 'kill':
      process.kill(process.pid, 'SIGKILL')
      return new Promise(() => undefined)
    case 'throw':
      throw new FailPointError(name)
    case 'hang':
      return new Promise((resolve) => point.release.push(resolve))
    case 'pause': {
      const { ms } = point.action
      return new Promise((resolve) => setTimeout(resolve, ms))
    }
  }
}

function parse(part: string): [string, Armed] {
  const found = /^([\w.:/-]+)=(once:)?(?:after:(\d+):)?(?:(kill|throw|hang)|pause:(\d+))$/.exec(part)
  const name = found?.[1]
  if (!name) throw new Error(`fail point "${part}" is not name=[once:][after:<n>:]kill|throw|hang|pause:<ms>`)
  const [, , once, after, kind, ms] = found
  const action: Action = kind ? { kind: kind as 'kill' } : { kind: 'pause', ms: Number(ms) }
  return [name, { action, skip: Number(after ?? 0), once: once !== undefined, reached: 0, release: [] }]
}
