-- The control database: what is true of each context, and what people want. Run again, it changes nothing.
-- Written by the mover and the command line; read, and acknowledged, by every proxy and worker.
create schema if not exists banyan;

-- epoch: any change of the row, what subscribers acknowledge; token: the mover's fencing token;
-- term: owner changes; move: prepares.
create table if not exists banyan.contexts (
  context text primary key,
  phase text not null default 'idle' check (phase in (
    'idle', 'prepared', 'copying', 'following', 'ready', 'switching', 'switched', 'completed', 'aborting')),
  former_phase text,
  direction text check (direction in ('to-service', 'to-monolith')),
  step text,
  owner text not null default 'monolith' check (owner in ('monolith', 'service')),
  hold boolean not null default false,
  reads text not null default 'flag' check (reads in ('flag', 'owner')),
  paused boolean not null default false,
  epoch bigint not null default 1,
  token bigint not null default 0,
  term bigint not null default 1,
  move bigint not null default 0,
  heartbeat_applied timestamptz,
  changed_at timestamptz not null default clock_timestamp()
);

-- The heartbeat moves four times a second and nobody acknowledges it, so it alone does not raise the epoch.
create or replace function banyan.raise_epoch() returns trigger language plpgsql as $$
begin
  if (to_jsonb(new) - 'heartbeat_applied') is distinct from (to_jsonb(old) - 'heartbeat_applied') then
    new.epoch := old.epoch + 1;
    new.changed_at := clock_timestamp();
    perform pg_notify('banyan_ownership', new.context);
  end if;
  return new;
end $$;

-- What people ask for. The mover alone turns an intent into truth; a context has at most one open.
create table if not exists banyan.intents (
  id bigint generated always as identity primary key,
  context text not null references banyan.contexts,
  verb text not null,
  args jsonb not null default '{}',
  source text not null check (source in ('cli', 'console', 'flag')),
  who text not null,
  why text,
  state text not null default 'pending' check (state in (
    'pending', 'running', 'done', 'failed', 'refused', 'cancelled')),
  waits_for text,
  result jsonb,
  created_at timestamptz not null default clock_timestamp(),
  settled_at timestamptz
);

-- One row per proxy or background worker and context: the epoch it has seen, whether its requests have drained.
create table if not exists banyan.subscribers (
  id text not null,
  kind text not null check (kind in ('proxy', 'worker')),
  context text not null references banyan.contexts,
  epoch_seen bigint not null default 0,
  drained boolean not null default false,
  lease_until timestamptz not null,
  -- Whose it is: no other role renews, acknowledges or ends it.
  by_role name not null default current_user,
  primary key (id, context)
);

create table if not exists banyan.instances (
  service text not null,
  id text not null,
  url text not null,
  started_at timestamptz not null default clock_timestamp(),
  heartbeat_at timestamptz not null default clock_timestamp(),
  -- What it runs; parity was shown of builds.
  build text,
  primary key (service, id)
);

-- Which services a role may tell instances of: whoever announced another's would be sent its requests.
create table if not exists banyan.announcers (
  role name not null,
  service text not null,
  primary key (role, service)
);
create or replace function banyan.let_announce(of_role name, services text[]) returns void language sql as $$
  delete from banyan.announcers where role = of_role and service <> all (services);
  insert into banyan.announcers select of_role, service from unnest(services) service on conflict do nothing;
$$;

-- A role writes what is its own. The tables' owner, who is the mover, is not bound by policies.
do $$ begin
  if not exists (
    select from pg_attribute where attrelid = 'banyan.subscribers'::regclass and attname = 'by_role'
  ) then
    if exists (select from banyan.contexts where hold or phase in ('switching', 'aborting')) then
      raise exception 'a context is being switched: its subscribers cannot be made anew until that is over';
    end if;
    -- Whose the rows of an earlier version are, nobody knows; who lives is back with its next renewal.
    delete from banyan.subscribers;
    alter table banyan.subscribers add column by_role name not null default current_user;
  end if;
  if not exists (select from pg_policy where polrelid = 'banyan.subscribers'::regclass) then
    alter table banyan.subscribers enable row level security;
    create policy all_are_read on banyan.subscribers for select using (true);
    create policy own_are_written on banyan.subscribers using (by_role = current_user);
  end if;
  if not exists (select from pg_policy where polrelid = 'banyan.instances'::regclass) then
    alter table banyan.instances enable row level security;
    create policy all_are_read on banyan.instances for select using (true);
    create policy own_are_written on banyan.instances using (
      exists (select from banyan.announcers a where a.role = current_user and a.service = instances.service)
    );
  end if;
