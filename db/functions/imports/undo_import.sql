create function fsm.undo_import(p_batch uuid)
returns table (removed bigint, kept bigint)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_made text[];
  v_gone text[];
begin
  perform fsm_internal.check_not_null('p_batch', p_batch);
  perform fsm_internal.make_durable();
  v_made := array(
    select distinct i.target from fsm_internal.import_items i
    where i.batch = p_batch and not i.undone and i.version is not null);
  -- By row locks, and never waiting: a batch may have more sessions than there is room for advisory locks, and whoever holds a row is
  -- changing it. Writers read the row under its lock, so they find it gone.
  v_gone := array(
    select s.session_id from fsm_internal.sessions s
    join fsm_internal.history h on h.session_id = s.session_id and h.version = s.version
    where s.session_id = any (v_made) and h.kind = 'import' and h.note ->> 'batch' = p_batch::text
      and not exists (select from fsm_internal.turns t where t.session_id = s.session_id and t.expires_at > fsm_internal.clock())
    for update of s skip locked);
  perform fsm_internal.take_back(p_batch, v_gone);
  removed := cardinality(v_gone)::bigint;
  kept := (select count(*) from fsm_internal.sessions s where s.session_id = any (v_made) and s.session_id <> all (v_gone));
  return next;
end
$$;
comment on function fsm.undo_import(uuid) is
  'Takes an import back: removes the sessions that batch p_batch made and that nobody changed since, and empties the batch''s quarantine. Sessions that were written to, or whose turn is held, or that somebody is writing just now, are kept. Each removed session leaves a line of kind delete in fsm.changes. The originals stay and fsm.import_original still has them; the same batch may be imported again. Returns how many sessions were removed, and how many are still there. A batch that is not known: 0, 0. Errors: 22004.';
