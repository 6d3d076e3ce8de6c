create function fsm_internal.schema_reference_problems(p_schema jsonb)
returns table (code text, path text, message text)
language plpgsql
immutable
as $$
begin
  return query
    select
      case when r.ref = '#' then 'recursive_ref' else 'bad_ref' end,
      r.path,
      case
        when r.ref = '#' then '"#" is the schema itself: recursion is not supported'
        when r.target is null then format('%s is not of the form #/$defs/Name', fsm_internal.schema_sample(to_jsonb(r.ref)))
        else format('there is no definition %s in $defs at the top of the schema', fsm_internal.schema_sample(to_jsonb(r.target)))
      end
    from fsm_internal.schema_references(p_schema) r
    where r.target is null or not coalesce(p_schema -> '$defs' ? r.target, false);
end
$$;
comment on function fsm_internal.schema_reference_problems(jsonb) is 'Every $ref that leads nowhere.';
