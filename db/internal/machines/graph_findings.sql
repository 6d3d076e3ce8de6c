create function fsm_internal.graph_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
immutable
as $$
begin
  return query
    with recursive moves as materialized (
      select t.from_state, t.to_state from fsm_internal.definition_transitions(p_definition) t
      union
      select t.from_state, fsm_internal.definition_target(p_definition ->> 'id', t.loop #>> '{action,divert}')
      from fsm_internal.definition_transitions(p_definition) t
      union
      select d.state, fsm_internal.definition_target(p_definition ->> 'id', x.target)
      from fsm_internal.definition_deadlines(p_definition) d
      cross join lateral (values (d.body ->> 'target'), (p_definition #>> '{meta,loop,action,divert}')) x (target)
    ), reached (state) as (
      select p_definition ->> 'initial'
      union
      select m.to_state from reached r join moves m on m.from_state = r.state
    )
    select 'warning', v.code, s.path, v.message
    from fsm_internal.definition_states(p_definition) s
    cross join lateral (values
      (s.state not in (select r.state from reached r where r.state is not null), 'unreachable_state', 'no transition or deadline leads here from the initial state'),
      (not s.is_final and s.state not in (select m.from_state from moves m where m.to_state <> m.from_state), 'dead_end',
        'no transition or deadline leads out of this state, and it is not final: give it "type": "final", or an exit')
    ) v (applies, code, message)
    where v.applies;
end
$$;
comment on function fsm_internal.graph_findings(jsonb) is
  'Warnings of the machine as a graph: states that cannot be reached from the initial one, and states without an exit that are not final. Diverted loops lead somewhere too; rollbacks and upgrades, which may enter any state, do not count.';

create function fsm_internal.shadow_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
immutable
as $$
begin
  return query
    with candidates as (
      select c.path, c.candidate,
        min(c.candidate) filter (where not c.body ? 'guard') over (partition by c.state, c.event) as unguarded,
        case when c.body ? 'guard' then min(c.candidate) over (partition by c.state, c.event, c.body -> 'guard') end as same_guard
      from fsm_internal.definition_candidates(p_definition) c
    )
    select 'warning', 'shadowed_candidate', c.path,
      format('this candidate is never taken: candidate %s before it %s', least(c.unguarded, c.same_guard),
        case when c.unguarded < c.candidate then 'has no guard' else 'has the same guard' end)
    from candidates c
    where least(c.unguarded, c.same_guard) < c.candidate;
end
$$;
comment on function fsm_internal.shadow_findings(jsonb) is 'Warnings of candidates that come after one that is taken whenever they could be.';
