create function fsm_internal.legacy_contract_problem(p_session_id text, p_contract jsonb, p_machine text)
returns table (code text, message text)
language plpgsql
stable
as $$
declare
  v_version jsonb := nullif(p_contract -> 'serialization_version', 'null');
  v_template text;
begin
  if jsonb_typeof(p_contract) <> 'object' then
    code := 'context_not_object'; message := format('contract_context is of type %s', jsonb_typeof(p_contract));
    return next;
    return;
  end if;
  v_template := fsm_internal.legacy_template(p_contract -> 'contract_template', p_machine);
  if p_contract -> 'session_id' <> to_jsonb(p_session_id) and p_session_id <> fsm_internal.legacy_shared_id() then
    code := 'session_id_mismatch'; message := format('the contract''s session_id is %s', left((p_contract -> 'session_id')::text, 200));
  elsif v_version <> '"1.0"' then
    code := 'unsupported_serialization_version'; message := format('serialization_version is %s; known are "1.0" and none', left(v_version::text, 100));
  elsif v_template <> p_machine then
    code := 'unknown_template'; message := format('the contract template is %s, not %s', left(v_template, 100), p_machine);
  elsif (p_contract -> 'contract_type' = to_jsonb(p_machine)) is not true then
    code := 'unsupported_contract_type'; message := format('contract_type is %s, not "%s"', coalesce(left((p_contract -> 'contract_type')::text, 100), 'missing'), p_machine);
  end if;
  if code is not null then
    return next;
  end if;
end
$$;
comment on function fsm_internal.legacy_contract_problem(text, jsonb, text) is
  'Why a contract''s context is not one that can be read, or not of this session or machine; no row: it is.';

create function fsm_internal.legacy_shared_id()
returns text
language sql
immutable
return 'default_fsm_session';
comment on function fsm_internal.legacy_shared_id() is 'The row in which the old engine saved every contract that it had loaded before, whosever it was.';

create function fsm_internal.legacy_contract(
  p_reading fsm_internal.legacy_reading, p_contract jsonb, p_machine text, p_machine_version integer)
returns fsm_internal.legacy_reading
language plpgsql
stable
as $$
declare
  v_fields record;
  v_shapes record;
  v_history record;
  v_state text;
  v_warnings text[];
begin
  if p_contract is null or p_contract in ('null', '{}') then
    return p_reading;  -- for the old engine that was no contract
  end if;
  select p.code, p.message into p_reading.problem, p_reading.message
  from (
    select 1 as nth, i.* from fsm_internal.legacy_contract_problem(p_reading.session_id, p_contract, p_machine) i
    union all
    select 2, s.* from fsm_internal.legacy_state_problem(p_contract, p_machine, p_machine_version) s) p
  order by p.nth limit 1;
  if found then
    return p_reading;
  end if;
  select f.* into v_fields from fsm_internal.legacy_fields(p_contract) f;
  if v_fields.wrong is not null then
    p_reading.problem := 'field_type_invalid'; p_reading.message := v_fields.wrong;
    return p_reading;
  end if;
  p_reading.generation := fsm_internal.legacy_generation(p_contract);
  select s.* into v_shapes from fsm_internal.legacy_shapes(v_fields.contract, p_reading.generation) s;
  p_reading.context := v_shapes.contract;
  v_state := fsm_internal.legacy_state(p_contract ->> 'current_state', p_reading.context -> 'is_cancelled' = 'true');
  select h.* into v_history from fsm_internal.legacy_history(p_reading.context, v_state, p_machine, p_machine_version) h;
  if v_history.verdict = 'disconnected' then
    p_reading.problem := 'state_conflict';
    p_reading.message := format('current_state is %s, but the states before it end in %s, and no edges connect them', v_state, v_history.last_state);
    return p_reading;
  elsif v_history.verdict <> 'agrees' then
    p_reading.lost := coalesce(p_reading.lost, '{}') || case v_history.verdict
      when 'ahead' then jsonb_build_object('current_state', p_contract -> 'current_state') else jsonb_build_object('history_state', v_history.last_state) end;
    v_warnings := array['state_conflict'];
  end if;
  p_reading.state := case v_history.verdict when 'ahead' then v_history.last_state else v_state end;
  p_reading.context_at := fsm_internal.legacy_time(coalesce(p_contract ->> 'updated_at', p_contract ->> 'last_updated'));
  p_reading.context_warnings := v_warnings || v_shapes.warnings || v_fields.warning
    || fsm_internal.legacy_contract_warnings(p_contract, p_reading, p_machine, p_machine_version);
  return p_reading;
end
$$;
comment on function fsm_internal.legacy_contract(fsm_internal.legacy_reading, jsonb, text, integer) is
  'A reading with what a contract''s context says: its fields in their types and shapes and its canonical state, or the problem.';

create function fsm_internal.legacy_contract_warnings(
  p_contract jsonb, p_reading fsm_internal.legacy_reading, p_machine text, p_machine_version integer)
returns text[]
language plpgsql
stable
as $$
begin
  return array(
    select distinct w.code
    from (
      select 'session_id_missing_in_context' as code where not p_contract ? 'session_id'
      union all
      select 'template_path_normalised' where fsm_internal.legacy_template_is_odd(p_contract, p_machine)
      union all
      select fsm_internal.legacy_time_warning(p_contract -> t.name)
      from (values ('created_at'), ('updated_at'), ('last_updated')) t(name)
      -- The newest builds have both of the latter and fill one.
      where t.name = 'created_at' or p_contract -> t.name <> 'null'
      union all
      select 'flags_inconsistent'
      where (p_reading.context -> 'confirmation_pending' = 'true'
          and (fsm_internal.admission_of(p_machine, p_machine_version, p_reading.state)).is_final)
        or (p_reading.context -> 'is_cancelled' = 'true' and p_reading.state <> 'cancelled')) w
    where w.code is not null
    order by w.code);
end
$$;
comment on function fsm_internal.legacy_contract_warnings(jsonb, fsm_internal.legacy_reading, text, integer) is
  'What is odd about a contract''s context that can be taken over all the same.';
