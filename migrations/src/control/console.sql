-- What the operators' console shows of each context, in one answer; times are milliseconds by this database's clock.
-- SECURITY DEFINER because a proxy's role may read none of these tables: of a verification it learns the count, and not
-- which rows differ in what.
create or replace function banyan.console_state() returns jsonb
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select jsonb_build_object(
    'now', clock_timestamp(),
    -- The lock of control/leader.ts.
    'mover', exists (
      select from pg_locks l join pg_database d on d.oid = l.database and d.datname = current_database()
      where l.locktype = 'advisory' and l.objid = x'62616e79'::int and l.granted),
    'contexts', coalesce(jsonb_agg(jsonb_build_object(
      'context', c.context,
      'step', c.step,
      'paused', c.paused,
      'lagMs', case when c.phase not in ('idle', 'completed')
        then extract(epoch from clock_timestamp() - c.heartbeat_applied) * 1000 end,
      'copy', s.seen -> 'copy',
      'blocked', s.seen -> 'blocked',
      'seenAgoMs', extract(epoch from clock_timestamp() - s.at) * 1000,
      'intent', (
        select jsonb_build_object(
          'id', i.id, 'verb', i.verb, 'source', i.source, 'who', i.who, 'why', i.why, 'state', i.state,
          'waitsFor', i.waits_for, 'ageMs', extract(epoch from clock_timestamp() - i.created_at) * 1000)
        from banyan.intents i where i.context = c.context and i.state in ('pending', 'running')),
      'last', (
        select jsonb_build_object(
          'id', i.id, 'verb', i.verb, 'source', i.source, 'who', i.who, 'state', i.state,
          'because', i.result ->> 'because', 'agoMs', extract(epoch from clock_timestamp() - i.settled_at) * 1000)
        from banyan.intents i where i.context = c.context and i.settled_at is not null
        order by i.settled_at desc, i.id desc limit 1),
      'watch', (
        select jsonb_build_object(
          'who', w.who, 'share', w.share, 'decision', w.decision, 'because', w.because, 'sides', w.sides,
          'agoMs', extract(epoch from clock_timestamp() - w.at) * 1000)
        from banyan.watches w where w.context = c.context),
      'attemptMs', (
        select extract(epoch from clock_timestamp() - a.began_at) * 1000 from banyan.attempts a
        where a.context = c.context and a.ended_at is null order by a.token desc limit 1),
      'verification', (
        select jsonb_build_object(
          'rows', v.rows_compared, 'different', v.different, 'voidedBy', v.voided_by,
          'agoMs', extract(epoch from clock_timestamp() - v.at) * 1000)
        from banyan.verifications v where v.context = c.context and v.move = c.move order by v.id desc limit 1),
      'parity', (
        select jsonb_build_object(
          'verdict', p.verdict, 'monolithBuild', p.monolith_build, 'serviceBuild', p.service_build,
          'agoMs', extract(epoch from clock_timestamp() - p.at) * 1000)
        from banyan.parity_runs p where p.context = c.context order by p.id desc limit 1),
      'subscribers', (
        select jsonb_build_object(
          'proxies', count(*) filter (where u.kind = 'proxy'), 'workers', count(*) filter (where u.kind = 'worker'),
          'lapsed', count(*) filter (where u.lease_until < clock_timestamp()))
        from banyan.subscribers u where u.context = c.context)
    ) order by c.context), '[]'))
  from banyan.contexts c left join banyan.sightings s using (context)
$$;
revoke execute on function banyan.console_state() from public;
