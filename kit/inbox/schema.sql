-- The inbox: what each consumer has handled, so that a message delivered twice has its effect once. Run again, this
-- changes nothing.
create schema if not exists banyan;
create table if not exists banyan.inbox (
  consumer text not null,
  event_id text not null,
  handled_at timestamptz not null default clock_timestamp(),
  -- Of its handling: whatever it causes later, such as a letter, goes on with that trace.
  traceparent text,
  primary key (consumer, event_id)
) with (autovacuum_vacuum_insert_scale_factor = 0.1);
do $$ begin
  if not exists (
    select from pg_attribute where attrelid = 'banyan.inbox'::regclass and attname = 'traceparent'
  ) then
    alter table banyan.inbox add column traceparent text;
  end if;
end $$;
-- "create index if not exists" locks the table even where the index is: it would wait for whoever is handling an event,
-- and every consumer after it would wait behind.
do $$ begin
  if to_regclass('banyan.inbox_age') is null then
    create index inbox_age on banyan.inbox (handled_at);
  end if;
end $$;

-- Only messages in trouble have a row here: handlers that failed, and deliveries that were begun and never ended.
create table if not exists banyan.inbox_failures (
  consumer text not null,
  event_id text not null,
  attempts integer not null default 0,
  starts integer not null default 0,
  error text,
  retry_at timestamptz,
  updated_at timestamptz not null default clock_timestamp(),
  primary key (consumer, event_id)
);
