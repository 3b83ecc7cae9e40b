-- What the fence does to an application's write. AFTER ROW rather than BEFORE: a BEFORE ROW trigger, even a disabled
-- one, makes every COPY into the table insert row by row; rejected is rejected in either place.
create or replace function banyan.reject_write() returns trigger language plpgsql security definer
  set search_path = pg_catalog, pg_temp as $$
declare
  seen text;
begin
  select o.owner into seen from banyan.owner o where o.context = tg_argv[0];
  raise exception 'writes to %.% are rejected here: the context "%" is not open on this side',
    tg_table_schema, tg_table_name, tg_argv[0]
    using errcode = 'BN001', detail = format('context=%s owner=%s', tg_argv[0], coalesce(seen, 'unknown'));
end $$;

-- A TRUNCATE fires no row trigger: it would be lost on its way to the other side.
create or replace function banyan.refuse_truncate() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  raise exception 'TRUNCATE of %.% is refused while the context "%" is on the move: it cannot be captured',
    tg_table_schema, tg_table_name, tg_argv[0] using hint = 'Use DELETE.';
end $$;
