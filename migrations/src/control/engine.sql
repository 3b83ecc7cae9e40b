-- What the mover alone keeps in the control database, beside the tables that every process shares.

-- One row per attempt of a switch or rollback; the token names the attempt. A mover that takes over begins another.
create table if not exists banyan.attempts (
  context text not null references banyan.contexts,
  token bigint not null,
  direction text not null check (direction in ('to-service', 'to-monolith')),
  intent bigint references banyan.intents,
  began_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  result text check (result in ('committed', 'aborted', 'taken-over')),
  reason text,
  timings jsonb not null default '{}',
  -- What went wrong before the commit, and whether another attempt may help: the next decision is then to abort.
  again boolean,
  marker bigint,
  primary key (context, token)
);

create table if not exists banyan.verifications (
  id bigint generated always as identity primary key,
  context text not null references banyan.contexts,
  move bigint not null,
  intent bigint references banyan.intents,
  at timestamptz not null default clock_timestamp(),
  rows_compared bigint not null,
  differences jsonb not null default '[]',
  different bigint not null,
  seconds double precision not null,
  voided_by text
);

-- When each context's data last made the round trip by canary, and what the mover last saw, for `status`.
create table if not exists banyan.sightings (
  context text primary key references banyan.contexts,
  at timestamptz not null default clock_timestamp(),
  canary_at timestamptz,
  seen jsonb not null default '{}'
);

-- The schema as it was when a move was prepared, one line a fact, by side.
create table if not exists banyan.prepared (
  context text not null references banyan.contexts,
  move bigint not null,
  fingerprints jsonb not null,
  primary key (context, move)
);

-- What comparisons of the two sides found, and of which builds: a switch asks for the last one of those that run.
create table if not exists banyan.parity_runs (
  id bigint generated always as identity primary key,
  context text not null references banyan.contexts,
  at timestamptz not null default clock_timestamp(),
  who text not null,
  verdict text not null check (verdict in ('alike', 'different', 'inconclusive')),
  monolith_build text not null,
  service_build text not null,
  seed bigint not null,
  requests bigint not null,
  compared bigint not null,
  reasons jsonb not null default '[]'
);

-- What the guard of a climb said last of each context's reads, for the console.
create table if not exists banyan.watches (
  context text primary key references banyan.contexts,
  at timestamptz not null default clock_timestamp(),
  who text not null,
  share integer not null check (share between 0 and 100),
  decision text not null check (decision in ('continue', 'promote', 'pause', 'back')),
  because text,
  -- Both sides since the share was set: reads, those that failed, and the time in ms within which 99 % were answered.
  sides jsonb not null
);
