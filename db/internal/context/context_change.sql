create function fsm_internal.context_change(p_before jsonb, p_after jsonb)
returns fsm_internal.context_change
language plpgsql
stable
as $$
declare
  v_all jsonb;
  v_keys text[] := '{}'::text[];
  v_key text;
  v_undo jsonb := jsonb '{}';
  v_set jsonb := jsonb '{}';
  v_drop text[];
begin
  -- Sameness is of the image (*=): jsonb holds 1 and 1.0 to be equal, but a context comes back exactly as it was saved.
  if row(p_before)::record operator(pg_catalog.*=) row(p_after)::record then
    return ('{}'::text[], null::jsonb)::fsm_internal.context_change;
  end if;
  -- Expressions only: a query, however small, would cost more than the whole loop.
  v_all := jsonb_path_query_array(p_before || p_after, 'strict $.keyvalue().key');
  for v_index in 0 .. jsonb_array_length(v_all) - 1 loop
    v_key := v_all ->> v_index;
    continue when row(p_before -> v_key)::record operator(pg_catalog.*=) row(p_after -> v_key)::record;
    v_keys := v_keys || v_key;
    if not p_before ? v_key then
      v_drop := v_drop || v_key;
    elsif fsm_internal.array_only_grew(p_before -> v_key, p_after -> v_key) then
      v_undo := jsonb_set(jsonb_build_object('cut', '{}'::jsonb) || v_undo, array['cut', v_key],
        to_jsonb(jsonb_array_length(p_before -> v_key)));
    else
      v_set := v_set || jsonb_build_object(v_key, p_before -> v_key);
    end if;
  end loop;
  if v_set <> '{}' then
    v_undo := v_undo || jsonb_build_object('set', v_set);
  end if;
  if v_drop is not null then
    v_undo := v_undo || jsonb_build_object('drop', v_drop);
  end if;
  return (v_keys, v_undo)::fsm_internal.context_change;
end
$$;
comment on function fsm_internal.context_change(jsonb, jsonb) is
  'What a write changes in the context: the top-level keys that are new, gone or different, and how to get back (undo, in the form that fsm_internal.history.undo describes).';
