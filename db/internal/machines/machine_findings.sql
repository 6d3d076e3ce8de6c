create function fsm_internal.machine_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
stable
as $$
begin
  -- The limits of a context first: 14 bytes of jsonb can be a number of 131,072 digits, and what clients read has to end somewhere.
  return query select 'error', l.code, l.path, l.message from fsm_internal.limit_findings(fsm_internal.definition_object(p_definition)) l;
  if found then
    return;
  end if;
  if fsm_internal.is_too_large(p_definition, 1048576) then
    return query select 'error', 'too_large', '$', 'the definition has more than 1048576 bytes of text';
    return;
  end if;
  return query
    with found as (
      select f.severity, f.code, f.path, f.message from fsm_internal.form_findings(p_definition) f
      union
      select f.severity, f.code, f.path, f.message from fsm_internal.meaning_findings(p_definition) f
    ), ranked as (
      select f.*, row_number() over (order by f.severity collate "C", f.path collate "C", f.code collate "C", f.message collate "C") as nth
      from found f
    )
    select r.severity, r.code, r.path, r.message from (
      select r.nth, r.severity, r.code, r.path, r.message from ranked r where r.nth <= 1000
      union all
      select 1001, min(r.severity), 'more_findings', '$', format('there are %s findings more', count(*))
      from ranked r where r.nth > 1000 having count(*) > 0) r
    order by r.nth;
end
$$;
comment on function fsm_internal.machine_findings(jsonb) is
  'Everything that is wrong (error) or suspicious (warning) in a definition, whatever JSON it is: errors first, then by path. At most 1,000 rows and one that counts the rest.';

create function fsm_internal.form_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
stable
as $$
begin
  return query
    select r.* from fsm_internal.root_findings(p_definition) r
    union all
    select m.* from fsm_internal.meta_findings(p_definition) m
    union all
    select s.* from fsm_internal.state_findings(p_definition) s
    union all
    select e.* from fsm_internal.event_findings(p_definition) e
    union all
    select c.* from fsm_internal.candidate_findings(p_definition) c
    union all
    select d.* from fsm_internal.deadline_findings(p_definition) d
    union all
    select t.* from fsm_internal.target_findings(p_definition) t;
end
$$;
comment on function fsm_internal.form_findings(jsonb) is 'What is wrong in a definition part by part.';

create function fsm_internal.meaning_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
stable
as $$
begin
  return query
    select s.* from fsm_internal.size_findings(p_definition) s;
  if found then
    return;  -- the rest would cost as much as it is too large
  end if;
  return query
    select p.* from fsm_internal.predicate_findings(p_definition) p
    union all
    select s.* from fsm_internal.shadow_findings(p_definition) s
    union all
    select g.* from fsm_internal.graph_findings(p_definition) g;
end
$$;
comment on function fsm_internal.meaning_findings(jsonb) is
  'What is wrong in a definition that is seen when its parts are put together: its size written out, predicates, the order of candidates, the graph.';

create function fsm_internal.machine_findings_json(p_definition jsonb)
returns jsonb
language plpgsql
stable
as $$
begin
  return (
    select coalesce(jsonb_agg(
      jsonb_build_object('severity', f.severity, 'code', f.code, 'path', f.path, 'message', f.message) order by f.nth), '[]')
    from (select m.*, row_number() over () as nth from fsm_internal.machine_findings(p_definition) m) f);
end
$$;
comment on function fsm_internal.machine_findings_json(jsonb) is 'The findings of a definition as an array of objects, in their order.';
