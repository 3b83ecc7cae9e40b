import type { Intent, Stored } from '../../migrations/src/control/stored.ts'
import { nextAction } from '../../migrations/src/mover/next-action.ts'
import { NOTHING_SEEN } from '../../migrations/src/mover/seen.ts'
import { apply, doPart, type Mistakes, partsOf } from './deeds.ts'
import { initial, type Limits, type Mover, type SideIndex, type State } from './world.ts'

export type Violation = { invariant: string; trace: string[] }
export type Explored = { states: number; violation: Violation | null; whole: boolean }
type Next = { what: string; state: State }

const SIDES: readonly SideIndex[] = [0, 1]
const copy = (state: State): State => JSON.parse(JSON.stringify(state))

/** Breadth first through everything that may happen, so that the first violation has a shortest trace. */
export function explore(limits: Limits, wrong: Mistakes, most: number): Explored {
  const start = initial(limits)
  const parents = new Map<string, { from: string | null; what: string }>([
    [JSON.stringify(start), { from: null, what: 'start' }],
  ])
  const queue = [JSON.stringify(start)]
  for (let at = 0; at < queue.length; at++) {
    const key = queue[at] ?? ''
    const state: State = JSON.parse(key)
    const broken = brokenInvariant(state) ?? (at % 7 === 0 ? (badEnd(state, wrong) ?? heldAbort(state, wrong)) : null)
    if (broken) return { states: at + 1, whole: false, violation: { invariant: broken, trace: traceTo(parents, key) } }
    if (at >= most) return { states: at, whole: false, violation: null }
    for (const next of successors(state, wrong)) {
      const found = JSON.stringify(next.state)
      if (parents.has(found)) continue
      parents.set(found, { from: key, what: next.what })
      queue.push(found)
    }
  }
  return { states: queue.length, whole: true, violation: null }
}

function brokenInvariant({ dbs, told }: State): string | null {
  if (!dbs[0].closed && !dbs[1].closed) return 'I1: two sides accept writes'
  const open = dbs.find((db) => !db.closed)
  if (open && open.value !== told)
    return told === null ? 'I4: a deleted row is back' : 'I2: an acknowledged write is lost'
  return null
}

/** Re-runs the movers without faults until nothing happens any more; then one side is open and both are equal. */
function badEnd(from: State, wrong: Mistakes): string | null {
  const state = copy(from)
  Object.assign(state.left, { writes: 0, switches: 0, crashes: 0, aborts: 0, duplicates: 0, nacks: 0, failovers: 0 })
  let late = false
  for (let round = 0; round < 60; round++) {
    const was = JSON.stringify(state)
    for (const side of SIDES) if (state.dbs[side].open) commitOpen(state, side)
    for (const mover of state.movers) while (mover.deed) doPart(state, mover, wrong)
    for (const side of SIDES) {
      for (const change of state.dbs[side].changes) if (!change.confirmed) relay(state, side, change)
      const to = side === 0 ? 1 : 0
      while (canApply(state, to)) apply(state, to, state.queues[to].shift()!, wrong)
    }
    for (const mover of state.movers) decide(state, mover, late)
    const broken = brokenInvariant(state)
    if (broken) return `${broken} (on the way to rest)`
    // Where nothing moves any more the budget runs out, once; where that changes nothing either, it is at rest.
    const still = JSON.stringify(state) === was
    if (still && late) break
    late = still
  }
  const { row, dbs } = state
  if (row.step !== null || row.phase === 'switching' || row.phase === 'aborting') return 'I5: a move stays stuck'
  if (dbs[0].closed === dbs[1].closed) return 'I5: no side is open at rest'
  if (dbs[row.owner === 'monolith' ? 0 : 1].closed) return 'I5: the owner is closed at rest'
  return dbs[0].value === dbs[1].value ? null : 'I3: the sides differ at rest'
}

/** An abort ends by itself, whatever transaction of an application stays open: held requests wait for its release. */
function heldAbort(from: State, wrong: Mistakes): string | null {
  if (from.row.phase !== 'aborting') return null
  const state = copy(from)
  state.left.switches = 0
  for (let round = 0; round < 10 && state.row.phase === 'aborting'; round++) {
    for (const mover of state.movers) while (mover.deed) doPart(state, mover, wrong)
    for (const mover of state.movers) decide(state, mover, false)
  }
  return state.row.phase === 'aborting' ? 'I6: an abort waits for an open transaction' : null
}

function successors(state: State, wrong: Mistakes): Next[] {
  const found: Next[] = []
  const then = (what: string, change: (next: State) => void) => {
    const next = copy(state)
    change(next)
    found.push({ what, state: next })
  }
  for (const side of SIDES) databaseSteps(state, side, wrong, then)
  for (const index of SIDES) moverSteps(state, index, wrong, then)
  if (state.left.failovers > 0 && state.before && state.row.phase === 'switched')
    then('the control database loses the owner commit', (next) => {
      next.left.failovers--
      next.row = { ...next.before! }
      next.before = null
      next.movers[0] = { adopted: 0, deed: null }
    })
  return found
}

type Then = (what: string, change: (next: State) => void) => void

