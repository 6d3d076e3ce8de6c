create function fsm_internal.store_machine(p_machine text, p_machine_version integer, p_definition jsonb)
returns void
language plpgsql
volatile
as $$
declare
  v_context_version integer := coalesce((p_definition #>> '{meta,context_version}')::numeric::integer, 1);
begin
  insert into fsm_internal.machine_versions (machine, machine_version, definition, context_version, created_at, created_by)
  values (p_machine, p_machine_version, p_definition, v_context_version, fsm_internal.clock(), session_user)
  on conflict do nothing;
  if not found then
    raise exception using errcode = '40001', message = 'the machine was defined by another transaction at the same time',
      detail = jsonb_build_object('machine', p_machine, 'machine_version', p_machine_version)::text,
      hint = 'Nothing was stored. Call fsm.define_machine again.';
  end if;
  perform fsm_internal.store_states(p_machine, p_machine_version, v_context_version, p_definition);
  perform fsm_internal.store_candidates(p_machine, p_machine_version, p_definition);
  perform fsm_internal.store_moves(p_machine, p_machine_version);
  insert into fsm_internal.machine_delays (machine, machine_version, state, delay_ms, to_state, loop_limit, loop_window, loop_action, divert_to)
  select p_machine, p_machine_version, d.state, d.delay::bigint, fsm_internal.definition_target(p_machine, d.body ->> 'target'),
    r.loop_limit, r.loop_window, r.loop_action, r.divert_to
  from fsm_internal.definition_deadlines(p_definition) d
  cross join lateral fsm_internal.loop_rule(p_machine, p_definition #> '{meta,loop}') r;
end
$$;
comment on function fsm_internal.store_machine(text, integer, jsonb) is
  'Writes a machine version: the definition, which must be without findings of severity error, and its compiled form. 40001 if another transaction wrote that version without the lock of fsm.define_machine, or unseen by this one''s snapshot.';

create function fsm_internal.store_states(p_machine text, p_machine_version integer, p_context_version integer, p_definition jsonb)
returns void
language plpgsql
volatile
as $$
declare
  v_schema record;
begin
  select c.schema_check, c.schema_rest into v_schema
  from fsm_internal.compile_schema(p_definition #> '{meta,context_schema}') c
  where p_definition #> '{meta,context_schema}' is not null;
  insert into fsm_internal.machine_states (machine, machine_version, state, is_initial, is_final, context_version,
    max_context_bytes, audit_chain, first_delay_ms, invariants, schema_check, schema_rest)
  select p_machine, p_machine_version, s.state, s.state = p_definition ->> 'initial', s.is_final, p_context_version,
    coalesce((p_definition #>> '{meta,max_context_bytes}')::numeric::bigint, 8388608),
    coalesce(p_definition #>> '{meta,audit}' = 'chain', false),
    (select min(d.delay::bigint) from fsm_internal.definition_deadlines(p_definition) d where d.state = s.state),
    array(
      select (i.predicate #>> '{}')::jsonpath from fsm_internal.definition_invariants(p_definition) i
      where i.state = s.state order by i.nth),
    v_schema.schema_check, v_schema.schema_rest
  from fsm_internal.definition_states(p_definition) s;
end
$$;
comment on function fsm_internal.store_states(text, integer, integer, jsonb) is 'Writes the states of a machine version, with what is checked on entering them.';

create function fsm_internal.store_candidates(p_machine text, p_machine_version integer, p_definition jsonb)
returns void
language plpgsql
volatile
as $$
begin
  insert into fsm_internal.machine_candidates (machine, machine_version, from_state, event, candidate, to_state, guard, guard_source,
    reenter, loop_limit, loop_window, loop_action, divert_to)
  select p_machine, p_machine_version, t.from_state, t.event, t.candidate, t.to_state, t.guard::jsonpath, t.guard,
    t.reenter, r.loop_limit, r.loop_window, r.loop_action, r.divert_to
  from fsm_internal.definition_transitions(p_definition) t
  cross join lateral fsm_internal.loop_rule(p_machine, t.loop) r;
end
$$;
comment on function fsm_internal.store_candidates(text, integer, jsonb) is
  'Writes the candidates of a machine version: those of the root for every state that they apply in, each with the loop rule that applies to it.';

create function fsm_internal.store_moves(p_machine text, p_machine_version integer)
returns void
language plpgsql
volatile
as $$
begin
  insert into fsm_internal.machine_moves (machine, machine_version, from_state, to_state, events, candidates, hits, guards,
    loop_limit, loop_window, loop_action, divert_to, same_rule, target)
  with lists as (
    select c.from_state, c.event, array_agg(c.candidate order by c.candidate) as candidates, array_agg(c.to_state order by c.candidate) as targets,
      array_agg(c.guard order by c.candidate) as guards, array_agg(c.reenter order by c.candidate) as reenters,
      array_agg(c.loop_limit order by c.candidate) as limits, array_agg(c.loop_window order by c.candidate) as windows,
      array_agg(c.loop_action order by c.candidate) as actions, array_agg(c.divert_to order by c.candidate) as diverts
    from fsm_internal.machine_candidates c
    where c.machine = p_machine and c.machine_version = p_machine_version group by c.from_state, c.event
  ), tried as (
    -- Per target of a list, the list up to the last candidate that leads there.
    select l.from_state, t.to_state, l.event, u.candidate, u.target = t.to_state as hit, u.guard, u.reenter,
      u.loop_limit, u.loop_window, u.loop_action, u.divert_to
    from lists l
    cross join lateral (select n.target, max(n.nth) from unnest(l.targets) with ordinality n (target, nth) group by n.target) t (to_state, last)
    cross join lateral unnest(l.candidates, l.targets, l.guards, l.reenters, l.limits, l.windows, l.actions, l.diverts)
      u (candidate, target, guard, reenter, loop_limit, loop_window, loop_action, divert_to)
    where u.candidate <= t.last
    union all
    -- A pure update of the context: a pair that no candidate decides.
    select s.state, s.state, null, null, null, null, null, null, null, null, null from fsm_internal.machine_states s
    where s.machine = p_machine and s.machine_version = p_machine_version and not s.is_final
  ), pairs as (
    select t.from_state, t.to_state,
      array_agg(t.event order by t.event collate "C", t.candidate) filter (where t.event is not null) as events,
      array_agg(t.candidate order by t.event collate "C", t.candidate) filter (where t.event is not null) as candidates,
      array_agg(t.hit order by t.event collate "C", t.candidate) filter (where t.event is not null) as hits,
      array_agg(t.guard order by t.event collate "C", t.candidate) filter (where t.event is not null) as guards,
      count(distinct (t.loop_limit, t.loop_window, t.loop_action, t.divert_to)) filter (where t.hit) as rules,
      coalesce(bool_or(t.reenter and t.from_state = t.to_state) filter (where t.hit), false) as reenters,
      min(t.loop_limit) filter (where t.hit) as loop_limit, min(t.loop_window) filter (where t.hit) as loop_window,
      min(t.loop_action) filter (where t.hit) as loop_action, min(t.divert_to) filter (where t.hit) as divert_to
    from tried t group by t.from_state, t.to_state
  )
  select p_machine, p_machine_version, p.from_state, p.to_state, coalesce(p.events, '{}'), coalesce(p.candidates, '{}'),
    coalesce(p.hits, '{}'), coalesce(p.guards, '{}'),
    case when p.rules = 1 then p.loop_limit end, case when p.rules = 1 then p.loop_window end,
    case when p.rules = 1 then p.loop_action end, case when p.rules = 1 then p.divert_to end,
    p.rules <= 1 and not p.reenters, fsm_internal.admission_of(p_machine, p_machine_version, p.to_state)
  from pairs p;
end
$$;
comment on function fsm_internal.store_moves(text, integer) is
  'Writes what a save from one state to another has to try, put together from the candidates. Where the hits of a pair have different loop rules, the pair has none and same_rule is false.';
