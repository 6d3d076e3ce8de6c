create function fsm_internal.root_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
immutable
as $$
declare
  v_initial text := fsm_internal.definition_text(p_definition -> 'initial');
  v_states jsonb := fsm_internal.definition_object(p_definition -> 'states');
begin
  if jsonb_typeof(p_definition) <> 'object' then
    return query select 'error', 'wrong_type', '$', format('a definition is an object, not %s', jsonb_typeof(p_definition));
    return;
  end if;
  return query
    select k.* from fsm_internal.key_findings('machine', p_definition, '$') k;
  return query
    select 'error', 'missing_key', '$', format('the definition has no "%s"', k.key)
    from unnest(array['id', 'initial', 'states']) k (key)
    where not p_definition ? k.key;
  return query
    select 'error', 'wrong_type', '$.' || k.key, format('"%s" must be a JSON %s, not %s', k.key, k.type, jsonb_typeof(p_definition -> k.key))
    from (values ('id', 'string'), ('initial', 'string'), ('states', 'object'), ('on', 'object'), ('meta', 'object')) k (key, type)
    where jsonb_typeof(p_definition -> k.key) <> k.type;
  return query
    select v.severity, v.code, v.path, v.message
    from (values
      (octet_length(fsm_internal.definition_text(p_definition -> 'id')) not between 1 and 512,
        'error', 'bad_name', '$.id', 'the name of a machine has 1 to 512 bytes'),
      (p_definition -> 'states' = '{}', 'error', 'no_states', '$.states', 'the machine has no states'),
      (not v_states ? v_initial, 'error', 'unknown_target', '$.initial', 'the initial state is not one of "states", where it stands by its plain name'),
      (v_states #>> array[v_initial, 'type'] = 'final', 'error', 'initial_is_final', '$.initial', 'the initial state is final: no session could ever move'),
      (p_definition ? 'context', 'warning', 'no_effect', '$.context',
        'an initial context has no effect: fsm.create_session is given the context')
    ) v (applies, severity, code, path, message)
    where v.applies;
end
$$;
comment on function fsm_internal.root_findings(jsonb) is 'What is wrong at the top of a definition: its type, keys, name and initial state.';
