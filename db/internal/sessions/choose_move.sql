create function fsm_internal.choose_move(
  p_events text[], p_hits boolean[], p_guards jsonpath[], p_event text, p_context jsonb)
returns integer
language plpgsql
immutable
as $$
declare
  v_settled text;  -- the event of which a candidate that goes elsewhere has won
begin
  for v_index in 1 .. cardinality(p_events) loop
    continue when p_events[v_index] = v_settled or p_events[v_index] <> p_event;
    -- Anything but true, null included, does not hold.
    if p_guards[v_index] is null or jsonb_path_match(p_context, p_guards[v_index], '{}', true) is true then
      if p_hits[v_index] then
        return v_index;
      end if;
      v_settled := p_events[v_index];
    end if;
  end loop;
  return null;
end
$$;
comment on function fsm_internal.choose_move(text[], boolean[], jsonpath[], text, jsonb) is
  'Which candidate of a pair of states a save takes: the first hit, by event name, that is also the first candidate of its event whose guard holds. p_event null: any event. Null: none does.';