end $$;

create table if not exists banyan.audit (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  who text not null,
  what text not null,
  context text,
  old jsonb,
  new jsonb,
  why text,
  result text
);
create or replace function banyan.audit_is_append_only() returns trigger language plpgsql as $$
begin
  raise exception 'banyan.audit is append-only: % refused', tg_op;
end $$;

-- Looked for first: "if not exists" and "or replace" lock the table even where there is nothing to do, which would wait
-- for whoever writes, a switch for one, and everybody after it would wait behind.
do $$ begin
  if to_regclass('banyan.intents_one_open') is null then
    create unique index intents_one_open on banyan.intents (context) where state in ('pending', 'running');
  end if;
  if not exists (
    select from pg_trigger where tgrelid = 'banyan.contexts'::regclass and tgname = 'raise_epoch'
  ) then
    create trigger raise_epoch before update on banyan.contexts
      for each row execute function banyan.raise_epoch();
  end if;
  if not exists (
    select from pg_trigger where tgrelid = 'banyan.audit'::regclass and tgname = 'audit_is_append_only'
  ) then
    create trigger audit_is_append_only before update or delete or truncate on banyan.audit
      for each statement execute function banyan.audit_is_append_only();
  end if;
end $$;

-- Writes down what is wanted, and wakes the mover; null where the context has an open intent already.
create or replace function banyan.ask(
  of_context text, what text, with_args jsonb, from_source text, by_whom text, because text
) returns bigint language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  asked bigint;
begin
  insert into banyan.intents (context, verb, args, source, who, why)
  values (of_context, what, with_args, from_source, by_whom, because)
  on conflict (context) where state in ('pending', 'running') do nothing returning id into asked;
  if asked is not null then
    perform pg_notify('banyan_intents', of_context);
  end if;
  return asked;
end $$;

-- All that a proxy's role may ask for: a switch or a rollback, from the console, in somebody's name and for a reason.
-- SECURITY DEFINER because a right to insert intents would be a right to any verb, under any source.
create or replace function banyan.ask_at_console(
  of_context text, what text, by_whom text, because text, without_parity boolean
) returns bigint language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if (what in ('switch', 'rollback')) is not true or btrim(by_whom) <> '' is not true or btrim(because) <> '' is not true then
    raise exception 'the console asks for a switch or rollback, with a name and a reason' using errcode = '22023';
  end if;
  return banyan.ask(
    of_context, what,
    case when without_parity and what = 'switch' then jsonb_build_object('withoutParity', because) else '{}' end,
    'console', by_whom, because);
end $$;

-- Takes back a switch or rollback that waits for its turn, and asks the mover to call off one that it has begun;
-- null where there is neither.
create or replace function banyan.call_off_at_console(of_context text, by_whom text, because text) returns text
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  found_state text;
begin
  update banyan.intents set
    args = args || jsonb_build_object('abort', because || ' (' || by_whom || ')'),
    settled_at = case state when 'pending' then clock_timestamp() end,
    result = case state when 'pending' then jsonb_build_object('because', 'cancelled by ' || by_whom) end,
    state = case state when 'pending' then 'cancelled' else state end
  where context = of_context and verb in ('switch', 'rollback') and state in ('pending', 'running')
  returning state into found_state;
  if found_state = 'cancelled' then
    insert into banyan.audit (who, what, context, why, result)
    values (by_whom, 'abort', of_context, because, 'cancelled');
  elsif found_state is not null then
    perform pg_notify('banyan_intents', of_context);
  end if;
  return found_state;
end $$;

revoke execute on function
  banyan.ask(text, text, jsonb, text, text, text),
  banyan.ask_at_console(text, text, text, text, boolean),
  banyan.call_off_at_console(text, text, text)
from public;
