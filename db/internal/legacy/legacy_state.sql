create function fsm_internal.legacy_state(p_state text, p_is_cancelled boolean)
returns text
language sql
immutable
return case
  when p_state = 'confirm_order' and p_is_cancelled then 'cancelled'
  else coalesce(jsonb '{
    "analyze_attributes": "refine_constraints",
    "ask_clarification": "collect_preferences", "wait_for_preferences": "collect_preferences",
    "filter_products": "match_preferences", "check_compatibility": "match_preferences",
    "rank_and_select": "match_preferences", "present_options": "match_preferences",
    "confirm_selection": "confirm_purchase", "confirm_order": "confirm_purchase", "complete_order": "confirm_purchase",
    "error": "failed"}' ->> p_state, p_state) end;
comment on function fsm_internal.legacy_state(text, boolean) is
  'The canonical name of a state of the old engine: older names are mapped, all others stay. Names are compared exactly: guessing a spelling is no import.';

create function fsm_internal.legacy_state_problem(p_contract jsonb, p_machine text, p_machine_version integer)
returns table (code text, message text)
language plpgsql
stable
as $$
declare
  v_given jsonb := p_contract -> 'current_state';
  v_name text := v_given #>> '{}';
begin
  if v_given is null or v_given = 'null' or (jsonb_typeof(v_given) = 'string' and btrim(v_name, E' \t\r\n') = '') then
    code := 'missing_current_state'; message := 'the contract has no current_state';
  elsif jsonb_typeof(v_given) <> 'string' then
    code := 'invalid_state_type'; message := format('current_state is of type %s', jsonb_typeof(v_given));
  elsif v_name in ('extract_entities', 'search_products', 'filter', 'rank', 'recommend', 'confirm') then
    code := 'state_without_handler'; message := format('no build of the old engine ever handled state %s', v_name);
  elsif (fsm_internal.admission_of(p_machine, p_machine_version, fsm_internal.legacy_state(v_name, false))).is_final is null then
    code := 'unknown_state'; message := format('machine %s has no state %s', p_machine, left(v_name, 128));
  end if;
  if code is not null then
    return next;
  end if;
end
$$;
comment on function fsm_internal.legacy_state_problem(jsonb, text, integer) is 'Why the state of a contract cannot be taken over; no row: it can.';
