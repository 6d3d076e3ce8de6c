create function fsm_internal.state_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
immutable
as $$
begin
  return query
    select 'error', v.code, fsm_internal.schema_path('$.states', s.key), v.message
    from jsonb_each(fsm_internal.definition_object(p_definition -> 'states')) s
    cross join lateral (values
      (octet_length(s.key) not between 1 and 128, 'bad_name', 'the name of a state has 1 to 128 bytes'),
      (s.key ~ '^[.#]', 'bad_name', 'the name of a state may not start with . or #, because no target could name it'),
      (jsonb_typeof(s.value) <> 'object', 'wrong_type', format('a state must be an object, not %s', jsonb_typeof(s.value)))
    ) v (applies, code, message)
    where v.applies;
  return query
    select k.* from fsm_internal.definition_states(p_definition) s
    cross join lateral fsm_internal.key_findings('state', s.body, s.path) k
    where s.body - fsm_internal.definition_keys('state') <> '{}'
    union all
    select k.* from fsm_internal.definition_states(p_definition) s
    cross join lateral fsm_internal.key_findings('meta of a state', s.body -> 'meta', s.path || '.meta') k
    where s.body ? 'meta';
  return query
    select 'error', 'wrong_type', format('%s.%s', s.path, k.key), format('"%s" must be a JSON object, not %s', k.key, jsonb_typeof(s.body -> k.key))
    from fsm_internal.definition_states(p_definition) s
    cross join unnest(array['on', 'after', 'meta']) k (key)
    where jsonb_typeof(s.body -> k.key) <> 'object';
  return query
    select 'error', 'final_with_exit', format('%s.%s', s.path, k.key), format('a final state has no "%s": nothing leads out of it', k.key)
    from fsm_internal.definition_states(p_definition) s
    cross join unnest(array['on', 'after']) k (key)
    where s.is_final and fsm_internal.definition_object(s.body -> k.key) <> '{}';
  return query
    select 'error', case when s.body ->> 'type' in ('parallel', 'history', 'compound') then 'unsupported' else 'bad_value' end, s.path || '.type',
      case s.body ->> 'type'
        when 'parallel' then 'parallel states are not supported: a session is in one state; make each region a machine of its own'
        when 'history' then 'history states are not supported: name the state to go back to as a target'
        when 'compound' then 'nested states are not supported: make each a state of its own under the machine''s "states"'
        else 'the type of a state is "final" or "atomic"; without one it is atomic'
      end
    from fsm_internal.definition_states(p_definition) s
    where s.body -> 'type' not in ('"final"', '"atomic"');
  return query
    select 'error', 'wrong_type', i.path, format('an invariant is a jsonpath predicate as a string, or a list of such, not %s', jsonb_typeof(i.predicate))
    from fsm_internal.definition_invariants(p_definition) i
    where jsonb_typeof(i.predicate) <> 'string';
end
$$;
comment on function fsm_internal.state_findings(jsonb) is 'What is wrong with the states themselves: names, keys, types, invariants that are no strings.';
