-- The engine's own tables, in every participating database. Run again, this changes nothing.

-- The mover's fencing token, and whether applications may write the context's tables here.
create table if not exists banyan.fence (
  context text primary key,
  token bigint not null default 0,
  closed boolean not null default false
);

-- One row per change of a row, written by the capture triggers; a row stays until it is proven to be on the other
-- side. `id` must have no cache: within a row, ids have to grow in commit order. Never recreated (rule 5).
create table if not exists banyan.changes (
  id bigint generated always as identity (cache 1) primary key,
  context text not null,
  move bigint not null,
  op "char" not null check (op in ('u', 'd', 'm')),
  tbl text not null default '',
  key text not null default '',
  row jsonb,
  token bigint,
  at timestamptz not null default clock_timestamp(),
  published_at timestamptz
);
-- "create index if not exists" locks the table even where the index is: it would wait for whoever has just written a
-- captured row, and every writer after it would wait behind.
do $$ begin
  if to_regclass('banyan.changes_unpublished') is null then
    create index changes_unpublished on banyan.changes (context, id) where published_at is null;
  end if;
  if to_regclass('banyan.changes_by_context') is null then
    create index changes_by_context on banyan.changes (context, id);
  end if;
end $$;

-- What has been applied to each row, written by the applier alone; no entry means version 0.
create table if not exists banyan.row_version (
  context text not null,
  tbl text not null,
  key text collate "C" not null,
  move bigint not null,
  id bigint not null,
  deleted boolean not null,
  primary key (context, tbl, key)
);
do $$ begin
  if to_regclass('banyan.row_version_tombstones') is null then
    create index row_version_tombstones on banyan.row_version (context, tbl, move, id) where deleted;
  end if;
end $$;

-- At or below which changes are discarded: their tombstones are gone (rule 14).
create table if not exists banyan.border (
  context text primary key,
  move bigint not null,
  id bigint not null
);

-- Markers that the applier has seen.
create table if not exists banyan.markers (
  context text not null,
  move bigint not null,
  id bigint not null,
  token bigint not null,
  at timestamptz not null default clock_timestamp(),
  primary key (context, move, id)
);

-- A captured table of our own, for the round trip and the heartbeat; never a business table.
create table if not exists banyan.canary (
  context text not null,
  from_side text not null,
  beat bigint not null,
  at timestamptz not null,
  primary key (context, from_side)
);

-- How far each table's copy has come; moves in the transaction of the chunk.
create table if not exists banyan.copy_progress (
  context text not null,
  tbl text not null,
  move bigint not null,
  border text,
  position text,
  rows_copied bigint not null default 0,
  chunk_rows integer not null default 2000,
  total_estimate bigint not null default 0,
  done boolean not null default false,
  started_at timestamptz not null default clock_timestamp(),
  changed_at timestamptz not null default clock_timestamp(),
  primary key (context, tbl)
);

-- Keys whose rows collided with another unique key; read again and tried again later, never dropped.
create table if not exists banyan.copy_aside (
  context text not null,
  tbl text not null,
  key text collate "C" not null,
  primary key (context, tbl, key)
);

-- Foreign keys that cross the context's border, as they were before they were dropped.
create table if not exists banyan.crossing_keys (
  context text not null,
  tbl text not null,
  name text not null,
  definition text not null,
  primary key (context, tbl, name)
);
