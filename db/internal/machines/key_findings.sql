create function fsm_internal.key_findings(p_place text, p_object jsonb, p_path text)
returns table (severity text, code text, path text, message text)
language plpgsql
immutable
as $$
begin
  return query
    select 'error', coalesce(r.code, 'unknown_key'), fsm_internal.schema_path(p_path, k.key),
      format('%s is not a key of a %s: %s', to_jsonb(left(k.key, 128)), p_place,
        coalesce(r.advice, format('known are %s', array_to_string(fsm_internal.definition_keys(p_place), ', '))))
    from jsonb_object_keys(fsm_internal.definition_object(p_object)) k (key)
    left join fsm_internal.definition_refused_keys() r on p_place = any (r.places) and k.key = any (r.keys)
    where k.key <> all (fsm_internal.definition_keys(p_place));
end
$$;
comment on function fsm_internal.key_findings(text, jsonb, text) is
  'An error for every key that this part of a definition may not have, by name, with what to do instead.';
