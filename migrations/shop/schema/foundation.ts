/** What every database that takes part in moves begins with, and what the process that uses it may do there. */
import { installInbox } from '@banyan/kit/inbox'
import { installOutbox } from '@banyan/kit/outbox'
import { installParticipant } from '@banyan/kit/ownership'
import type { Knex } from 'knex'

/**
 * Who owns which context (the monolith, until it has moved), the outbox and the inbox.
 * @param role the running application's role: it reads owners, and works on the rows of tables, these and later ones;
 *   a database without the role, as a test makes it, is used by its owner alone
 */
export function foundation({ contexts, role }: { contexts: readonly string[]; role: string }) {
  return {
    async up(knex: Knex): Promise<void> {
      await installParticipant(knex, { contexts: contexts.map((context) => ({ context, owner: 'monolith' as const })) })
      await installOutbox(knex)
      await installInbox(knex)
      const known = await knex.raw('select from pg_roles where rolname = ?', [role])
      if (known.rows.length === 0) return
      await knex.raw(
        `grant usage on schema public, banyan to ??;
        grant select on banyan.owner to ??;
        grant select, insert, update, delete on banyan.outbox, banyan.inbox, banyan.inbox_failures to ??;
        grant usage on all sequences in schema banyan to ??;
        alter default privileges in schema public grant select, insert, update, delete on tables to ??;
        alter default privileges in schema public grant usage on sequences to ??`,
        Array(6).fill(role),
      )
    },
    async down(knex: Knex): Promise<void> {
      await knex.raw('drop schema banyan cascade')
    },
  }
}
