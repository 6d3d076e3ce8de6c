create function fsm_internal.judged_import(
  p_session_id text, p_batch uuid, p_readings fsm_internal.legacy_reading[], p_machine text, p_initial fsm_internal.machine_states)
returns fsm_internal.import_verdict
language plpgsql
stable
as $$
declare
  v_merged fsm_internal.legacy_reading := fsm_internal.merged_reading(p_session_id, p_readings);
  v_verdict fsm_internal.import_verdict;
  v_terms fsm_internal.admission;
  v_warnings text[];
  v_finding record;
begin
  v_verdict.state := case when v_merged.pending is not null then 'confirm_purchase' else coalesce(v_merged.state, p_initial.state) end;
  if v_merged.pending is not null and v_merged.state <> v_verdict.state then
    v_merged.lost := coalesce(v_merged.lost, '{}') || jsonb_build_object('state', v_merged.state,
      'selected_product', v_merged.context -> 'selected_product');
  end if;
  v_terms := fsm_internal.admission_of(p_machine, p_initial.machine_version, v_verdict.state);
  v_verdict.context := fsm_internal.legacy_context(v_merged, p_machine, v_terms.is_final);
  select f.code, f.path, f.message into v_finding
  from fsm_internal.context_findings(p_machine, p_initial.machine_version, v_verdict.state, v_verdict.context) f limit 1;
  if found then
    v_verdict.outcome := 'quarantined';
    v_verdict.code := case v_finding.code when 'too_deep' then 'nesting_too_deep' when 'number_too_long' then 'number_out_of_range'
      when 'too_large' then 'context_too_large' else 'context_rejected' end;
    v_verdict.message := format('state %s refuses the context: %s %s', v_verdict.state, v_finding.path, v_finding.message);
    return v_verdict;
  end if;
  v_warnings := array(
    select distinct w.code from unnest(v_merged.warnings || v_merged.context_warnings) w(code) where w.code is not null order by w.code);
  v_verdict.note := jsonb_strip_nulls(jsonb_build_object('source', v_merged.source, 'batch', p_batch,
    'sources', (select jsonb_agg(distinct r.source) from unnest(p_readings) r), 'warnings', v_warnings, 'generation', v_merged.generation,
    'times', nullif(v_merged.times, '{}')))
    || case when v_merged.lost is null then '{}' else jsonb_build_object('lost', v_merged.lost) end;
  -- A conflict was resolved wherever something lost against something else; what was only odd is imported.
  v_verdict.outcome := case
    when v_warnings && array['state_conflict', 'source_conflict'] or v_merged.lost ?| array['contract', 'snapshot', 'state', 'pending']
      then 'conflict_resolved' else 'imported' end;
  v_verdict.code := case
    when 'source_conflict' = any (v_warnings) then 'source_conflict' when 'state_conflict' = any (v_warnings) then 'state_conflict' else v_warnings[1] end;
  v_verdict.message := case when v_warnings <> '{}' then format('in state %s; %s', v_verdict.state, array_to_string(v_warnings, ', '))
    else format('in state %s', v_verdict.state) end;
  return v_verdict;
end
$$;
comment on function fsm_internal.judged_import(text, uuid, fsm_internal.legacy_reading[], text, fsm_internal.machine_states) is
  'What becomes of a session, given its originals that can be trusted: the state and the context to import it with, or why it is quarantined.';
