create function fsm_internal.mermaid_diagram(p_parts jsonb)
returns text
language plpgsql
stable
as $$
begin
  return (
    with states as materialized (
      select s.nth, s.body, fsm_internal.mermaid_alias(s.body ->> 'state', s.nth) as alias
      from jsonb_array_elements(p_parts -> 'states') with ordinality s (body, nth)
    ), lines (place, nth, line) as (
      select 1, s.nth, format('state "%s" as %s', fsm_internal.mermaid_text(s.body ->> 'state'), s.alias)
      from states s where s.alias <> s.body ->> 'state'
      union all
      select 2, 0, 'state "every open state" as _every' where p_parts @> '{"edges": [{"from": null}]}'
      union all
      select 3, 0, '[*] --> ' || s.alias from states s where s.body @> '{"is_initial": true}'
      union all
      select 4, e.nth, coalesce(f.alias, '_every') || ' --> ' || t.alias || ' : ' || fsm_internal.mermaid_text(
        coalesce('✔ ' || (e.body ->> 'times') || '× ', '') || (e.body ->> 'label'))
      from jsonb_array_elements(p_parts -> 'edges') with ordinality e (body, nth)
      left join states f on f.nth = (e.body ->> 'from')::bigint
      join states t on t.nth = (e.body ->> 'to')::bigint
      union all
      select 5, s.nth, s.alias || ' --> [*]' from states s where s.body @> '{"is_final": true}'
      union all
      select 6, 0, 'classDef visited stroke:#e8590c,stroke-width:3px' where p_parts @> '{"states": [{"is_visited": true}]}'
      union all
      select 7, 0, 'classDef present fill:#ffd43b,color:#000,stroke:#e8590c,stroke-width:3px'
      where p_parts @> '{"states": [{"is_present": true}]}'
      union all
      select 8, s.nth, 'class ' || s.alias || case when s.body @> '{"is_present": true}' then ' present' else ' visited' end
      from states s where s.body @> '{"is_visited": true}'
    )
    select 'stateDiagram-v2' || string_agg(E'\n  ' || l.line, '' order by l.place, l.nth) from lines l);
end
$$;
comment on function fsm_internal.mermaid_diagram(jsonb) is
  'fsm_internal.diagram_parts as a mermaid stateDiagram-v2. Arrows have no style there, so those that the session took bear a mark and how often.';

create function fsm_internal.mermaid_alias(p_state text, p_nth bigint)
returns text
language sql
immutable
return case
  when p_state ~ '^[A-Za-z][A-Za-z0-9_]*$' and lower(p_state) not in (
    'state', 'note', 'end', 'direction', 'class', 'classdef', 'style', 'scale', 'hide', 'as', 'click', 'default', 'fork', 'join', 'choice',
    'concurrency', 'root', 'root_start', 'root_end', 'acctitle', 'accdescr', 'statediagram', 'href', 'left', 'right', 'of', 'tb', 'bt', 'lr',
    'rl', 'constructor', 'prototype', 'tostring', 'tolocalestring', 'valueof', 'hasownproperty', 'isprototypeof', 'propertyisenumerable'
  ) then p_state
  else '_' || p_nth::text
end;
comment on function fsm_internal.mermaid_alias(text, bigint) is
  'How a state is called in a mermaid diagram: by its name where that can be nothing else there, or by its number.';

create function fsm_internal.mermaid_text(p_text text)
returns text
language sql
immutable
-- Character by character, because what stands for one is made of others. direction with a blank after it is a statement anywhere in a line.
return (
  select regexp_replace(string_agg(
    case
      when c.one ~ '[[:cntrl:]]' then '·'
      when strpos('#;:"<&%{}`*\~', c.one) > 0 or (c.one = ' ' and c.nth in (1, length(p_text))) then '#' || ascii(c.one)::text || ';'
      else c.one
    end, '' order by c.nth), '(direction) ', '\1#32;', 'gi')
  from unnest(string_to_array(p_text, null)) with ordinality c (one, nth));
comment on function fsm_internal.mermaid_text(text) is
  'A text for a mermaid label, in quotes or behind a colon: what would end it or mean something there and a blank at either end, is written as an entity, control characters as a dot.';
