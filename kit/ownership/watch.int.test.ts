import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createTestDatabase } from '../../tests/support/infra.ts'
import { createLogger } from '../service/index.ts'
import { fromPg, installControl, type OwnershipWatch, watchOwnership } from './index.ts'
import { stallable } from './testing/stallable.ts'

const logger = createLogger({ name: 'test', level: 'silent' })
const within = { timeout: 5_000, interval: 20 }

let db: { url: string; drop(): Promise<void> }
let control: pg.Client
let open: { close(): Promise<void> }[]

beforeEach(async () => {
  db = await createTestDatabase()
  control = new pg.Client({ connectionString: db.url })
  control.on('error', () => undefined)
  await control.connect()
  await installControl(fromPg(control))
  await control.query("insert into banyan.contexts (context) values ('inventory'), ('users')")
  open = []
})

afterEach(async () => {
  for (const one of open) await one.close()
  await control.end()
  await db.drop()
})

const subscriber = async (id: string, context = 'inventory') =>
  (
    await control.query(
      `select epoch_seen::int as epoch, drained, lease_until > clock_timestamp() as live,
              (extract(epoch from lease_until - clock_timestamp()) * 1000)::float as "leftMs"
       from banyan.subscribers where id = $1 and context = $2`,
      [id, context],
    )
  ).rows[0]

const change = async (set: string) =>
  Number(
    (await control.query(`update banyan.contexts set ${set} where context = 'inventory' returning epoch`)).rows[0]
      .epoch,
  )

function watch(options: Partial<Parameters<typeof watchOwnership>[0]> = {}) {
  const id = `proxy-${randomUUID()}`
  const watched = watchOwnership({
    connectionString: db.url,
    subscriber: { id, kind: 'proxy' },
    logger,
    ...options,
  })
  open.push(watched)
  return { id, watched }
}

const backends = async () =>
  (
    await control.query(
      "select pid from pg_stat_activity where application_name like 'banyan watch%' and datname = current_database()",
    )
  ).rows as { pid: number }[]

