create function fsm_internal.merge_patch(p_target jsonb, p_patch jsonb)
returns jsonb
language plpgsql
stable
as $$
declare
  v_target jsonb := case when jsonb_typeof(p_target) = 'object' then p_target else '{}' end;
  v_gone text[];
  v_new jsonb;
begin
  -- All keys at once: key by key the whole target would be written as often as there are keys.
  select array_agg(e.key) filter (where e.value = 'null'),
    jsonb_object_agg(e.key, case jsonb_typeof(e.value)
      when 'object' then fsm_internal.merge_patch(v_target -> e.key, e.value) else e.value end) filter (where e.value <> 'null')
  into v_gone, v_new
  from jsonb_each(p_patch) e;
  return (v_target - coalesce(v_gone, '{}')) || coalesce(v_new, '{}');
end
$$;
comment on function fsm_internal.merge_patch(jsonb, jsonb) is
  'RFC 7396: null removes a key, an object is merged into the one there, anything else replaces. p_patch: an object, at most 100 deep.';

create function fsm_internal.patched_context(p_session_id text, p_state text, p_context jsonb, p_patch jsonb, p_append jsonb)
returns jsonb
language plpgsql
volatile
as $$
declare
  v_context jsonb := p_context;
  v_key text;
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
    select e.key into v_key from jsonb_each(p_append) e
    where jsonb_typeof(e.value) <> 'array' or jsonb_typeof(v_context -> e.key) <> 'array' or e.key in ('current_state', 'session_id')
    order by e.key collate "C" limit 1;
    if found then
      perform fsm_internal.refuse_context(p_session_id, p_state, 'not_an_array', fsm_internal.schema_path('$', v_key),
        'append takes arrays and adds them to arrays of the context');
    end if;
    v_context := v_context || (select jsonb_object_agg(e.key, coalesce(v_context -> e.key, '[]') || e.value) from jsonb_each(p_append) e);
  end if;
  return v_context;
end
$$;
comment on function fsm_internal.patched_context(text, text, jsonb, jsonb, jsonb) is
  'The context after the merge patch and then the append, current_state and session_id of the patch left out. SM021 for what is no object, no array or too deep.';
