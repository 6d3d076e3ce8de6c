create function fsm_internal.merge_patch(p_target jsonb, p_patch jsonb)
returns jsonb
language plpgsql
stable
as $$
declare
  v_result jsonb;
  v_key text;
  v_value jsonb;
begin
  if jsonb_typeof(p_patch) <> 'object' then
    return p_patch;
  end if;
  v_result := case when jsonb_typeof(p_target) = 'object' then p_target else '{}' end;
  for v_key, v_value in select e.key, e.value from jsonb_each(p_patch) e loop
    v_result := case jsonb_typeof(v_value)
      when 'null' then v_result - v_key
      when 'object' then v_result || jsonb_build_object(v_key, fsm_internal.merge_patch(v_result -> v_key, v_value))
      else v_result || jsonb_build_object(v_key, v_value) end;
  end loop;
  return v_result;
end
$$;
comment on function fsm_internal.merge_patch(jsonb, jsonb) is
  'RFC 7396: null removes a key, an object is merged into the one there, anything else replaces. p_patch at most 100 deep.';

create function fsm_internal.patched_context(p_session_id text, p_state text, p_context jsonb, p_patch jsonb, p_append jsonb)
returns jsonb
language plpgsql
volatile
as $$
declare
  v_context jsonb := p_context;
  v_key text;
  v_value jsonb;
begin
  if jsonb_typeof(p_patch) <> 'object' or jsonb_typeof(p_append) <> 'object' then
    perform fsm_internal.refuse_context(p_session_id, p_state, 'not_an_object', '$',
      format('patch and append are JSON objects, these are of type %s and %s', jsonb_typeof(p_patch), jsonb_typeof(p_append)));
  end if;
  if jsonb_path_exists(p_patch, 'strict $.**{100} ? (@.type() == "object" || @.type() == "array")') then
    perform fsm_internal.refuse_context(p_session_id, p_state, 'too_deep', '$', 'the patch is nested more than 100 deep');
  end if;
  if p_patch <> '{}' then
    v_context := fsm_internal.merge_patch(v_context, p_patch - array['current_state', 'session_id']);
  end if;
  if p_append <> '{}' then
    for v_key, v_value in select e.key, e.value from jsonb_each(p_append) e loop
      if jsonb_typeof(v_value) <> 'array' or jsonb_typeof(coalesce(v_context -> v_key, '[]')) <> 'array'
        or v_key in ('current_state', 'session_id') then
        perform fsm_internal.refuse_context(p_session_id, p_state, 'not_an_array', fsm_internal.context_path(v_key),
          'append takes arrays and adds them to arrays of the context');
      end if;
      v_context := v_context || jsonb_build_object(v_key, coalesce(v_context -> v_key, '[]') || v_value);
    end loop;
  end if;
  return v_context;
end
$$;
comment on function fsm_internal.patched_context(text, text, jsonb, jsonb, jsonb) is
  'The context after the merge patch and then the append, current_state and session_id of the patch left out. SM021 for what is no object, no array or too deep.';
