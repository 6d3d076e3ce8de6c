create function fsm.diagram(
  p_machine text, p_machine_version integer default null, p_format text default 'mermaid', p_session_id text default null)
returns text
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_parts jsonb;
  v_own_version integer;
begin
  perform fsm_internal.check_text('p_machine', p_machine, 512);
  perform fsm_internal.check_not_null('p_format', p_format);
  if p_format not in ('mermaid', 'dot') then
    perform fsm_internal.refuse(fsm_internal.argument_refusal('p_format', 'unknown format',
      jsonb_build_object('value', left(p_format, 200), 'formats', jsonb_build_array('mermaid', 'dot')), 'Give p_format mermaid or dot.'));
  end if;
  if p_session_id is not null then
    perform fsm_internal.check_common_arguments(p_session_id, null, null);
    v_own_version := fsm_internal.version_of_session(p_session_id, p_machine);
  end if;
  v_parts := fsm_internal.diagram_parts(p_machine,
    fsm_internal.chosen_version(p_machine, coalesce(p_machine_version, v_own_version)), p_session_id);
  return case p_format when 'mermaid' then fsm_internal.mermaid_diagram(v_parts) else fsm_internal.dot_diagram(v_parts) end;
end
$$;
comment on function fsm.diagram(text, integer, text, text) is
  'A machine version as the text of a diagram: p_format mermaid (stateDiagram-v2) or dot (Graphviz). Shown are all states, events with their guards (long ones cut), deadlines, and where diverted loops go; what the machine''s own "on" gives every open state starts at a node that stands for all of them. With p_session_id the states that the session was in, the one it is in, and the transitions it made (with how often) are marked, by retained history; a way it went that is no transition of this version, such as a rollback, is drawn too. p_machine_version null: the session''s own version, or without a session the newest that is not retired. Errors: 22004 null p_machine or p_format, 22023 unknown format, a name empty or too long, or the session is of another machine, SM010 unknown session, SM001 no such version, or all are retired.';
