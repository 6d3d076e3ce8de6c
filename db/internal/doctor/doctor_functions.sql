create function fsm_internal.doctor_functions()
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
as $$
begin
  return query
    select 'error', 'function',
      case
        when i.function is null then format('function %s is none of ours', d.function)
        when d.function is null then format('function %s is gone', i.function)
        else format('function %s is not as it was installed', i.function) end,
      'Find out who changed it and why. The installed form is in db/ of this release (fsm.schema_release()): create or replace it from there, as fsm_owner.'
    from fsm_internal.installed_functions i
    full join fsm_internal.function_digests() d using (function)
    where i.function is null or d.function is null
      or (i.digest <> d.digest and i.parsed_by is not distinct from d.parsed_by)
    order by coalesce(i.function, d.function) collate "C"
    limit 100;
end
$$;
comment on function fsm_internal.doctor_functions() is
  'Findings of fsm.doctor: functions in our schemas that are not what the installation made, at most 100. One of a body that the server parsed is only compared by the major version that installed it.';

create function fsm_internal.doctor_relations()
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
as $$
begin
  return query
    select 'error', 'relation', format('%s is %s', i.part, case when d.part is null then 'gone' else 'not as it was installed' end),
      'Find out who changed it and why. The installed form is in db/ of this release (fsm.schema_release()).'
    from fsm_internal.installed_relations i
    left join fsm_internal.relation_digests() d using (part)
    where d.part is null or (i.digest <> d.digest and i.parsed_by is not distinct from d.parsed_by)
    order by i.part collate "C"
    limit 100;
end
$$;
comment on function fsm_internal.doctor_relations() is
  'Findings of fsm.doctor: views, indexes, constraints and columns of ours that are gone or not what the installation made, at most 100.';
