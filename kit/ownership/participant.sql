-- What every participating database knows of ownership. Changed only in the transaction that fences or unfences
-- there; run again, this changes nothing.
create schema if not exists banyan;

create table if not exists banyan.owner (
  context text primary key,
  owner text not null check (owner in ('monolith', 'service', 'moving')),
  term bigint not null default 1
);

-- Share-locks the row, so that a fence waits for the transaction that decided by it and nothing slips between.
-- SECURITY DEFINER because a row lock needs a right that applications must not have.
create or replace function banyan.owner_of(of_context text) returns table (owner text, term bigint)
  language sql security definer set search_path = pg_catalog, pg_temp
  as $$ select o.owner, o.term from banyan.owner o where o.context = of_context for share $$;
