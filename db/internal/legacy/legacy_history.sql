create function fsm_internal.legacy_passages(p_contract jsonb)
returns table (nth bigint, from_name text, to_name text)
language plpgsql
immutable
as $$
begin
  return query
    select e.nth, e.entry ->> 'from_state', e.entry ->> 'to_state'
    from jsonb_array_elements(case jsonb_typeof(p_contract -> 'fsm_state_history') when 'array' then p_contract -> 'fsm_state_history' else '[]' end)
      with ordinality e(entry, nth);
  if found then
    return;
  end if;
  return query
    select s.nth, s.part[1], s.part[2]
    from (
      select e.nth, regexp_match(e.line, '^(\S+) -> (\S+)$') as part
      from jsonb_array_elements_text(case jsonb_typeof(p_contract -> 'step_log') when 'array' then p_contract -> 'step_log' else '[]' end)
        with ordinality e(line, nth)) s
    where s.part is not null;
end
$$;
comment on function fsm_internal.legacy_passages(jsonb) is
  'The transitions that a contract remembers, oldest first: of fsm_state_history, or where that is empty of step_log ("a -> b").';

create function fsm_internal.leads_to(p_machine text, p_machine_version integer, p_from_state text, p_to_state text)
returns boolean
language sql
stable
begin atomic
  with recursive reached as (
    select p_from_state collate "C" as state
    union
    select m.to_state from reached r
    join fsm_internal.machine_moves m on m.machine = p_machine and m.machine_version = p_machine_version and m.from_state = r.state
  )
  select p_to_state in (select r.state from reached r);
end;
comment on function fsm_internal.leads_to(text, integer, text, text) is 'True when events lead from one state to another, in any number of steps.';

create function fsm_internal.legacy_history(p_contract jsonb, p_state text, p_machine text, p_machine_version integer)
returns table (verdict text, last_state text)
language plpgsql
stable
as $$
declare
  v_is_cancelled boolean := p_contract -> 'is_cancelled' = 'true';
  v_broken boolean;
  v_passed boolean;
begin
  with passages as (
    select p.nth, fsm_internal.legacy_state(p.from_name, false) as from_state, fsm_internal.legacy_state(p.to_name, false) as to_state,
      p.from_name, p.to_name
    from fsm_internal.legacy_passages(p_contract) p),
  linked as (
    select p.*, lag(p.to_state) over (order by p.nth) as before,
      p.from_state = p.to_state or p.from_state <> p.from_name or p.to_state <> p.to_name or exists (
        select from fsm_internal.machine_moves m
        where m.machine = p_machine and m.machine_version = p_machine_version and m.from_state = p.from_state and m.to_state = p.to_state) as is_edge
    from passages p)
  select (array_agg(fsm_internal.legacy_state(l.to_name, v_is_cancelled) order by l.nth desc))[1],
    bool_or(l.to_state is null or l.from_state is null or not l.is_edge or l.before <> l.from_state), bool_or(p_state in (l.from_state, l.to_state))
  into last_state, v_broken, v_passed
  from linked l;
  verdict := case
    when last_state is null and v_broken is null or last_state = p_state then 'agrees'
    when v_broken then 'disconnected'
    when v_passed then 'ahead'
    when fsm_internal.leads_to(p_machine, p_machine_version, last_state, p_state) then 'behind'
    else 'disconnected' end;
  return next;
end
$$;
comment on function fsm_internal.legacy_history(jsonb, text, text, integer) is
  'How the transitions that a contract remembers agree with its (canonical) state. agrees: they end in it, or there are none. ahead: it was passed, so it is older than they are. behind: edges lead from their end to it. disconnected: neither, or they do not follow each other along edges. last_state: where they end.';
