create function fsm_internal.apply_undo(p_context jsonb, p_undo jsonb)
returns jsonb
language plpgsql
stable
as $$
declare
  v_context jsonb := p_context;
begin
  if p_undo is null then
    return p_context;
  end if;
  if p_undo ? 'drop' then
    v_context := v_context - array(select d.key from jsonb_array_elements_text(p_undo -> 'drop') d(key));
  end if;
  if p_undo ? 'cut' then
    v_context := v_context || (
      select jsonb_object_agg(c.key, fsm_internal.array_head(v_context -> c.key, c.value::integer)) from jsonb_each(p_undo -> 'cut') c);
  end if;
  return v_context || coalesce(p_undo -> 'set', '{}');
end
$$;
comment on function fsm_internal.apply_undo(jsonb, jsonb) is
  'One step into the past: the context before a write, given the context after it and the write''s undo record.';
