import type { Group } from '../../balance/group.ts'
import { showMirror } from '../mirror.ts'
import type { RoutingSources } from '../routing.ts'
import { showRouting } from '../routing.ts'
import type { Control } from './read-control.ts'

/** Where a share cannot be set from here. */
export const NO_ADMIN_TOKEN =
  'Shares are read-only here: this proxy was started without UNLEASH_ADMIN_TOKEN. Set them in Unleash, or by `banyan shift`.'

/** What the page shows: what this proxy knows of itself, beside what the control database says. */
export function snapshot(from: RoutingSources, control: Control, canShift: boolean): object {
  const routing = showRouting(from)
  const said = new Map(control.contexts.map((one) => [one.context, one]))
  return {
    ownership: routing.ownership,
    flags: { ok: routing.flags.ok, error: routing.flags.error, canShift, why: canShift ? null : NO_ADMIN_TOKEN },
    control: { error: control.error, mover: control.mover },
    hold: routing.hold,
    recording: { on: from.recorder.state().on },
    contexts: routing.contexts.map((one) => ({
      ...said.get(one.context),
      ...one,
      writesFlag: from.flags.share(`${one.context}-writes`),
    })),
    upstreams: from.upstreams.groups().map(showGroup),
    mirror: showMirror(from),
    instances: control.instances,
    audit: control.audit,
  }
}

/** Whether this proxy sends requests to an instance now, and why not. */
function showGroup(group: Group) {
  const now = performance.now()
  const { side, context } = group
  const instances = group.instances().map(({ url, healthy, downUntil, load }) => ({
    ...{ url, load },
    state: !healthy ? 'fails its checks' : downUntil > now ? 'put aside after failures' : 'answers',
  }))
  return { side, context, up: group.isUp(), instances }
}
