create function fsm_internal.event_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
immutable
as $$
begin
  return query
    select v.severity, v.code, e.path, v.message
    from fsm_internal.definition_events(p_definition) e
    cross join lateral (values
      (octet_length(e.event) not between 1 and 128, 'error', 'bad_name', 'the name of an event has 1 to 128 bytes; there are no eventless transitions'),
      (e.event = '*' or e.event like '%.*', 'error', 'unsupported',
        'wildcard events are not supported: name each event; "on" of the machine applies to every state'),
      (jsonb_typeof(e.body) not in ('string', 'object', 'array'), 'error', 'wrong_type',
        format('an event leads to a target, a candidate or a list of these, not %s', jsonb_typeof(e.body))),
      (e.body = '[]' and not coalesce(e.state is not null and fsm_internal.definition_object(p_definition -> 'on') ? e.event, false),
        'warning', 'no_candidate', 'an event without candidates has no effect, unless it takes an event of the machine out of this state')
    ) v (applies, severity, code, message)
    where v.applies;
  return query
    select 'error', 'wrong_type', c.path, format('a candidate is a target, or an object with one, not %s', jsonb_typeof(i.value))
    from fsm_internal.definition_candidates(p_definition) c
    join fsm_internal.definition_events(p_definition) e on e.event = c.event and e.state is not distinct from c.state
    cross join lateral (select e.body -> (c.candidate - 1)) i (value)
    where c.body is null and jsonb_typeof(e.body) = 'array';
end
$$;
comment on function fsm_internal.event_findings(jsonb) is 'What is wrong with events: their names, and what is no candidate at all.';
