-- The outbox: events on their way from a business transaction to the broker. Run again, this changes nothing.
-- Needs ownership/participant.sql before it: an event is numbered within the term of its context's owner.
create table if not exists banyan.outbox (
  id bigint generated always as identity (cache 1) primary key,
  event_id uuid not null default gen_random_uuid(),
  context text not null,
  -- The owner's term when the event was appended, 0 where the context has no owner: a new owner counts from the start
  -- again, and its first event still comes after the last of the old one.
  term bigint not null,
  stream text not null check (stream <> ''),
  -- The routing key, which AMQP limits.
  type text not null check (octet_length(type) between 1 and 255),
  version integer not null check (version > 0),
  headers jsonb not null default '{}' check (jsonb_typeof(headers) = 'object'),
  -- A broker refuses bodies over 16 MiB; the row would be tried for ever.
  payload jsonb not null check (octet_length(payload::text) <= 8388608),
  created_at timestamptz not null default clock_timestamp(),
  published_at timestamptz
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.1);

-- All that the relay looks at, however many published rows wait to be purged. "create index if not exists" locks the
-- table even where the index is: it would wait for whoever has just told an event, and every writer after it would wait
-- behind.
do $$ begin
  if to_regclass('banyan.outbox_unpublished') is null then
    create index outbox_unpublished on banyan.outbox (id) where published_at is null;
  end if;
end $$;

-- SECURITY DEFINER so that an application needs no rights on the tables it does not know of.
create or replace function banyan.emit(
  context text, stream text, type text, version integer, payload jsonb, headers jsonb default '{}'
) returns uuid language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into banyan.outbox (context, term, stream, type, version, headers, payload)
  values (
    emit.context,
    coalesce((select o.term from banyan.owner o where o.context = emit.context), 0),
    emit.stream, emit.type, emit.version, emit.headers, emit.payload
  )
  returning event_id
$$;
