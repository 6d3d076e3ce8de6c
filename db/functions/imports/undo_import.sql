create function fsm.undo_import(p_batch uuid)
returns table (removed bigint, kept bigint)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_session_id text;
  v_gone text[] := '{}'::text[];
begin
  perform fsm_internal.check_not_null('p_batch', p_batch);
  perform fsm_internal.make_durable();
  perform fsm_internal.lock_batch(p_batch, true);
  for v_session_id in
    select distinct i.target from fsm_internal.import_items i
    where i.batch = p_batch and not i.undone and i.version is not null and fsm_internal.is_as_imported(i.target, p_batch)
  loop
    -- Whoever holds the lock is changing it. What was looked at without the lock is looked at again, in a statement of its own.
    continue when not fsm_internal.try_lock_session(v_session_id);
    if fsm_internal.is_as_imported(v_session_id, p_batch) then
      v_gone := v_gone || v_session_id;
      exit when cardinality(v_gone) = 1000;
    end if;
  end loop;
  removed := fsm_internal.erase_sessions(v_gone);
  -- What made a session that is still there stays in force; the rest of the batch is as if it had never been imported.
  update fsm_internal.import_items i set undone = true
  where (i.batch, i.digest) in (
    select o.batch, o.digest from fsm_internal.import_items o
    where o.batch = p_batch and not o.undone
      and (o.version is null or not exists (select from fsm_internal.sessions s where s.session_id = o.target))
    order by o.batch, o.digest for update);
  kept := (select count(distinct i.target) from fsm_internal.import_items i where i.batch = p_batch and not i.undone);
  return next;
end
$$;
comment on function fsm.undo_import(uuid) is
  'Takes an import back: removes the sessions that batch p_batch made and that nobody changed since, at most 1,000 in one call (so call it until removed is 0), and empties the batch''s quarantine. Sessions that were written to, or whose turn is held, or that somebody is writing just now, are kept. Each removed session leaves a line of kind delete in fsm.changes. The originals stay and fsm.import_original still has them; the same batch may be imported again. Returns how many sessions were removed, and how many that the batch made are still there. A batch that is not known: 0, 0. Errors: 22004; 40001 under REPEATABLE READ and SERIALIZABLE.';
