import { installInbox } from '@banyan/kit/inbox'
import { installOutbox } from '@banyan/kit/outbox'
import { installParticipant } from '@banyan/kit/ownership'
import type { Knex } from 'knex'

const CONTEXTS = ['users', 'inventory', 'payments', 'orders', 'shipping', 'notifications']

/** Who owns which context, the outbox and the inbox; and what the running application may do with all of it. */
export async function up(knex: Knex): Promise<void> {
  await installParticipant(knex, { contexts: CONTEXTS.map((context) => ({ context, owner: 'monolith' as const })) })
  await installOutbox(knex)
  await installInbox(knex)
  // A database without the role, as a test makes it, is used by its owner alone.
  await knex.raw(`
    do $$ begin
      if exists (select from pg_roles where rolname = 'shop_app') then
        grant usage on schema public, banyan to shop_app;
        grant select on banyan.owner to shop_app;
        grant select, insert, update, delete on banyan.outbox, banyan.inbox, banyan.inbox_failures to shop_app;
        grant usage on all sequences in schema banyan to shop_app;
        alter default privileges in schema public grant select, insert, update, delete on tables to shop_app;
        alter default privileges in schema public grant usage on sequences to shop_app;
      end if;
    end $$
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop schema banyan cascade')
}
