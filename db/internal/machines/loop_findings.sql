create function fsm_internal.loop_findings(p_loop jsonb, p_path text)
returns table (severity text, code text, path text, message text)
language plpgsql
stable
as $$
declare
  v_action jsonb := p_loop -> 'action';
begin
  if p_loop is null or p_loop = 'null' then
    return;
  end if;
  return query
    select k.* from fsm_internal.key_findings('loop rule', p_loop, p_path) k
    union all
    select k.* from fsm_internal.key_findings('loop action', v_action, p_path || '.action') k;
  return query
    select 'error', v.code, p_path || v.suffix, v.message
    from (values
      (jsonb_typeof(p_loop) <> 'object', 'wrong_type', '',
        format('a loop rule is an object, or null to turn loop detection off, not %s', jsonb_typeof(p_loop))),
      (p_loop ? 'limit' and fsm_internal.definition_integer(p_loop -> 'limit', 1, 10000) is null, 'bad_value', '.limit',
        'the limit of a loop is a whole number from 1 to 10000'),
      (p_loop ? 'window' and fsm_internal.loop_window(fsm_internal.definition_text(p_loop -> 'window')) is null, 'bad_value', '.window',
        'the window of a loop is an interval such as "5 minutes", above zero, up to ten years and without minus signs'),
      (jsonb_typeof(v_action) <> 'object' and v_action not in ('"log"', '"block"'), 'bad_value', '.action',
        'the action of a loop is "log", "block" or {"divert": "STATE"}'),
      (jsonb_typeof(v_action) = 'object' and not v_action ? 'divert', 'missing_key', '.action',
        'the action of a loop is "log", "block" or {"divert": "STATE"}')
    ) v (applies, code, suffix, message)
    where v.applies and (jsonb_typeof(p_loop) = 'object' or v.suffix = '');
end
$$;
comment on function fsm_internal.loop_findings(jsonb, text) is
  'What is wrong with a loop rule, apart from where it diverts to. p_loop null (none given) and JSON null (turned off) are fine.';
