/** The text of a table's capture function (rules 1-5). Pure, so that a check can compare it with what is installed. */
import { createHash } from 'node:crypto'
import type { ColumnMove, TableMove } from './lane.ts'
import { tableId } from './lane.ts'
import { TEXT_SETTINGS } from './open-db.ts'
import { ident, keyText, literal, qualified, sourceValue, written } from './sql-text.ts'

/** jsonb_build_object takes at most 100 arguments. */
const PAIRS_A_CALL = 50

/** A setting costs every captured row; types outside this list get all of them. */
const SETTINGS_BY_TYPE: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(
    'smallint integer bigint numeric boolean text "char" character bpchar name uuid json jsonb inet cidr macaddr'
      .split(' ')
      .concat('character varying', 'bit varying', '"bit"')
      .map((type) => [type, []]),
  ),
  date: ['datestyle'],
  'timestamp without time zone': ['datestyle'],
  'timestamp with time zone': ['datestyle', 'timezone'],
  'time without time zone': [],
  interval: ['intervalstyle'],
  real: ['extra_float_digits'],
  'double precision': ['extra_float_digits'],
  bytea: ['bytea_output'],
  money: ['lc_monetary'],
}

export function captureName(table: TableMove): string {
  const name = `capture ${tableId(table.source)}`
  if (Buffer.byteLength(name) <= 63) return name
  return `capture ${createHash('sha256').update(name).digest('hex').slice(0, 32)}`
}

/**
 * @param reread write what the row *is* rather than NEW: a trigger that fires for row 1 may have rewritten row 2
 *   before row 2's own, older event fires (rule 2)
 */
export function captureBody(table: TableMove, reread: boolean): string {
  const old = keyText(table.key, 'old.')
  const current = keyText(table.key, 'new.')
  const gone = `tg_op = 'DELETE' or (tg_op = 'UPDATE' and ${old} is distinct from ${current})`
  const write = reread ? insertCurrent : insertTrusted
  return `
begin
  if ${gone} then
    ${write(table, 'old', old)}
  end if;
  if tg_op <> 'DELETE' then
    ${write(table, 'new', current)}
  end if;
  return null;
end `
}

/** The statement that makes the function, with the settings that it needs. */
export function captureDefinition(table: TableMove, reread: boolean): string {
  const settings = captureSettings(table, reread).map(([name, value]) => `set ${name} = ${settingValue(name, value)}`)
  return `create or replace function banyan.${ident(captureName(table))}() returns trigger
    language plpgsql security definer ${settings.join(' ')}
    as ${literal(captureBody(table, reread))}`
}

/** The settings as pg_proc.proconfig lists them. */
export function captureSettings(table: TableMove, reread: boolean): [string, string][] {
  const needed = new Set(['search_path'])
  for (const column of written(table)) {
    const known = column.forward === undefined ? SETTINGS_BY_TYPE[column.sourceType] : undefined
    for (const name of known ?? Object.keys(TEXT_SETTINGS)) needed.add(name)
  }
  const settings = Object.entries(TEXT_SETTINGS).filter(([name]) => needed.has(name))
  // A row that a policy hides from the mover would be read again as one that is gone, and deleted on the other side.
  return reread ? [...settings, ['row_security', 'off']] : settings
}

function settingValue(name: string, value: string): string {
  return name === 'search_path' ? value : literal(value)
}

const CHANGE = 'insert into banyan.changes (context, move, op, tbl, key, row)'
const HEAD = 'tg_argv[0], tg_argv[1]::bigint'

function insertTrusted(table: TableMove, from: 'old' | 'new', key: string): string {
  const tbl = literal(tableId(table.source))
  if (from === 'old') return `${CHANGE} values (${HEAD}, 'd', ${tbl}, ${key}, null);`
  const computed = written(table).some((column) => column.forward !== undefined)
  if (!computed) return `${CHANGE} values (${HEAD}, 'u', ${tbl}, ${key}, ${rowJson(table, 'new.')});`
  return `${CHANGE} select ${HEAD}, 'u', ${tbl}, ${key}, ${rowJson(table, '')} from (select new.*) as source_row;`
}

function insertCurrent(table: TableMove, from: 'old' | 'new', key: string): string {
  const same = table.key.map((name) => `${ident(name)} = ${from}.${ident(name)}`).join(' and ')
  return `${CHANGE}
      select ${HEAD}, case when s.row is null then 'd' else 'u' end, ${literal(tableId(table.source))}, ${key}, s.row
      from (select) as one left join lateral (
        select ${rowJson(table, '')} as row from ${qualified(table.source)} where ${same}) as s on true;`
}

/** The row as a JSON object of texts, by the receiver's column names. */
export function rowJson(table: TableMove, prefix: string): string {
  const pairs = written(table).map((column) => `${literal(column.target)}, ${columnValue(column, prefix)}::text`)
  const calls: string[] = []
  for (let first = 0; first < pairs.length; first += PAIRS_A_CALL) {
    calls.push(`jsonb_build_object(${pairs.slice(first, first + PAIRS_A_CALL).join(', ')})`)
  }
  return calls.join(' || ')
}

function columnValue(column: ColumnMove, prefix: string): string {
  return column.forward === undefined ? `${prefix}${ident(column.source)}` : sourceValue(column)
}
