create function fsm_internal.admits_the_rest(p_context jsonb, p_schema_rest jsonb, p_invariants jsonpath[])
returns boolean
language plpgsql
stable
as $$
declare
  v_invariant jsonpath;
begin
  foreach v_invariant in array p_invariants loop
    if jsonb_path_match(p_context, v_invariant, '{}', true) is not true then
      return false;
    end if;
  end loop;
  return p_schema_rest is null or fsm_internal.schema_rest_holds(p_schema_rest, p_context);
end
$$;
comment on function fsm_internal.admits_the_rest(jsonb, jsonb, jsonpath[]) is
  'What fsm_internal.admits leaves over: keywords of the schema that jsonpath cannot express, and any number of invariants.';

-- Inlined into the save: most machines have no more than one schema and one invariant a state.
create function fsm_internal.admits(p_context jsonb, p_schema_check jsonpath, p_schema_rest jsonb, p_invariants jsonpath[])
returns boolean
language sql
stable
return (p_schema_check is null or jsonb_path_match(p_context, p_schema_check, '{}', true) is true)
  and (p_invariants[1] is null or jsonb_path_match(p_context, p_invariants[1], '{}', true) is true)
  and ((p_schema_rest is null and p_invariants[2] is null)
    or fsm_internal.admits_the_rest(p_context, p_schema_rest, p_invariants));
comment on function fsm_internal.admits(jsonb, jsonpath, jsonb, jsonpath[]) is
  'True exactly when the context satisfies the schema and every invariant; null and errors of a predicate do not.';

create function fsm_internal.admission_findings(p_machine text, p_machine_version integer, p_state text, p_context jsonb)
returns table (code text, path text, message text)
language plpgsql
stable
as $$
declare
  v_schema jsonb;
  v_check jsonpath;
begin
  select v.definition #> '{meta,context_schema}', s.schema_check into v_schema, v_check
  from fsm_internal.machine_versions v
  join fsm_internal.machine_states s using (machine, machine_version)
  where v.machine = p_machine and v.machine_version = p_machine_version and s.state = p_state;
  return query select f.code, f.path, f.message from fsm_internal.schema_findings(coalesce(v_schema, 'true'), p_context) f;
  if not found and jsonb_path_match(p_context, v_check, '{}', true) is not true and v_check is not null then
    return query select 'schema', '$', 'the context does not satisfy the schema of its machine';
  end if;
  return query
    select 'invariant', '$', format('the invariant of state %s does not hold: %s', p_state, i.predicate)
    from fsm_internal.machine_states s
    cross join lateral unnest(s.invariants) with ordinality i(predicate, nth)
    where s.machine = p_machine and s.machine_version = p_machine_version and s.state = p_state
      and jsonb_path_match(p_context, i.predicate, '{}', true) is not true
    order by i.nth;
end
$$;
comment on function fsm_internal.admission_findings(text, integer, text, jsonb) is
  'Why a context is not admitted to a state: the findings of the schema, then each invariant that does not hold. No rows: it is.';
