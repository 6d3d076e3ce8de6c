create function fsm_internal.dot_diagram(p_parts jsonb)
returns text
language plpgsql
stable
as $$
begin
  return (
    with lines (place, nth, line) as (
      select 1, 0, 'rankdir=LR; node [shape=box, style="rounded,filled", fillcolor=white]; initial [shape=point, style=filled, fillcolor=black];'
      union all
      select 2, s.nth, format('s%s [label="%s"%s%s];', s.nth, fsm_internal.dot_text(s.body ->> 'state'),
        case when s.body @> '{"is_final": true}' then ', peripheries=2' end,
        case
          when s.body @> '{"is_present": true}' then ', color="#e8590c", penwidth=3, fillcolor="#ffd43b"'
          when s.body @> '{"is_visited": true}' then ', color="#e8590c", penwidth=3'
        end)
      from jsonb_array_elements(p_parts -> 'states') with ordinality s (body, nth)
      union all
      select 3, 0, 'every [label="every open state", style="rounded,dashed"];' where p_parts @> '{"edges": [{"from": null}]}'
      union all
      select 4, 0, format('initial -> s%s;', s.nth)
      from jsonb_array_elements(p_parts -> 'states') with ordinality s (body, nth) where s.body @> '{"is_initial": true}'
      union all
      select 5, e.nth, format('%s -> s%s [label="%s"%s%s];', coalesce('s' || (e.body ->> 'from'), 'every'), e.body ->> 'to',
        fsm_internal.dot_text((e.body ->> 'label') || coalesce(' (' || (e.body ->> 'times') || '×)', '')),
        case e.body ->> 'kind' when 'transition' then '' when 'deadline' then ', style=dashed' else ', style=dotted' end,
        case when e.body ->> 'times' is not null then ', color="#e8590c", fontcolor="#e8590c", penwidth=3' end)
      from jsonb_array_elements(p_parts -> 'edges') with ordinality e (body, nth)
    )
    select 'digraph machine {' || string_agg(E'\n  ' || l.line, '' order by l.place, l.nth) || E'\n}' from lines l);
end
$$;
comment on function fsm_internal.dot_diagram(jsonb) is 'fsm_internal.diagram_parts in the language of Graphviz.';

create function fsm_internal.dot_text(p_text text)
returns text
language sql
immutable
return regexp_replace(replace(replace(replace(p_text, '\', '\\'), '"', '\"'), '&', '&amp;'), '[[:cntrl:]]', '·', 'g');
comment on function fsm_internal.dot_text(text) is 'A text for a quoted string of dot: neither a quote, an escape nor an entity; control characters as a dot.';
