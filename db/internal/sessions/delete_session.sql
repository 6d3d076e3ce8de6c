create function fsm_internal.delete_session(p_session_id text)
returns boolean
language plpgsql
volatile
as $$
begin
  perform fsm_internal.make_durable();
  perform fsm_internal.lock_session(p_session_id);
  -- Also without a session: what was quarantined never became one.
  delete from fsm_internal.import_items i
  where (i.batch, i.digest) in (
    select o.batch, o.digest from fsm_internal.import_items o
    where o.target = p_session_id or left(o.session_id, 600) = p_session_id order by o.batch, o.digest for update);
  return fsm_internal.erase_sessions(array[p_session_id]) = 1;
end
$$;
comment on function fsm_internal.delete_session(text) is
  'Erases a session under its lock with all that belongs to it, the originals that it was imported from too, and leaves a row of deleted_sessions; false if there is none.';

create function fsm_internal.erase_sessions(p_session_ids text[])
returns bigint
language plpgsql
volatile
as $$
declare
  v_erased bigint;
begin
  with gone as (
    delete from fsm_internal.sessions s where s.session_id = any (p_session_ids)
    returning s.session_id, s.version, s.state, s.updated_at, s.turn)
  insert into fsm_internal.deleted_sessions (session_id, at, version, state, turn)
  select g.session_id, greatest(fsm_internal.clock(), g.updated_at + interval '1 microsecond', (
      select max(d.at) + interval '1 microsecond' from fsm_internal.deleted_sessions d where d.session_id = g.session_id)),
    g.version, g.state, g.turn
  from gone g;
  get diagnostics v_erased = row_count;
  if v_erased > 0 then
    delete from fsm_internal.history h where h.session_id = any (p_session_ids);
    delete from fsm_internal.history_cuts c where c.session_id = any (p_session_ids);
    delete from fsm_internal.turns t where t.session_id = any (p_session_ids);
    delete from fsm_internal.deadlines d where d.session_id = any (p_session_ids);
  end if;
  return v_erased;
end
$$;
comment on function fsm_internal.erase_sessions(text[]) is
  'Removes sessions whose locks are held, with all that belongs to them but their originals, and leaves a row of deleted_sessions for each; returns how many there were.';
