import type { Sql } from '../sql.ts'
import type { SagaSketch } from './sketch.ts'
import type { SagaState } from './state.ts'

/** The sagas of one database. Times go in as parameters, so that a test's clock is the only one. */
export type SagaStore<Trx extends Sql> = {
  transaction<T>(work: (trx: Trx) => Promise<T>): Promise<T>
  insert(trx: Trx, saga: SagaState, lease: Lease | null): Promise<void>
  /** Locks the row to the end of the transaction. */
  lock(trx: Trx, id: string): Promise<{ saga: SagaState; leaseOwner: string | null } | undefined>
  /** @param lease null lets go of the saga; absent, it stays with whoever has it */
  save(trx: Trx, saga: SagaState, lease?: Lease | null): Promise<void>
  /**
   * Takes up to `limit` sagas that are due and that nobody holds.
   * @param side how the lease owners begin whose leases count; all count where absent
   */
  claim(lease: Lease, now: number, limit: number, side?: string): Promise<string[]>
  /** Lets go of all that an owner holds. */
  release(owner: string): Promise<void>
  read(id: string): Promise<SagaState | undefined>
  /** The latest ones first. */
  list(filter: { status?: SagaState['status']; saga?: string; limit: number }): Promise<SagaState[]>
  /** Stores what the sagas look like that a process here runs; past the guard, since it is each side's own. */
  publish(sketches: readonly SagaSketch[]): Promise<void>
  /** What was published, by name. */
  sketches(): Promise<SagaSketch[]>
}

export type Lease = { owner: string; until: number }

type Options<Trx extends Sql> = {
  /** As given to `installSagas`. */
  table?: string
  /** Begins a transaction, commits when `work` resolves, rolls back when it rejects. */
  transaction<T>(work: (trx: Trx) => Promise<T>): Promise<T>
  /**
   * Runs first in every transaction that writes sagas: where the table's owner is checked.
   * What it throws ends the transaction.
   */
  guard?(trx: Trx): Promise<void>
}

/** @param options where the table is and how transactions are made */
export const createSagaStore = <Trx extends Sql>({
  table = 'sagas',
  transaction,
  guard = async () => undefined,
}: Options<Trx>): SagaStore<Trx> => {
  const columns = `id, saga, status, data, steps, reason, cancel_requested, history, lease_owner,
    extract(epoch from next_at) * 1000 as next_at, extract(epoch from deadline_at) * 1000 as deadline_at`
  const guarded: SagaStore<Trx>['transaction'] = (work) =>
    transaction(async (trx) => {
      await guard(trx)
      return work(trx)
    })
  return {
    transaction: guarded,
    async insert(trx, saga, lease) {
      const values: Bindings = { ...written(saga), ...leased(lease), id: saga.id, saga: saga.saga }
      const names = Object.keys(values)
      await trx.raw(
        `insert into ${table} (${names.join(', ')}) values (${names.map(placeholder).join(', ')})`,
        Object.values(values),
      )
    },
    async lock(trx, id) {
      const { rows } = await trx.raw(`select ${columns} from ${table} where id = ? for update`, [id])
      return rows[0] && { saga: fromRow(rows[0]), leaseOwner: rows[0].lease_owner }
    },
    async save(trx, saga, lease) {
      const values: Bindings = { ...written(saga), ...(lease === undefined ? {} : leased(lease)) }
      const sets = Object.keys(values).map((name) => `${name} = ${placeholder(name)}`)
      await trx.raw(`update ${table} set ${sets.join(', ')} where id = ?`, [...Object.values(values), saga.id])
    },
    claim: (lease, now, limit, side = '') =>
      guarded(async (trx) => {
        const { rows } = await trx.raw(
          `update ${table} set lease_owner = ?, lease_until = ${time} where id in (
             select id from ${table} where status in ('RUNNING', 'COMPENSATING') and next_at <= ${time}
               and (lease_until is null or lease_until < ${time} or not starts_with(lease_owner, ?))
             order by next_at limit ? for update skip locked) returning id`,
          [lease.owner, lease.until, now, now, side, limit],
        )
        return rows.map((row) => row.id as string)
      }),
    release: (owner) =>
      guarded(async (trx) => {
        await trx.raw(`update ${table} set lease_owner = null, lease_until = null where lease_owner = ?`, [owner])
      }),
    read: (id) =>
      transaction(async (trx) => {
        const { rows } = await trx.raw(`select ${columns} from ${table} where id = ?`, [id])
        return rows[0] && fromRow(rows[0])
      }),
    list: ({ status, saga, limit }) =>
      transaction(async (trx) => {
        const { rows } = await trx.raw(
          `select ${columns} from ${table} where status = coalesce(?, status) and saga = coalesce(?, saga)
           order by updated_at desc limit ?`,
          [status ?? null, saga ?? null, limit],
        )
        return rows.map(fromRow)
      }),
    publish: (sketches) =>
      transaction(async (trx) => {
        for (const sketch of sketches)
          await trx.raw(
            `insert into ${table}_definitions (saga, definition) values (?, ?)
             on conflict (saga) do update set definition = excluded.definition
             where ${table}_definitions.definition <> excluded.definition`,
            [sketch.name, JSON.stringify(sketch)],
          )
      }),
    sketches: () =>
      transaction(async (trx) => {
        const { rows } = await trx.raw(`select definition from ${table}_definitions order by saga`)
        return rows.map((row) => row.definition as SagaSketch)
      }),
  }
}

type Bindings = Record<string, string | number | null>

const json = (value: unknown): string | null => (value === null ? null : JSON.stringify(value))

/** The columns that change as a saga goes on. */
const written = (saga: SagaState): Bindings => ({
  status: saga.status,
  data: json(saga.data),
  steps: json(saga.steps),
  reason: json(saga.reason),
  cancel_requested: json(saga.cancelRequested),
  history: json(saga.history),
  next_at: saga.nextAt,
  deadline_at: saga.deadlineAt,
  updated_at: saga.history.at(-1)!.at,
})

const leased = (lease: Lease | null): Bindings => ({
  lease_owner: lease?.owner ?? null,
  lease_until: lease?.until ?? null,
})

/** A parameter in milliseconds since 1970 as a timestamp. */
const time = 'to_timestamp(?::float8 / 1000)'
const TIMES = new Set(['next_at', 'deadline_at', 'updated_at', 'lease_until'])
const placeholder = (column: string): string => (TIMES.has(column) ? time : '?')

// biome-ignore lint/suspicious/noExplicitAny: a row as the driver gives it
const fromRow = (row: any): SagaState => ({
  id: row.id,
  saga: row.saga,
  status: row.status,
  data: row.data,
  steps: row.steps,
  reason: row.reason,
  cancelRequested: row.cancel_requested,
  nextAt: Math.round(row.next_at),
  deadlineAt: Math.round(row.deadline_at),
  history: row.history,
})
