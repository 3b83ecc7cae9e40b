/** Whether a table's triggers, and the functions they call, are still those that `installCapture` makes. */
import { readFile } from 'node:fs/promises'
import { captureBody, captureName, captureSettings } from './capture-function.ts'
import type { Lane, TableMove, Tx } from './lane.ts'
import { tableId } from './lane.ts'
import { TEXT_SETTINGS } from './open-db.ts'
import { ident, literal, qualified } from './sql-text.ts'
import { CAPTURE, FENCE, TRUNCATE } from './trigger-names.ts'

interface Trigger {
  name: string
  enabled: string
  args: string
  /** As PostgreSQL prints it; null for a trigger that is not ours. */
  definition: string | null
  /** Table and function as the definition names them. */
  table: string
  function: string
  schema: string
  functionName: string
  body: string
  definer: boolean
  settings: string[] | null
  /** Whether the function belongs to the mover, as what it installs does. */
  own: boolean
  after: boolean
  ours: boolean
  /** The mover's role, and whether the side is closed for applications. */
  role: string
  closed: boolean
}

interface Wanted {
  /** What stands between the trigger's name and its table. */
  event: string
  each: string
  enabled: 'A' | 'D'
  args: string[]
  function: string
  body: string
  definer: boolean
  settings: string[]
}

/**
 * Every property counts that a replacement under the same name may lack: one that fires on fewer events, too early or
 * never is there by name, and a change is lost, or a closed side open, all the same.
 * @param reread see `captureBody`
 * @returns one sentence a fault
 */
export async function triggerFaults(tx: Tx, lane: Lane, table: TableMove, reread: boolean): Promise<string[]> {
  const id = tableId(table.source)
  const triggers = await readTriggers(tx, lane, table)
  const guards = await readGuards()
  const faults: string[] = []
  for (const name of [CAPTURE, FENCE, TRUNCATE]) {
    const found = triggers.find((one) => one.name === name)
    if (!found) faults.push(`${id}: the trigger "${name}" is gone`)
    else faults.push(...faultsOf(lane, id, found, wanted(lane, table, found, reread, guards)))
  }
  const first = triggers.find((one) => one.after && !one.ours)
  if (first && Buffer.compare(Buffer.from(first.name), Buffer.from(CAPTURE)) < 0) {
    faults.push(`${id}: the trigger "${first.name}" fires before the capture; rename it`)
  }
  return faults
}

/** One statement, so that the fence's trigger and the fence's row are of the same moment. */
async function readTriggers(tx: Tx, lane: Lane, table: TableMove): Promise<Trigger[]> {
  const { rows } = await tx.query<Trigger>(
    `select t.tgname as name, t.tgenabled as enabled, encode(t.tgargs, 'escape') as args,
        case when t.tgname = any ($2) then pg_get_triggerdef(t.oid) end as definition,
        t.tgrelid::regclass::text as table, t.tgfoid::regproc::text as function, n.nspname as schema,
        p.proname as "functionName", p.prosrc as body, p.prosecdef as definer,
        p.proconfig as settings, pg_get_userbyid(p.proowner) = session_user as own, t.tgtype & 67 = 1 as after,
        t.tgname = any ($2) as ours, session_user as role,
        coalesce((select f.closed from banyan.fence f where f.context = $3), false) as closed
      from pg_trigger t join pg_proc p on p.oid = t.tgfoid join pg_namespace n on n.oid = p.pronamespace
      where t.tgrelid = $1::regclass order by t.tgname collate "C"`,
    [qualified(table.source), [CAPTURE, FENCE, TRUNCATE], lane.context],
  )
  return rows
}

function wanted(lane: Lane, table: TableMove, found: Trigger, reread: boolean, guards: Guards): Wanted {
  const row = {
    event: 'AFTER INSERT OR DELETE OR UPDATE',
    each: `ROW WHEN ((${notTheMover(found.role)}))`,
    definer: true,
  }
  const guard = { args: [lane.context], settings: [`search_path=${TEXT_SETTINGS.search_path}`] }
  if (found.name === FENCE) return { ...row, ...guard, ...guards.reject_write, enabled: found.closed ? 'A' : 'D' }
  if (found.name === TRUNCATE)
    return { event: 'BEFORE TRUNCATE', each: 'STATEMENT', enabled: 'A', ...guard, ...guards.refuse_truncate }
  return {
    ...row,
    enabled: 'A',
    args: [lane.context, String(lane.move)],
    function: captureName(table),
    body: captureBody(table, reread),
    settings: captureSettings(table, reread).map(([name, value]) => `${name}=${value}`),
  }
}

/** The condition of `notTheMover` in capture.ts as PostgreSQL 15 to 18 print it; a test sees that it is what is there. */
function notTheMover(role: string): string {
  return `(current_setting('banyan.applying'::text, true) IS DISTINCT FROM 'on'::text) OR (SESSION_USER <> ${literal(role)}::name)`
}

function faultsOf(lane: Lane, id: string, found: Trigger, want: Wanted): string[] {
  const faults: string[] = []
  const what = found.name === CAPTURE ? 'capture' : `"${found.name}"`
  if (found.enabled !== want.enabled)
    faults.push(`${id}: the trigger "${found.name}" is not ${want.enabled === 'A' ? 'ENABLE ALWAYS' : 'disabled'}`)
  const args = want.args.map((one) => `${one}\\000`).join('')
  const definition = `CREATE TRIGGER ${ident(found.name)} ${want.event} ON ${found.table} FOR EACH ${want.each} EXECUTE FUNCTION ${found.function}(${want.args.map(literal).join(', ')})`
  if (found.args !== args) {
    faults.push(`${id}: the ${what} trigger is of another context or move than ${lane.context}, ${lane.move}`)
  } else if (found.definition !== definition) {
    faults.push(`${id}: the ${what} trigger is not the one that prepare makes: ${found.definition}`)
  }
  if (found.schema !== 'banyan' || found.functionName !== want.function || found.body !== want.body)
    faults.push(`${id}: the ${what} function is not the one that this table needs now; prepare again`)
  // One that reads rows again has other settings than one that does not.
  else if (settingsText(found.settings ?? []) !== settingsText(want.settings))
    faults.push(`${id}: the ${what} function lost its settings`)
  if (found.definer !== want.definer || !found.own)
    faults.push(`${id}: the ${what} function does not run with the rights that prepare gives it`)
  return faults
}

/** By name: the catalog keeps them in the order in which they were set, and spells some of the names with capitals. */
function settingsText(settings: readonly string[]): string {
  const spelt = settings.map((one) => one.replace(/^[^=]*/, (name) => name.toLowerCase()))
  return spelt.sort().join('; ')
}

type Guard = Pick<Wanted, 'function' | 'definer' | 'body'>
type Guards = { reject_write: Guard; refuse_truncate: Guard }

/** The functions of reject.sql, by the text that installs them. */
async function readGuards(): Promise<Guards> {
  const sql = await readFile(new URL('./reject.sql', import.meta.url), 'utf8')
  const guard = (name: string): Guard => {
    const [, head, body] = new RegExp(`function banyan\\.${name}\\(\\)(.*?)\\$\\$(.*?)\\$\\$;`, 's').exec(sql)!
    return { function: name, definer: head!.includes('security definer'), body: body! }
  }
  return { reject_write: guard('reject_write'), refuse_truncate: guard('refuse_truncate') }
}
