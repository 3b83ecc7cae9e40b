// Makes a database and the roles that use it, with the passwords of its Secret: node roles.mjs <what>, as superuser.
//   side      database DATABASE of the shop or a service: <DATABASE>_owner runs its migrations, <DATABASE>_app is its
//             process, and the mover is a member of the owner
//   control   banyan_control with its owner, and the roles of the mover, of proxies and of everybody else who watches
//   plain     database DATABASE with an owner of that name: a server's own
// Run again, it renews the passwords and changes nothing else.
import { createRequire } from 'node:module'

// The image has `pg` beside the migrations, not beside this file.
const { default: pg } = await import(createRequire(`${process.cwd()}/`).resolve('pg'))
const { env } = process
const name = pg.escapeIdentifier
const given = (variable) => env[variable] ?? fail(`${variable} is missing`)

function fail(why) {
  throw new Error(why)
}

/** Of parallel Jobs one makes a role and the others find it there. */
const role = (user, more) => `
  do $$ begin create role ${name(user)} nosuperuser nocreatedb nocreaterole;
  exception when duplicate_object or unique_violation then null; end $$;
  ${more}`
const login = (user, variable) =>
  role(user, `alter role ${name(user)} login password ${pg.escapeLiteral(given(variable))};`)

async function connected(database, work) {
  const { PGHOST: host = 'postgres', PGPORT: port = '5432', username: user, password } = env
  const client = new pg.Client({ host, port: Number(port), user, password, database })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

async function database(known, owner) {
  await connected('postgres', async (db) => {
    const { rowCount } = await db.query('select from pg_database where datname = $1', [known])
    if (rowCount === 0) await db.query(`create database ${name(known)} owner ${name(owner)}`)
    await db.query(`revoke all on database ${name(known)} from public`)
  })
}

async function side(known) {
  const [owner, app] = [`${known}_owner`, `${known}_app`]
  await connected('postgres', (db) =>
    db.query(login(owner, 'OWNER_PASSWORD') + login(app, 'APP_PASSWORD') + role('banyan_mover', '')),
  )
  await database(known, owner)
  await connected(known, (db) =>
    db.query(`
      grant ${name(owner)} to banyan_mover;
      grant connect on database ${name(known)} to ${name(app)}, banyan_mover;
      alter schema public owner to ${name(owner)};
      revoke create on schema public from public;
      grant usage on schema public to ${name(app)};
      create schema if not exists banyan authorization ${name(owner)};
      grant usage on schema banyan to ${name(app)};`),
  )
}

async function control() {
  await connected('postgres', (db) =>
    db.query(
      login('banyan_control', 'CONTROL_PASSWORD') +
        login('banyan_watch', 'WATCH_PASSWORD') +
        login('banyan_proxy', 'PROXY_PASSWORD') +
        login('banyan_mover', 'MOVER_PASSWORD'),
    ),
  )
  await database('banyan_control', 'banyan_control')
  await connected('postgres', (db) =>
    db.query(`
      grant set on parameter session_replication_role, deadlock_timeout to banyan_mover;
      grant connect on database banyan_control to banyan_watch, banyan_proxy;`),
  )
}

async function plain(known) {
  await connected('postgres', (db) => db.query(login(known, 'OWNER_PASSWORD')))
  await database(known, known)
}

const kinds = { side: () => side(given('DATABASE')), control, plain: () => plain(given('DATABASE')) }
const make = kinds[process.argv[2]] ?? fail(`say what to make: ${Object.keys(kinds).join(', ')}`)
await make()
console.log(`${process.argv[2]} ${env.DATABASE ?? ''}: done`)
