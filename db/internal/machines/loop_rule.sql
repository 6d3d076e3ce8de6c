create function fsm_internal.loop_window(p_window text)
returns interval
language plpgsql
stable
as $$
declare
  v_window interval;
  v_seconds numeric;
begin
  -- What a sign means depends on a setting.
  if length(p_window) > 64 or strpos(p_window, '-') > 0 then
    return null;
  end if;
  begin
    v_window := p_window::interval;
    v_seconds := extract(epoch from v_window);
  exception when data_exception then
    return null;
  end;
  if v_seconds not between 0.000001 and 315576000 then
    return null;
  end if;
  return make_interval(secs => v_seconds::double precision);
end
$$;
comment on function fsm_internal.loop_window(text) is
  'The window of a loop rule in seconds, so that it is as long in every time zone (a day is 24 hours, a month 30 days). Null if it is no interval, not above zero, or above ten years.';

create function fsm_internal.loop_rule(p_machine text, p_loop jsonb)
returns table (loop_limit integer, loop_window interval, loop_action text, divert_to text)
language plpgsql
stable
as $$
begin
  if p_loop = 'null' then
    return query select null::integer, null::interval, null::text, null::text;
    return;
  end if;
  return query
    select
      coalesce(fsm_internal.definition_integer(p_loop -> 'limit', 1, 10000), 3)::integer,
      coalesce(fsm_internal.loop_window(p_loop ->> 'window'), interval '5 minutes'),
      case when jsonb_typeof(p_loop -> 'action') = 'object' then 'divert' else coalesce(p_loop ->> 'action', 'log') end,
      fsm_internal.definition_target(p_machine, p_loop #>> '{action,divert}');
end
$$;
comment on function fsm_internal.loop_rule(text, jsonb) is
  'The loop rule that a checked "loop" means: null (none given) and missing members take the defaults 3, 5 minutes and log; JSON null turns it off, then everything is null.';
