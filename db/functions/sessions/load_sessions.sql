create function fsm.load_sessions(p_session_ids text[])
returns table (
  session_id text, machine text, machine_version integer, state text, version bigint, context jsonb, context_version integer,
  is_final boolean, entered_at timestamptz, created_at timestamptz, updated_at timestamptz)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.check_not_null('p_session_ids', p_session_ids);
  perform fsm_internal.check_at_most('p_session_ids', cardinality(p_session_ids), 1000, 'items');
  return query
    select r.session_id, r.machine, r.machine_version, r.state, r.version, fsm_internal.read_context(r.session_id, r.context),
      t.context_version,
      coalesce(t.is_final, fsm_internal.refuse_unknown_state(r.session_id, r.machine, r.machine_version, r.state)),
      r.entered_at, r.created_at, r.updated_at
    from (select a.id, min(a.nth) as nth from unnest(p_session_ids) with ordinality a(id, nth) group by a.id) wanted
    join fsm_internal.sessions r on r.session_id = wanted.id
    left join fsm_internal.machine_states t
      on t.machine = r.machine and t.machine_version = r.machine_version and t.state = r.state
    order by wanted.nth;
end
$$;
comment on function fsm.load_sessions(text[]) is
  'Several sessions in one snapshot: one session_row per distinct existing id, in order of first appearance; nulls and unknown ids give no row. At most 1,000 ids. Errors: 22004, 22023, SM060 one of them is corrupt: its id is in DETAIL, leave it out to load the others.';
