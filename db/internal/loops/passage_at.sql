create function fsm_internal.passage_at(p_session_id text, p_from_state text, p_to_state text, p_limit integer)
returns timestamptz
language plpgsql
volatile
as $$
begin
  return (
    select h.at
    from fsm_internal.history h
    where h.session_id = p_session_id and h.from_state = p_from_state and h.to_state = p_to_state
      and h.kind in ('transition', 'deadline')
    order by h.version desc
    offset p_limit - 1 limit 1);
end
$$;
comment on function fsm_internal.passage_at(text, text, text, integer) is
  'When the p_limit-th last passage of a transition was, null if there were fewer. One more than the limit is a loop, the present one included: so this one decides.';

create function fsm_internal.may_loop(p_version bigint, p_is_self boolean, p_limit integer)
returns boolean
language sql
immutable
return p_version > case when p_is_self then p_limit else 2 * p_limit::bigint end;
comment on function fsm_internal.may_loop(bigint, boolean, integer) is
  'False when a session of p_version versions cannot have made a transition p_limit times: each passage takes a version, and the way back another. Saves young sessions the look into history; null without a limit.';
