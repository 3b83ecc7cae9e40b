import type { Change, Deed, Mover, Row, SideIndex, State } from './world.ts'

/** What may be left out of the protocol, to see that the explorer notices. */
export type Mistake =
  | 'commit without compare'
  | 'fence without token'
  | 'fence without lock'
  | 'unfence before commit'
  | 'marker of any attempt'
  | 'marker before fence'
  | 'marker overtakes'
  | 'mark before confirm'
  | 'apply without version'
  | 'no tombstone'
  | 'abort undoes first'
  | 'abort skips an open source'
  | 'abort locks an open source'
  | 'abort does not look at the target'
  | 'no reconciliation'

export type Mistakes = ReadonlySet<Mistake>

/** One atomic part of a deed: one transaction in one database. False: it failed, and the mover looks again. */
type Part = (state: State, mover: Mover, deed: Deed, wrong: Mistakes) => boolean

const targetOf = (row: Row): SideIndex => (row.direction === 'to-service' ? 1 : 0)
const sourceOf = (row: Row): SideIndex => (targetOf(row) === 1 ? 0 : 1)
const ownerOf = (side: SideIndex) => (side === 0 ? ('monolith' as const) : ('service' as const))

/** Compare-and-set of the control row on token, phase and step. */
const cas =
  (changes: (deed: Deed, row: Row) => Partial<Row>, after?: (state: State, mover: Mover) => void): Part =>
  (state, mover, deed) => {
    const { row } = state
    if (row.token !== deed.saw.token || row.phase !== deed.saw.phase || row.step !== deed.saw.step) return false
    Object.assign(row, changes(deed, row))
    after?.(state, mover)
    return true
  }

const adopt = (state: State, mover: Mover) => {
  mover.adopted = state.row.token
}
const toStep = (step: Row['step'], more: Partial<Row> = {}) => cas(() => ({ step, ...more }))

const fence: Part = (state, mover, deed, wrong) => {
  const db = state.dbs[sourceOf(deed.saw)]
  if (db.token > mover.adopted && !wrong.has('fence without token')) return false
  // The lock waits for whoever has written already.
  if (db.open && !wrong.has('fence without lock')) return false
  if (!wrong.has('marker before fence')) insertMarker(db, mover.adopted, deed)
  db.closed = true
  db.token = Math.max(db.token, mover.adopted)
  return true
}

function insertMarker(db: State['dbs'][0], token: number, deed: Deed): void {
  deed.marker = db.nextId++
  db.changes.push({ id: deed.marker, value: null, marker: token, confirmed: false })
}

/** Brings a change to its row unless a newer one has been there. */
export function apply(state: State, to: SideIndex, change: Change, wrong: Mistakes): void {
  const db = state.dbs[to]
  if (change.marker !== null) {
    if (!db.markers.includes(change.marker)) db.markers.push(change.marker)
    return
  }
  if (change.id <= db.version && !wrong.has('apply without version')) return
  db.value = change.value
  db.version = change.value === null && wrong.has('no tombstone') ? 0 : change.id
}

const reconcile: Part = (state, mover, deed, wrong) => {
  const to = targetOf(deed.saw)
  const db = state.dbs[to]
  if (wrong.has('no reconciliation')) return true
  if (db.token > mover.adopted || db.closed === false) return false
  for (const change of state.dbs[sourceOf(deed.saw)].changes)
    if (change.marker === null && change.id <= deed.marker && change.id > db.version) apply(state, to, change, wrong)
  return true
}

const storeToken =
  (side: (row: Row) => SideIndex, work: (db: State['dbs'][0], deed: Deed) => boolean): Part =>
  (state, mover, deed) => {
    const db = state.dbs[side(deed.saw)]
    if (db.token > mover.adopted) return false
    const done = work(db, deed)
    if (done) db.token = mover.adopted
    return done
  }

const commit: Part = (state, _, deed, wrong) => {
  const { row } = state
  const same = row.token === deed.saw.token && row.phase === 'switching'
  if (!same && !wrong.has('commit without compare')) return false
  state.before = { ...row }
  Object.assign(row, {
    owner: ownerOf(targetOf(deed.saw)),
    phase: 'switched',
    step: 'unfence',
    direction: deed.saw.direction,
  })
  return true
}

const unfence: Part = (state, mover, deed) => {
  const db = state.dbs[targetOf(deed.saw)]
  if (db.token !== mover.adopted) return false
  db.closed = false
  return true
}

