create function fsm.define_machine(p_definition jsonb)
returns table (machine text, machine_version integer, created boolean, warnings jsonb)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_machine text := fsm_internal.definition_text(p_definition -> 'id');
  v_findings jsonb;
  v_newest record;
begin
  perform fsm_internal.check_not_null('p_definition', p_definition);
  v_findings := fsm_internal.machine_findings_json(p_definition);
  if v_findings @> '[{"severity": "error"}]' then
    perform fsm_internal.refuse('SM002', 'definition invalid',
      jsonb_build_object('machine', v_machine, 'findings', v_findings),
      'Nothing was stored. Correct every finding of severity error; fsm.check_machine gives the same list as rows.');
  end if;
  perform fsm_internal.make_durable();
  -- Before anything is read: of two that define the machine at once, the second sees what the first made.
  perform pg_advisory_xact_lock(hashtextextended('fsm:machine:' || v_machine, 0));
  select v.machine_version as number, v.definition = p_definition as same into v_newest
  from fsm_internal.machine_versions v where v.machine = v_machine
  order by v.machine_version desc limit 1;
  machine := v_machine;
  machine_version := coalesce(v_newest.number, 0) + (v_newest.same is not true)::integer;
  created := v_newest.same is not true;
  if created then
    perform fsm_internal.store_machine(v_machine, machine_version, p_definition);
  end if;
  warnings := v_findings || fsm_internal.live_session_findings(v_machine, machine_version);
  return next;
end
$$;
comment on function fsm.define_machine(jsonb) is
  'Stores a machine definition as the next version of the machine that its "id" names, at once usable, and never changed afterwards. The same as the newest version (as JSON values), retired or not, is not stored again: that version comes back with created false, and stays retired if it is. warnings: the findings of severity warning, and {"code": "live_sessions_in_missing_state", "state", "sessions"} for states of other versions that this one lacks and that sessions are in. Two definers of one machine wait for each other. Errors: 22004 null, SM002 definition invalid (DETAIL: findings, all of them), 40001 another transaction defined the machine meanwhile.';
