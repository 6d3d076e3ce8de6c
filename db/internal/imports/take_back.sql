create function fsm_internal.take_back(p_batch uuid, p_session_ids text[])
returns void
language plpgsql
volatile
as $$
begin
  insert into fsm_internal.deleted_sessions (session_id, at, version, state, turn)
  select s.session_id, greatest(fsm_internal.clock(), s.updated_at + interval '1 microsecond', (
      select max(d.at) + interval '1 microsecond' from fsm_internal.deleted_sessions d where d.session_id = s.session_id)),
    s.version, s.state, s.turn
  from fsm_internal.sessions s where s.session_id = any (p_session_ids);
  delete from fsm_internal.sessions s where s.session_id = any (p_session_ids);
  delete from fsm_internal.history h where h.session_id = any (p_session_ids);
  delete from fsm_internal.history_cuts c where c.session_id = any (p_session_ids);
  delete from fsm_internal.turns t where t.session_id = any (p_session_ids);
  delete from fsm_internal.deadlines d where d.session_id = any (p_session_ids);
  -- What made a session that is still there stays in force; the rest of the batch is as if it had never been imported.
  update fsm_internal.import_items i set undone = true
  where i.batch = p_batch and not i.undone
    and (i.version is null or not exists (select from fsm_internal.sessions s where s.session_id = i.target));
end
$$;
comment on function fsm_internal.take_back(uuid, text[]) is
  'Removes sessions whose rows are locked, with all but their originals, and marks what a batch no longer has a part in.';