/** After a take-over the target still stores the former attempt's token. */
const raiseForUnfence = storeToken(targetOf, () => true)

const restore: Part = (state, mover, deed, wrong) => {
  const db = state.dbs[sourceOf(deed.saw)]
  if (wrong.has('abort skips an open source') && !db.closed) return true
  if (db.token > mover.adopted) return false
  // Only a fence that stands is undone under the tables' lock, which waits for whoever has written already.
  if (db.open && (db.closed || wrong.has('abort locks an open source'))) return false
  db.token = mover.adopted
  db.closed = false
  return true
}

const look = storeToken(targetOf, (db, deed) => {
  deed.open = !db.closed
  return true
})

const released = (row: Row): Partial<Row> => ({
  phase: row.owner === 'service' ? 'switched' : 'ready',
  step: null,
  direction: null,
  former: null,
})
const ended: Partial<Row> = { step: null, direction: null, former: null, hold: false }

const DEEDS: Readonly<Record<string, readonly Part[]>> = {
  'take-over': [
    cas(
      (_, row) => ({
        token: row.token + 1,
        ...(row.phase === 'switching' && row.step !== 'unlink' ? { step: 'hold', hold: true } : {}),
        ...(row.phase === 'aborting' ? { step: 'raise-target' } : {}),
        ...(row.step === 'release' && row.phase === 'switched' ? { step: 'unfence' } : {}),
      }),
      adopt,
    ),
  ],
  'begin-switch to-service': [
    cas(
      (_, row) => ({
        phase: 'switching',
        former: row.phase,
        direction: 'to-service',
        step: 'unlink',
        token: row.token + 1,
      }),
      adopt,
    ),
  ],
  'begin-switch to-monolith': [
    cas(
      (_, row) => ({
        phase: 'switching',
        former: row.phase,
        direction: 'to-monolith',
        step: 'hold',
        hold: true,
        token: row.token + 1,
      }),
      adopt,
    ),
  ],
  unlink: [toStep('hold', { hold: true })],
  'hold-ended': [toStep('fence')],
  fence: [
    (state, mover, deed, wrong) => {
      if (wrong.has('marker before fence')) insertMarker(state.dbs[sourceOf(deed.saw)], mover.adopted, deed)
      return true
    },
    fence,
    (state, mover, deed, wrong) => {
      const stored = toStep('marker')(state, mover, deed, wrong)
      if (stored) state.marker = deed.marker
      return stored
    },
  ],
  reconcile: [reconcile, toStep('sequences')],
  sequences: [
    // The target's sequences are moved on under the token, and only while it is closed.
    storeToken(targetOf, (db) => db.closed),
    toStep('commit'),
  ],
  commit: [
    (state, mover, deed, wrong) => !wrong.has('unfence before commit') || unfence(state, mover, deed, wrong),
    commit,
  ],
  unfence: [raiseForUnfence, unfence, toStep('release', { hold: false })],
  release: [cas((_, row) => released(row))],
  'begin-abort': [
    (state, _, deed, wrong) => {
      if (wrong.has('abort undoes first')) state.dbs[sourceOf(deed.saw)].closed = false
      return true
    },
    cas((_, row) => ({ phase: 'aborting', step: 'raise-target', token: row.token + 1 }), adopt),
  ],
  'raise-target': [
    look,
    (state, mover, deed, wrong) => {
      const forward = deed.open && !wrong.has('abort does not look at the target')
      const changes: Partial<Row> = forward
        ? { phase: 'switched', step: 'unfence', owner: ownerOf(targetOf(deed.saw)) }
        : { step: 'unfence-source' }
      return cas(() => changes)(state, mover, deed, wrong)
    },
  ],
  'unfence-source': [restore, toStep('release', { hold: false })],
  'end-abort': [cas((_, row) => ({ phase: row.former ?? 'ready', ...ended }))],
}

/** The number of a deed's parts; 0 for what the model does not do. */
export const partsOf = (deed: string): number => DEEDS[deed]?.length ?? 0

/** Does the next part of a mover's deed; a part that fails ends the deed. */
export function doPart(state: State, mover: Mover, wrong: Mistakes): void {
  const { deed } = mover
  const part = deed && DEEDS[deed.do]?.[deed.part]
  if (!deed || !part) return
  deed.part++
  if (!part(state, mover, deed, wrong) || deed.part >= partsOf(deed.do)) mover.deed = null
}
