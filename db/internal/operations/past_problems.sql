create function fsm_internal.past_problems(p_session_id text)
returns table (code text, detail jsonb)
language plpgsql
stable
as $$
declare
  v_context jsonb;
  v_machine text;
  v_row record;
  v_above bigint;
  v_terms fsm_internal.admission;
begin
  select fsm_internal.read_context(s.session_id, s.context) || '{}', s.machine, s.version + 1 into v_context, v_machine, v_above
  from fsm_internal.sessions s where s.session_id = p_session_id;
  if v_machine is null then
    return;  -- without the present there is no past to rebuild
  end if;
  for v_row in
    select h as line, lead(h.version) over w as below,
      case when lead(h.version) over w is null then c.chain_hash else lead(h.chain_hash) over w end as hash_before
    from fsm_internal.history h left join fsm_internal.history_cuts c on c.session_id = h.session_id
    where h.session_id = p_session_id window w as (order by h.version desc) order by h.version desc
  loop
    -- A gap, or a row of another version than its history's newest, is told elsewhere: below it nothing can be rebuilt.
    exit when (v_row.line).version <> v_above - 1;
    v_above := (v_row.line).version;
    v_terms := fsm_internal.admission_of(v_machine, (v_row.line).machine_version, (v_row.line).to_state);
    if v_terms.audit_chain and (v_row.line).chain_hash is null then
      code := 'chain_missing'; detail := jsonb_build_object('version', v_above);
      return next;
    elsif (v_row.line).chain_hash <> fsm_internal.chain_hash(v_row.hash_before, fsm_internal.chain_columns(v_row.line), v_context) then
      code := 'chain_broken'; detail := jsonb_build_object('version', v_above);
      return next;
    end if;
    if v_terms.is_final is not null and not fsm_internal.admits(v_context, v_terms.schema_check, v_terms.schema_rest, v_terms.invariants) then
      code := 'context_not_admitted'; detail := jsonb_build_object('version', v_above, 'state', (v_row.line).to_state);
      return next;
    end if;
    exit when v_row.below is null;
    if not fsm_internal.undo_applies(v_context, (v_row.line).undo) then
      code := 'undo_broken'; detail := jsonb_build_object('version', v_above);
      return next;
      exit;
    end if;
    v_context := fsm_internal.apply_undo(v_context, (v_row.line).undo);
  end loop;
end
$$;
comment on function fsm_internal.past_problems(text) is
  'What is wrong with the contexts of a session: each retained version is rebuilt, from the present backwards, and held against its hash and against what its state admits.';

create function fsm_internal.undo_applies(p_context jsonb, p_undo jsonb)
returns boolean
language plpgsql
stable
as $$
begin
  return case
    when p_undo is null then true
    when jsonb_typeof(p_undo) <> 'object' or p_undo - array['set', 'cut', 'drop'] <> '{}' then false
    when jsonb_typeof(coalesce(p_undo -> 'set', '{}')) <> 'object' or jsonb_typeof(coalesce(p_undo -> 'cut', '{}')) <> 'object'
      or jsonb_typeof(coalesce(p_undo -> 'drop', '[]')) <> 'array' then false
    when coalesce(p_undo -> 'set', '{}') ?| array['current_state', 'session_id'] then false
    when exists (
      select from jsonb_array_elements(coalesce(p_undo -> 'drop', '[]')) d(key)
      where jsonb_typeof(d.key) <> 'string' or not p_context ? (d.key #>> '{}')) then false
    else not exists (
      select from jsonb_each(coalesce(p_undo -> 'cut', '{}')) c
      where jsonb_typeof(p_context -> c.key) is distinct from 'array' or not fsm_internal.is_bigint(c.value)
        or c.value < '0' or c.value >= to_jsonb(jsonb_array_length(p_context -> c.key))) end;
end
$$;
comment on function fsm_internal.undo_applies(jsonb, jsonb) is
  'True when an undo record has the form that fsm_internal.history.undo describes and fits the context that it is to be applied to.';