describe('the watch of ownership', () => {
  it('knows all contexts after the first read, in types that can hold them', async () => {
    await control.query(
      "update banyan.contexts set term = 9007199254740993, heartbeat_applied = now() where context = 'users'",
    )
    const { watched } = watch()
    await watched.ready
    expect(watched.all().map(({ context }) => context)).toEqual(['inventory', 'users'])
    expect(watched.get('users')).toMatchObject({
      owner: 'monolith',
      term: 9007199254740993n,
      phase: 'idle',
      hold: false,
    })
    expect(watched.get('users')?.heartbeatApplied).toBeInstanceOf(Date)
    expect(watched.staleMs()).toBeLessThan(1_000)
    expect(Math.abs(watched.now().getTime() - Date.now())).toBeLessThan(1_000)
  })

  it('sees a change at once, tells its listeners, and acknowledges the epoch', async () => {
    const { id, watched } = watch()
    await watched.ready
    const seen = vi.fn()
    watched.on('change', seen)
    const epoch = await change("phase = 'prepared'")
    await vi.waitFor(() => expect(watched.get('inventory')?.phase).toBe('prepared'), within)
    expect(seen).toHaveBeenCalledWith(
      expect.objectContaining({ phase: 'prepared' }),
      expect.objectContaining({ phase: 'idle' }),
    )
    await vi.waitFor(async () => expect(await subscriber(id)).toMatchObject({ epoch, drained: false }), within)
  })

  it('sees changes far sooner than its poll would', async () => {
    const { watched } = watch()
    await watched.ready
    const took: number[] = []
    // Each change is made just after a read, a whole poll before the next one.
    for (const phase of ['prepared', 'copying', 'following', 'ready', 'following']) {
      const seen = Promise.withResolvers<void>()
      const forget = watched.on('change', () => seen.resolve())
      const started = performance.now()
      await change(`phase = '${phase}'`)
      await seen.promise
      took.push(performance.now() - started)
      forget()
    }
    expect(took.sort((a, b) => a - b)[2]).toBeLessThan(150)
  })

  it('sees a change that no notification told of, by its poll', async () => {
    await control.query('alter table banyan.contexts disable trigger raise_epoch')
    const { watched } = watch()
    await watched.ready
    await change("owner = 'service', epoch = epoch + 1")
    await vi.waitFor(() => expect(watched.get('inventory')?.owner).toBe('service'), { timeout: 1_000, interval: 20 })
  })

  it('registers before it reads: whoever is not in the table has not read yet', async () => {
    // Nobody can register while this lock stands; a watch that read first would be ready.
    const locker = new pg.Client({ connectionString: db.url })
    await locker.connect()
    await locker.query('begin')
    await locker.query('lock table banyan.subscribers in exclusive mode')
    const { id, watched } = watch()
    await vi.waitFor(async () => {
      const waiting = await control.query(
        "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
      )
      expect(waiting.rows.length).toBeGreaterThan(0)
    }, within)
    expect(watched.all()).toEqual([])
    expect(watched.leaseValid()).toBe(false)
    await locker.query('commit')
    await locker.end()
    await watched.ready
    expect(await subscriber(id)).toMatchObject({ live: true })
  })

  it('acknowledges a hold only after what is in flight has ended, and its listeners heard of it first', async () => {
    const order: string[] = []
    const flight = Promise.withResolvers<void>()
    const { id, watched } = watch({
      drained: (context) => {
        order.push(`drain ${context}`)
        return flight.promise
      },
    })
    await watched.ready
    watched.on('change', (now) => order.push(now.hold ? 'held' : 'open'))
    const before = await vi.waitFor(async () => {
      const row = await subscriber(id)
      expect(row.epoch).toBe(1)
      return row
    }, within)
    const epoch = await change("hold = true, phase = 'switching'")
    await vi.waitFor(() => expect(order).toEqual(['held', 'drain inventory']), within)
    await watched.refresh()
    await watched.refresh()
    expect(await subscriber(id)).toMatchObject({ epoch: before.epoch, drained: false })
    flight.resolve()
    await vi.waitFor(async () => expect(await subscriber(id)).toMatchObject({ epoch, drained: true }), within)
  })

  it('acknowledges the steps that follow within one hold without draining twice', async () => {
    const drained = vi.fn(async () => undefined)
    const { id, watched } = watch({ drained })
    await watched.ready
    await change('hold = true')
    const epoch = await change("step = 'fence'")
    await vi.waitFor(async () => expect(await subscriber(id)).toMatchObject({ epoch, drained: true }), within)
    const released = await change('hold = false')
    await vi.waitFor(
      async () => expect(await subscriber(id)).toMatchObject({ epoch: released, drained: false }),
      within,
    )
    expect(drained).toHaveBeenCalledTimes(1)
  })

  it('does not take the late end of an earlier drain for the end of this one', async () => {
    const flights = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const drained = vi.fn((_context: string) => flights[drained.mock.calls.length - 1]!.promise)
    const { id, watched } = watch({ drained })
    await watched.ready
    await change('hold = true')
    await vi.waitFor(() => expect(drained).toHaveBeenCalledTimes(1), within)
    await change('hold = false')
    await vi.waitFor(() => expect(watched.get('inventory')?.hold).toBe(false), within)
    const epoch = await change('hold = true')
    await vi.waitFor(() => expect(drained).toHaveBeenCalledTimes(2), within)
    flights[0]!.resolve()
    await watched.refresh()
    await watched.refresh()
    expect(await subscriber(id)).toMatchObject({ drained: false })
    flights[1]!.resolve()
    await vi.waitFor(async () => expect(await subscriber(id)).toMatchObject({ epoch, drained: true }), within)
  })

  it('asks again when draining fails', async () => {
    const drained = vi.fn(async () => {
      if (drained.mock.calls.length === 1) throw new Error('not yet')
    })
    const { id, watched } = watch({ drained })
    await watched.ready
    const epoch = await change('hold = true')
    await vi.waitFor(async () => expect(await subscriber(id)).toMatchObject({ epoch, drained: true }), within)
  })

  it('registers on a context that appears later', async () => {
    const { id, watched } = watch()
    await watched.ready
    await control.query("insert into banyan.contexts (context) values ('orders')")
    await vi.waitFor(async () => expect(await subscriber(id, 'orders')).toMatchObject({ epoch: 1, live: true }), within)
  })

  it('does not inherit what an earlier process acknowledged under its id', async () => {
    const id = 'reborn'
    await control.query("update banyan.contexts set hold = true where context = 'inventory'")
    await control.query(
      `insert into banyan.subscribers select '${id}', 'proxy', context, epoch, true, now() + interval '3 s' from banyan.contexts`,
    )
    const flight = Promise.withResolvers<void>()
    const { watched } = watch({ subscriber: { id, kind: 'proxy' }, drained: () => flight.promise })
    await watched.ready
    expect(await subscriber(id)).toMatchObject({ epoch: 0, drained: false })
    flight.resolve()
    await vi.waitFor(async () => expect(await subscriber(id)).toMatchObject({ drained: true }), within)
  })

  it('keeps what it acknowledged when only its connection was lost', async () => {
    const { id, watched } = watch({ drained: async () => undefined })
    await watched.ready
    const epoch = await change('hold = true')
    await vi.waitFor(async () => expect(await subscriber(id)).toMatchObject({ epoch, drained: true }), within)
    await control.query(`create table banyan.undone as select * from banyan.subscribers limit 0;
      create function banyan.undone() returns trigger language plpgsql as $$
        begin insert into banyan.undone select old.*; return new; end $$;
      create trigger undone after update on banyan.subscribers
        for each row when (old.drained and not new.drained) execute function banyan.undone()`)
    const [backend] = await backends()
    await control.query('select pg_terminate_backend($1)', [backend!.pid])
    await vi.waitFor(async () => expect((await backends()).some(({ pid }) => pid !== backend!.pid)).toBe(true), within)
    await watched.refresh(2_000)
    expect((await control.query('select * from banyan.undone')).rows).toEqual([])
  })

  it('comes back after its backend was killed, and acknowledges anew', async () => {
    const { id, watched } = watch()
    await watched.ready
    await vi.waitFor(async () => expect(await subscriber(id)).toMatchObject({ epoch: 1 }), within)
    await control.query('select pg_terminate_backend($1)', [(await backends())[0]!.pid])
    await control.query('delete from banyan.subscribers')
    const epoch = await change("reads = 'owner'")
    expect(watched.get('users')?.owner).toBe('monolith')
    await vi.waitFor(async () => expect(await subscriber(id)).toMatchObject({ epoch, live: true }), within)
    expect(watched.leaseValid()).toBe(true)
  })

  it('believes in its lease no longer than the row does, and serves on by what it knew', async () => {
    const { url, stall, resume, close } = await stallable(db.url)
    open.push({ close })
    const { id, watched } = watch({ connectionString: url })
    await watched.ready
    expect(watched.leaseValid()).toBe(true)
    stall()
    // At the moment the belief ends, the row still holds (or ends at this very moment).
    await vi.waitFor(() => expect(watched.leaseValid()).toBe(false), { timeout: 4_000, interval: 1 })
    expect((await subscriber(id)).leftMs).toBeGreaterThan(-5)
    expect(watched.staleMs()).toBeGreaterThan(1_500)
    expect(watched.get('inventory')).toMatchObject({ owner: 'monolith' })
    resume()
    await change("owner = 'service'")
    await vi.waitFor(() => expect(watched.leaseValid()).toBe(true), within)
    expect(watched.get('inventory')).toMatchObject({ owner: 'service' })
  })

  it('counts its lease from before the renewal was sent, however late the answer comes', async () => {
    const { id, watched } = watch()
    await watched.ready
    const gate = new pg.Client({ connectionString: db.url })
    await gate.connect()
    open.push({ close: () => gate.end() })
    await gate.query('select pg_advisory_lock(1)')
    // The row's lease is counted when the statement runs, and its answer waits for the gate.
    await control.query(`create function banyan.gate() returns trigger language plpgsql as $$
        begin perform pg_advisory_xact_lock_shared(1); return null; end $$;
      create trigger gate after insert or update of lease_until on banyan.subscribers
        for each statement execute function banyan.gate()`)
    await vi.waitFor(async () => {
      const late = await control.query(
        `select from pg_stat_activity where wait_event = 'advisory' and datname = current_database()
          and clock_timestamp() - query_start > interval '500 ms'`,
      )
      expect(late.rowCount).toBe(1)
    }, within)
    // One renewal is let through; those after it wait, and end without having renewed anything.
    const passed = gate.query('select pg_advisory_unlock(1)')
    await Promise.all([passed, gate.query('select pg_advisory_lock(1)')])
    await vi.waitFor(async () => expect(await subscriber(id)).toMatchObject({ live: false }), {
      timeout: 5_000,
      interval: 5,
    })
    expect(watched.leaseValid()).toBe(false)
  })

  it('notices a stalled connection by itself, early enough to keep its lease', async () => {
    const { url, freeze, close } = await stallable(db.url)
    open.push({ close })
    const { watched } = watch({ connectionString: url })
    await watched.ready
    freeze()
    await change("reads = 'owner'")
    const leases: boolean[] = []
    await vi.waitFor(() => {
      leases.push(watched.leaseValid())
      expect(watched.get('inventory')?.reads).toBe('owner')
    }, within)
    expect(leases).not.toContain(false)
  })

  it('after its lease was lost it is valid again only together with a newer read', async () => {
    const { url, stall, resume, close } = await stallable(db.url)
    open.push({ close })
    const { watched } = watch({ connectionString: url })
    await watched.ready
    stall()
    await vi.waitFor(() => expect(watched.leaseValid()).toBe(false), { timeout: 4_000, interval: 5 })
    await change("phase = 'switching'")
    const phases: (string | undefined)[] = []
    const timer = setInterval(() => watched.leaseValid() && phases.push(watched.get('inventory')?.phase), 1)
    resume()
    await vi.waitFor(() => expect(phases.length).toBeGreaterThan(3), within)
    clearInterval(timer)
    expect(new Set(phases)).toEqual(new Set(['switching']))
  })

  it('waits through an outage at the start, and closes without ever having been ready', async () => {
    const nowhere = new URL(db.url)
    nowhere.port = '1'
    const { watched } = watch({ connectionString: nowhere.href })
    expect(watched.get('inventory')).toBeUndefined()
    expect(watched.staleMs()).toBe(Number.POSITIVE_INFINITY)
    await watched.close()
    await expect(watched.ready).rejects.toThrow('closed before')
  })

  it('leaves nothing behind: neither a subscription nor a connection', async () => {
    const { id, watched } = watch()
    await watched.ready
    await watched.close()
    expect(await subscriber(id)).toBeUndefined()
    await vi.waitFor(async () => expect(await backends()).toEqual([]), within)
    expect(watched.leaseValid()).toBe(false)
  })

  it('closes at once on a stalled connection too', async () => {
    const { url, stall, close } = await stallable(db.url)
    open.push({ close })
    const { watched } = watch({ connectionString: url })
    await watched.ready
    stall()
    const started = performance.now()
    await watched.close()
    expect(performance.now() - started).toBeLessThan(1_000)
  })

  it('a listener that throws keeps nobody else from hearing', async () => {
    const { id, watched }: { id: string; watched: OwnershipWatch } = watch()
    await watched.ready
    const other = vi.fn()
    watched.on('change', () => {
      throw new Error('broken listener')
    })
    watched.on('change', other)
    const epoch = await change("reads = 'owner'")
    await vi.waitFor(() => expect(other).toHaveBeenCalled(), within)
    await vi.waitFor(async () => expect(await subscriber(id)).toMatchObject({ epoch }), within)
  })
})
