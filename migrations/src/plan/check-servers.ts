import { ask } from '../data/open-db.ts'
import { type Finding, healthy, ill, type Sides } from './finding.ts'
import type { Plan } from './plan.ts'

type ServerRow = {
  version: number
  collation: string
  encoding: string
  user: string
  forbidden: string[]
  creates: boolean
  owner: boolean
}

const OLDEST = 150_000
/** What the mover sets for itself: the first while it applies rows (rule 11), the second while it waits for locks (rule 18). */
const PARAMETERS = ['session_replication_role', 'deadlock_timeout']
const SERVER = `
  select current_setting('server_version_num')::int as version, d.datcollate || '/' || d.datlocprovider::text as collation,
    pg_encoding_to_char(d.encoding) as encoding, current_user as user,
    array(select name from unnest($1::text[]) as name
      where not coalesce(has_parameter_privilege(current_user, name, 'set'), false)) as forbidden,
    has_database_privilege(current_user, d.oid, 'create')
      or coalesce(has_schema_privilege(current_user, to_regnamespace('banyan')::oid, 'create'), false) as creates,
    to_regclass('banyan.owner') is not null as owner
  from pg_database d where d.datname = current_database()`

/** Versions, collations and the mover's rights on both servers. */
export async function checkServers(plan: Plan, sides: Sides): Promise<Finding[]> {
  const [monolith, service] = await Promise.all([serverOf(sides.monolith), serverOf(sides.service)])
  return [
    ...rights(plan.databases.monolith, monolith),
    ...rights(plan.databases.service, service),
    monolith.encoding === service.encoding
      ? healthy('encoding', monolith.encoding)
      : ill('encoding', `${monolith.encoding} and ${service.encoding}`, 'give both databases the same encoding'),
    monolith.collation === service.collation
      ? healthy('collation', monolith.collation)
      : ill(
          'collation',
          `${monolith.collation} and ${service.collation}`,
          'give both databases the same collation: text keys are walked in order',
        ),
  ]
}

async function serverOf(db: Sides['monolith']): Promise<ServerRow> {
  const { rows } = await ask<ServerRow>(db, SERVER, [PARAMETERS])
  if (!rows[0]) throw new Error('the database does not know itself')
  return rows[0]
}

function rights(name: string, server: ServerRow): Finding[] {
  return [
    server.version >= OLDEST
      ? healthy('version', `${name}: ${Math.floor(server.version / 10_000)}`)
      : ill(
          'version',
          `${name} runs PostgreSQL ${Math.floor(server.version / 10_000)}`,
          'PostgreSQL 15 or newer is needed',
        ),
    ...PARAMETERS.map((parameter) =>
      server.forbidden.includes(parameter)
        ? ill(
            'privileges',
            `${server.user} may not set ${parameter} in ${name}`,
            `GRANT SET ON PARAMETER ${parameter} TO ${server.user}`,
          )
        : healthy('privileges', `${server.user} may set ${parameter} in ${name}`),
    ),
    server.creates
      ? healthy('privileges', `${server.user} may create in schema banyan of ${name}`)
      : ill(
          'privileges',
          `${server.user} may not create in schema banyan of ${name}`,
          `GRANT CREATE, USAGE ON SCHEMA banyan TO ${server.user}`,
        ),
    server.owner
      ? healthy('participants', `${name} knows banyan.owner`)
      : ill(
          'participants',
          `${name} has no table banyan.owner`,
          "run that database's migrations: one of them calls installParticipant",
        ),
  ]
}
