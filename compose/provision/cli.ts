// Provisioning from outside, for stacks of containers: run again, it changes nothing but what is not as it was told.
//   node provision/cli.ts databases <name ...>   `control`, `unleash`, `shop` or a service's: the database and its roles
//   node provision/cli.ts flags <context ...>    the flags of these contexts
// Environment: DATABASE_URL of a superuser and PASSWORD_OF_<ROLE> for each role; UNLEASH_URL and UNLEASH_ADMIN_TOKEN.
import { connected, provisionDatabase } from './database.ts'
import { provisionFlags } from './flags.ts'
import { passwordVariable } from './secrets.ts'
import { provisionControl, provisionMover, provisionSide } from './shop-databases.ts'

/** Of several that run at once, each waits for the one before: two would make the same role. */
const LOCK = 'select pg_advisory_lock(7461032)'

const VERBS: Record<string, (names: readonly string[]) => Promise<unknown>> = {
  databases: (names) =>
    connected(given('DATABASE_URL'), async (client) => {
      await client.query(LOCK)
      for (const name of names) await makeDatabase(given('DATABASE_URL'), name)
    }),
  flags: async (contexts) => {
    const server = { url: given('UNLEASH_URL'), adminToken: given('UNLEASH_ADMIN_TOKEN') }
    for (const context of contexts) await provisionFlags(server, context)
  },
}

const [verb = '', ...names] = process.argv.slice(2)
const run = VERBS[verb]
if (!run || names.length === 0) throw new Error(`say what to make: ${Object.keys(VERBS).join(' or ')}, and which`)
await run(names)
console.log(`${verb}: ${names.join(', ')}`)

async function makeDatabase(adminUrl: string, name: string): Promise<void> {
  if (name === 'control') await provisionControl(adminUrl, passwordOf)
  else if (name === 'unleash') await provisionDatabase(adminUrl, name, name, passwordOf)
  else {
    await provisionSide(adminUrl, name, passwordOf)
    await provisionMover(adminUrl, [name], passwordOf)
  }
}

function passwordOf(role: string): string {
  return given(passwordVariable(role))
}

function given(variable: string): string {
  const value = process.env[variable]
  if (!value) throw new Error(`${variable} is missing`)
  return value
}
