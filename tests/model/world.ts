/**
 * The world of the explorer: two databases, the lanes between them, the control row, two movers of which either may be
 * a zombie. The movers decide by the real `nextAction`; everything else is modelled, small enough to be explored whole.
 */
import type { Phase, Step, Stored } from '../../migrations/src/control/stored.ts'

export type SideIndex = 0 | 1

/** A change of the one modelled row, or an attempt's marker; a `value` of null is a delete. */
export type Change = { id: number; value: number | null; marker: number | null; confirmed: boolean }

export type Database = {
  closed: boolean
  token: number
  value: number | null
  nextId: number
  changes: Change[]
  /** An application transaction that has taken its id and will commit later. */
  open: { id: number; value: number | null } | null
  /** The version of the other side's changes that the row has here. */
  version: number
  /** Tokens of the markers that were applied here. */
  markers: number[]
}

export type Row = Pick<Stored, 'phase' | 'direction' | 'step' | 'owner' | 'hold'> & {
  former: Phase | null
  token: number
}

/** What a mover has decided and not finished: between two parts of a deed anything else may happen. */
export type Deed = { do: string; part: number; saw: Row; marker: number; open: boolean }
/** `adopted`: the token it raised; 0 for a fresh process, -1 for one that does not run. */
export type Mover = { adopted: number; deed: Deed | null }

export type State = {
  row: Row
  /** The id of the present attempt's marker, once its fence stands. */
  marker: number
  dbs: [Database, Database]
  /** Changes on their way to each database. */
  queues: [Change[], Change[]]
  movers: [Mover, Mover]
  /** What the last acknowledged write left in the row: what the open side must hold. */
  told: number | null
  /** The row before the last owner commit, for a failover that loses it. */
  before: Row | null
  left: Limits
}

export type Limits = {
  writes: number
  switches: number
  /** Crashes, and second movers that start while the first is only stopped. */
  crashes: number
  aborts: number
  duplicates: number
  nacks: number
  failovers: number
}

export function initial(left: Limits): State {
  const database = (closed: boolean): Database => ({
    closed,
    token: 1,
    value: 0,
    nextId: 1,
    changes: [],
    open: null,
    version: 0,
    markers: [],
  })
  const step: Step | null = null
  return {
    row: { phase: 'ready', former: null, direction: null, step, owner: 'monolith', hold: false, token: 1 },
    marker: 0,
    dbs: [database(false), database(true)],
    queues: [[], []],
    movers: [
      { adopted: 1, deed: null },
      { adopted: -1, deed: null },
    ],
    told: 0,
    before: null,
    left: { ...left },
  }
}
