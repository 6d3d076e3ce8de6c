create function fsm_internal.context_change(p_before jsonb, p_after jsonb)
returns fsm_internal.context_change
language plpgsql
stable
as $$
declare
  v_after text[];
  v_key text;
  v_keys text[] := '{}'::text[];
  v_cut jsonb;
  v_set jsonb;
  v_gone jsonb;
  v_drop text[];
begin
  -- Sameness is of the image: jsonb holds 1 and 1.0 to be equal, but a context comes back exactly as it was saved.
  if record_image_eq(row(p_before), row(p_after)) then
    return ('{}'::text[], null::jsonb)::fsm_internal.context_change;
  end if;
  -- One small query for the keys, and expressions for each: a query over both contexts would cost more than the whole loop. Unless
  -- there are many keys: the loop writes the undo record anew for each.
  p_before := p_before || '{}';  -- out of line or compressed no more, so that it is read once, not at each use
  v_after := array(select jsonb_object_keys(p_after));
  if cardinality(v_after) > 64 then
    return fsm_internal.change_of_many_keys(p_before, p_after || '{}');
  end if;
  v_gone := p_before - v_after;
  foreach v_key in array v_after loop
    continue when record_image_eq(row(p_before -> v_key), row(p_after -> v_key));
    v_keys := v_keys || v_key;
    if not p_before ? v_key then
      v_drop := v_drop || v_key;
    elsif fsm_internal.array_only_grew(p_before -> v_key, p_after -> v_key) then
      v_cut := coalesce(v_cut, '{}') || jsonb_build_object(v_key, jsonb_array_length(p_before -> v_key));
    else
      v_set := coalesce(v_set, '{}') || jsonb_build_object(v_key, p_before -> v_key);
    end if;
  end loop;
  return (v_keys,
    case when v_set is null and v_gone = '{}' then '{}' else jsonb_build_object('set', v_gone || coalesce(v_set, '{}')) end
    || case when v_cut is null then '{}' else jsonb_build_object('cut', v_cut) end
    || case when v_drop is null then '{}' else jsonb_build_object('drop', v_drop) end)::fsm_internal.context_change;
end
$$;
comment on function fsm_internal.context_change(jsonb, jsonb) is
  'What a write changes in the context: the top-level keys that are new or different, and how to get back (undo, in the form that fsm_internal.history.undo describes).';

create function fsm_internal.change_of_many_keys(p_before jsonb, p_after jsonb)
returns fsm_internal.context_change
language plpgsql
stable
as $$
declare
  v_keys text[];
  v_set jsonb;
  v_cut jsonb;
  v_drop jsonb;
begin
  select coalesce(array_agg(d.key), '{}'),
    jsonb_object_agg(d.key, d.before) filter (where d.before is not null and not d.grew),
    jsonb_object_agg(d.key, jsonb_array_length(d.before)) filter (where d.grew),
    jsonb_agg(d.key) filter (where d.before is null)
  into v_keys, v_set, v_cut, v_drop
  from (
    select key, b.value as before, b.value is not null and fsm_internal.array_only_grew(b.value, a.value) as grew
    from jsonb_each(p_before) b full join jsonb_each(p_after) a using (key)
    where not record_image_eq(row(b.value), row(a.value))) d;
  return (v_keys,
    case when v_set is null then '{}' else jsonb_build_object('set', v_set) end
    || case when v_cut is null then '{}' else jsonb_build_object('cut', v_cut) end
    || case when v_drop is null then '{}' else jsonb_build_object('drop', v_drop) end)::fsm_internal.context_change;
end
$$;
comment on function fsm_internal.change_of_many_keys(jsonb, jsonb) is
  'fsm_internal.context_change in one query, whose cost grows with the number of keys and not with its square.';
