import { installInbox } from '@banyan/kit/inbox'
import { installOutbox } from '@banyan/kit/outbox'
import { installParticipant } from '@banyan/kit/ownership'
import type { Knex } from 'knex'

/** Who owns inventory (the monolith, until the context has moved), the outbox and the inbox; and what the service may do. */
export async function up(knex: Knex): Promise<void> {
  await installParticipant(knex, { contexts: [{ context: 'inventory', owner: 'monolith' }] })
  await installOutbox(knex)
  await installInbox(knex)
  // A database without the role, as a test makes it, is used by its owner alone.
  await knex.raw(`
    do $$ begin
      if exists (select from pg_roles where rolname = 'inventory_app') then
        grant usage on schema public, banyan to inventory_app;
        grant select on banyan.owner to inventory_app;
        grant select, insert, update, delete on banyan.outbox, banyan.inbox, banyan.inbox_failures to inventory_app;
        grant usage on all sequences in schema banyan to inventory_app;
        alter default privileges in schema public grant select, insert, update, delete on tables to inventory_app;
        alter default privileges in schema public grant usage on sequences to inventory_app;
      end if;
    end $$
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop schema banyan cascade')
}
