create function fsm_internal.event_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
immutable
as $$
declare
  v_root_events jsonb := fsm_internal.definition_object(p_definition -> 'on');
begin
  return query
    select v.severity, v.code, e.path, v.message
    from fsm_internal.definition_events(p_definition) e
    cross join lateral (values
      (octet_length(e.event) not between 1 and 128, 'error', 'bad_name',
        'the name of an event has 1 to 128 bytes; there are no eventless transitions'),
      (e.event = '*' or e.event like '%.*', 'error', 'unsupported',
        'wildcard events are not supported: name each event; "on" of the machine applies to every state'),
      (e.body = '[]' and (e.state is null or not v_root_events ? e.event), 'warning', 'no_candidate',
        'an event without candidates has no effect, unless it takes an event of the machine out of a state')
    ) v (applies, severity, code, message)
    where v.applies;
end
$$;
comment on function fsm_internal.event_findings(jsonb) is 'What is wrong with the names of events, and events that do nothing.';