function databaseSteps(state: State, side: SideIndex, wrong: Mistakes, then: Then): void {
  const db = state.dbs[side]
  if (state.left.writes > 0 && !db.closed && !db.open)
    for (const value of [state.left.writes, null])
      then(`side ${side}: a transaction writes ${value}`, (next) => {
        next.left.writes--
        next.dbs[side].open = { id: next.dbs[side].nextId++, value }
      })
  if (db.open) then(`side ${side}: it commits`, (next) => commitOpen(next, side))
  for (const [index, change] of db.changes.entries()) {
    if (change.confirmed) continue
    const lower = db.changes.some((other) => !other.confirmed && other.id < change.id)
    if (change.marker !== null && lower && !wrong.has('marker overtakes')) continue
    then(`side ${side}: change ${change.id} is published`, (next) => relay(next, side, next.dbs[side].changes[index]!))
    if (state.left.nacks > 0)
      then(`side ${side}: change ${change.id} is refused by the broker`, (next) => {
        next.left.nacks--
        if (wrong.has('mark before confirm')) next.dbs[side].changes[index]!.confirmed = true
      })
  }
  if (!canApply(state, side)) return
  then(`side ${side}: the next change is applied`, (next) => apply(next, side, next.queues[side].shift()!, wrong))
  if (state.left.duplicates > 0)
    then(`side ${side}: the next change is applied, and will come again`, (next) => {
      next.left.duplicates--
      const change = next.queues[side].shift()!
      apply(next, side, change, wrong)
      next.queues[side].push(change)
    })
}

function moverSteps(state: State, index: SideIndex, wrong: Mistakes, then: Then): void {
  const mover = state.movers[index]
  const name = index === 0 ? 'A' : 'B'
  if (mover.deed)
    then(`${name}: ${mover.deed.do}, part ${mover.deed.part + 1}`, (next) => doPart(next, next.movers[index], wrong))
  else {
    then(`${name} looks`, (next) => decide(next, next.movers[index], false))
    if (state.left.aborts > 0 && state.row.phase === 'switching')
      then(`${name} looks, and the budget is over`, (next) => {
        next.left.aborts--
        decide(next, next.movers[index], true)
      })
  }
  if (state.left.crashes > 0 && mover.adopted >= 0)
    then(`${name} is killed and starts again`, (next) => {
      next.left.crashes--
      next.movers[index] = { adopted: 0, deed: null }
    })
  if (state.left.crashes > 0 && mover.adopted < 0)
    then(`${name} starts while the other is only stopped`, (next) => {
      next.left.crashes--
      next.movers[index] = { adopted: 0, deed: null }
    })
}

/** A mover looks at the row and decides by the real code. One that sees another's token does not lead any more. */
function decide(state: State, mover: Mover, late: boolean): void {
  const { row } = state
  if (mover.deed || mover.adopted < 0 || (mover.adopted > 0 && mover.adopted !== row.token)) return
  const target = row.direction === 'to-service' ? 1 : 0
  const stored: Stored = {
    ...row,
    context: 'goods',
    formerPhase: row.former,
    reads: 'flag',
    paused: false,
    epoch: 1n,
    token: BigInt(row.token),
    term: 1n,
    move: 1n,
  }
  const seen = {
    ...NOTHING_SEEN,
    mine: mover.adopted === row.token,
    attempt: { ageMs: late ? 9_999 : 0, budgetMs: 5_000, trouble: null },
    markerApplied:
      state.dbs[target].markers.includes(row.token) || (anyMarker.on && state.dbs[target].markers.length > 0),
  }
  const action = nextAction(stored, seen, state.left.switches > 0 ? wish(row.phase) : null)
  const name = action.do === 'begin-switch' ? `begin-switch ${action.direction}` : action.do
  if (partsOf(name) === 0) return
  if (action.do === 'begin-switch') state.left.switches--
  mover.deed = { do: name, part: 0, saw: { ...row }, marker: state.marker, open: false }
}

/** Set while "marker of any attempt" is explored: the observation is what that mistake is about. */
export const anyMarker = { on: false }

const wish = (phase: Stored['phase']): Intent => ({
  id: 1n,
  context: 'goods',
  verb: phase === 'switched' ? 'rollback' : 'switch',
  args: {},
  source: 'cli',
  who: 'model',
  why: null,
  state: 'running',
  ageMs: 0,
  waitsFor: null,
})

function commitOpen(state: State, side: SideIndex): void {
  const db = state.dbs[side]
  if (!db.open) return
  db.value = db.open.value
  state.told = db.open.value
  db.changes.push({ ...db.open, marker: null, confirmed: false })
  db.changes.sort((a, b) => a.id - b.id)
  db.open = null
}

function relay(state: State, side: SideIndex, change: State['dbs'][0]['changes'][number]): void {
  change.confirmed = true
  state.queues[side === 0 ? 1 : 0].push({ ...change })
}

/** The applier works under a token that the receiving side accepts, and never goes past a change it cannot apply. */
function canApply(state: State, to: SideIndex): boolean {
  const [head] = state.queues[to]
  const db = state.dbs[to]
  if (!head || !state.movers.some((mover) => mover.adopted >= db.token)) return false
  return head.marker !== null || db.closed || head.id <= db.version
}

function traceTo(parents: ReadonlyMap<string, { from: string | null; what: string }>, key: string): string[] {
  const trace: string[] = []
  for (let at: string | null = key; at !== null; at = parents.get(at)?.from ?? null)
    trace.unshift(parents.get(at)?.what ?? '')
  return trace
}
