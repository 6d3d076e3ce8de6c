create function fsm_internal.context_at(p_session_id text, p_version bigint)
returns jsonb
language plpgsql
stable
as $$
declare
  v_context jsonb;
  v_expected bigint;
  v_version bigint;
  v_undo jsonb;
begin
  select fsm_internal.read_context(s.session_id, s.context), s.version into v_context, v_expected
  from fsm_internal.sessions s
  where s.session_id = p_session_id and p_version <= s.version
    and exists (select from fsm_internal.history h where h.session_id = s.session_id and h.version = p_version);
  if v_context is null then
    return null;
  end if;
  for v_version, v_undo in
    select h.version, h.undo from fsm_internal.history h
    where h.session_id = p_session_id and h.version > p_version order by h.version desc
  loop
    exit when v_version <> v_expected;
    v_context := fsm_internal.apply_undo(v_context, v_undo);
    v_expected := v_expected - 1;
  end loop;
  if v_expected <> p_version then
    perform fsm_internal.report_corrupt_session(p_session_id, 'history_gap', jsonb_build_object('version', v_expected));
  end if;
  return v_context;
end
$$;
comment on function fsm_internal.context_at(text, bigint) is
  'The context exactly as that version saved it, rebuilt backwards from the present; null if there is no such version or it is no longer retained. SM060 when a row of history between is missing. Stable, so that all of it reads one snapshot.';
