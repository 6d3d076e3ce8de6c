create function fsm_internal.turn_seconds(p_ttl interval)
returns numeric
language plpgsql
stable
as $$
declare
  v_seconds numeric := fsm_internal.seconds_of('p_ttl', p_ttl, 3600);
begin
  if v_seconds = 0 then
    perform fsm_internal.refuse(fsm_internal.argument_refusal('p_ttl', 'interval out of range',
      jsonb_build_object('seconds', 0, 'max_seconds', 3600), 'Give p_ttl as an interval above 0, of at most 1 hour.'));
  end if;
  return v_seconds;
end
$$;
comment on function fsm_internal.turn_seconds(interval) is 'How long a turn is to last. Argument check: 22004 if null, 22023 unless above 0 and at most 1 hour.';
