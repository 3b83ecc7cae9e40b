import type { Direction, Stored } from '../control/stored.ts'
import { type Lane, reversed, type TableMove } from '../data/lane.ts'
import type { Sides } from '../plan/finding.ts'
import { pairTables } from '../plan/pair-tables.ts'
import type { Plan } from '../plan/plan.ts'

export type Lanes = {
  /** The token that this leadership raised last; null before it has taken the context over. */
  adopted(): bigint | null
  adopt(token: bigint, move: bigint): void
  /** Until when the attempt under way may last, by this process's clock; null while none is, or once it has committed. */
  boundBy(untilMs: number | null): void
  /** The lane of a direction; its token is always the one adopted last. */
  of(direction: Direction): Promise<Lane>
  /** Reads the tables anew at the next use: after a prepare, or when a description turned out to be old. */
  forget(): void
}

/**
 * The two lanes of a context. They read the token as it stands, so a relay or applier that runs through the start of
 * an attempt goes on under that attempt's token; another mover's token they never get, and its fence rows stop them.
 */
export function createLanes(plan: Plan, sides: Sides): Lanes {
  let token: bigint | null = null
  let move = 0n
  let until: number | null = null
  let tables: Promise<TableMove[]> | null = null
  const described = () => {
    tables ??= Promise.all(plan.tables.map((table) => pairTables(table, sides))).catch((error) => {
      tables = null
      throw error
    })
    return tables
  }
  return {
    adopted: () => token,
    adopt(next, ofMove) {
      token = next
      move = ofMove
    },
    boundBy(untilMs) {
      until = untilMs
    },
    forget() {
      tables = null
    },
    async of(direction) {
      const there = direction === 'to-service'
      const moves = await described()
      return {
        context: plan.context,
        get move() {
          return move
        },
        get token() {
          if (token === null) throw new Error(`${plan.context}: no token of this leadership yet`)
          return token
        },
        get untilMs() {
          return until
        },
        from: there ? sides.monolith : sides.service,
        to: there ? sides.service : sides.monolith,
        fromSide: there ? 'monolith' : 'service',
        toSide: there ? 'service' : 'monolith',
        tables: there ? moves : moves.map(reversed),
      }
    },
  }
}

/** The lane from the side that owns the context to the other. */
export function laneFromOwner(lanes: Lanes, stored: Pick<Stored, 'owner'>): Promise<Lane> {
  return lanes.of(stored.owner === 'monolith' ? 'to-service' : 'to-monolith')
}
