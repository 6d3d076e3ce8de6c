create function fsm.purge_import(p_batch uuid)
returns bigint
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_purged bigint;
begin
  perform fsm_internal.check_not_null('p_batch', p_batch);
  perform fsm_internal.lock_batch(p_batch, true);
  -- The rows in the order of their key, here and wherever several are taken: whoever takes them in another one may deadlock.
  delete from fsm_internal.import_items i
  where (i.batch, i.digest) in (
    select o.batch, o.digest from fsm_internal.import_items o where o.batch = p_batch order by o.batch, o.digest for update);
  get diagnostics v_purged = row_count;
  return v_purged;
end
$$;
comment on function fsm.purge_import(uuid) is
  'Removes the originals of an import for good, and with them its part of fsm.quarantine. The sessions that it made stay, but the import can no longer be taken back. Returns how many originals there were. Errors: 22004.';
