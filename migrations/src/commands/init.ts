import { installControlDatabase } from '../control/install.ts'
import { inTransaction } from '../control/transaction.ts'
import type { Setup } from '../setup.ts'
import type { AddCommand } from './cli.ts'
import { Refused } from './refused.ts'

export const addInit: AddCommand = (program, cli) => {
  program
    .command('init')
    .description(
      'make the control database ready: its tables, and a row for every planned context (run again, it only puts the rights of the roles that are named right)',
    )
    .option(
      '--watchers <role=service,…>',
      'roles of services, which read ownership and say where instances of that service are, and of no other; a role is named again for each further service, and with nothing behind "=" for none',
    )
    .option(
      '--proxies <roles>',
      'roles of proxies, whose operators may also set who answers reads; separated by commas',
    )
    .option('--dry-run', 'show the steps and change nothing')
    .option('--json', 'print one JSON object')
    .action((given: { watchers?: string; proxies?: string; dryRun?: boolean; json?: boolean }) =>
      cli.run(given, async (setup, out) => {
        const roles = { watchers: announcers(given.watchers), proxies: listOf(given.proxies) }
        const contexts = [...(await setup.plans()).keys()]
        const steps = [
          '-- banyan_control: kit/ownership/control.sql, then migrations/src/control/engine.sql and console.sql',
          ...Object.entries(roles.watchers).map(
            ([role, services]) =>
              `-- for ${role}: kit/ownership/watcher.sql; it may announce ${services.join(', ') || 'nothing'}`,
          ),
          ...roles.proxies.map(
            (role) =>
              `-- for ${role}: kit/ownership/watcher.sql and proxy.sql; grant execute on function banyan.console_state()`,
          ),
          ...contexts.map(
            (context) => `insert into banyan.contexts (context) values ('${context}') on conflict do nothing;`,
          ),
          '-- the way back: drop schema banyan cascade, while nothing is on the move',
        ]
        if (given.dryRun) return out.result({ dryRun: true, steps }, steps.join('\n'))
        await refuseStrangers(setup, [...Object.keys(roles.watchers), ...roles.proxies])
        const added = await inTransaction(setup.control(), (db) => installControlDatabase(db, contexts, roles))
        out.result(
          { contexts, added },
          `control database ready; contexts: ${contexts.join(', ')}${added.length > 0 ? ` (new: ${added.join(', ')})` : ''}`,
        )
      }),
    )
}

/** @throws Refused for roles that the server does not have */
async function refuseStrangers(setup: Setup, roles: readonly string[]): Promise<void> {
  const { rows } = await setup
    .control()
    .query<{ role: string }>(
      'select role from unnest($1::text[]) as role where not exists (select from pg_roles where rolname = role)',
      [roles],
    )
  const strangers = rows.map(({ role }) => `"${role}"`).join(', ')
  if (strangers)
    throw new Refused(`roles that there are; the server has no ${strangers}: create role, or mend the name`)
}

/** @throws Refused for a role of which nothing is said: it would fall silent, and the proxy would lose its service. */
function announcers(given?: string): Record<string, string[]> {
  const watchers: Record<string, string[]> = {}
  for (const one of listOf(given)) {
    const [, role, service] = one.match(/^([^=]+)=([^=]*)$/) ?? []
    if (role === undefined)
      throw new Refused(`--watchers to say which service "${one}" tells instances of, as in "${one}=goods-service"`)
    watchers[role] = [...(watchers[role] ?? []), ...(service ? [service] : [])]
  }
  return watchers
}

function listOf(list = ''): string[] {
  return list
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')
}
