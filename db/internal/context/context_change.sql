create function fsm_internal.context_change(p_before jsonb, p_after jsonb)
returns fsm_internal.context_change
language plpgsql
stable
as $$
declare
  v_delta jsonb;
  v_keys text[];
  v_key text;
  v_undo jsonb := jsonb '{}';
  v_set jsonb := jsonb '{}';
  v_drop text[];
begin
  -- Sameness is of the image (*=): jsonb holds 1 and 1.0 to be equal, but a context comes back exactly as it was saved.
  if row(p_before)::record operator(pg_catalog.*=) row(p_after)::record then
    return ('{}'::jsonb, null::jsonb)::fsm_internal.context_change;
  end if;
  select jsonb_object_agg(a.key, a.value), array_agg(a.key) into v_delta, v_keys
  from jsonb_each(p_after) a where (a.value = p_before -> a.key) is not true;
  if not row(p_before || coalesce(v_delta, '{}'))::record operator(pg_catalog.*=) row(p_after)::record then
    -- Keys were removed, or only the way a number is written changed.
    select jsonb_object_agg(a.key, a.value), array_agg(a.key) into v_delta, v_keys
    from jsonb_each(p_after) a where not (row(a.value)::record operator(pg_catalog.*=) row(p_before -> a.key)::record);
    v_set := p_before - array(select jsonb_object_keys(p_after));
  end if;
  foreach v_key in array coalesce(v_keys, '{}') loop
    if not p_before ? v_key then
      v_drop := v_drop || v_key;
    elsif jsonb_typeof(p_before -> v_key) = 'array' and fsm_internal.array_only_grew(p_before -> v_key, p_after -> v_key) then
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
  return (coalesce(v_delta, '{}'), v_undo)::fsm_internal.context_change;
end
$$;
comment on function fsm_internal.context_change(jsonb, jsonb) is
  'What a write changes in the context, by top-level key: the new values (delta), and how to get back (undo, in the form that fsm_internal.history.undo describes).';
