create function fsm.import_sessions(p_items jsonb, p_batch uuid, p_dry_run boolean default true)
returns table (session_id text, outcome text, code text, message text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_items fsm_internal.import_item[];
  v_group record;
begin
  perform fsm_internal.check_import_items(p_items);
  perform fsm_internal.check_not_null('p_batch', p_batch);
  perform fsm_internal.check_not_null('p_dry_run', p_dry_run);
  v_items := array(select i from fsm_internal.given_import_items(p_items) i);
  perform fsm_internal.chosen_version(m.machine, null) from (select distinct i.machine from unnest(v_items) i) m;
  if not p_dry_run then
    perform fsm_internal.make_durable();
    perform fsm_internal.lock_batch(p_batch, false);
    perform fsm_internal.lock_sessions(array(select distinct i.target from unnest(v_items) i where i.target is not null));
  end if;
  for v_group in
    select coalesce(i.target, '') as target, array_agg((i.digest, i.source, i.session_id, i.target, i.machine, i.data, i.problem, i.original,
      i.is_given, i.is_kept)::fsm_internal.import_item order by i.nth) as given
    from (
      select distinct on (n.digest) n.* from unnest(v_items) with ordinality
        n(digest, source, session_id, target, machine, data, problem, original, is_given, is_kept, nth) order by n.digest, n.nth) i
    group by coalesce(i.target, '') order by min(i.nth)
  loop
    return query select s.* from fsm_internal.import_session(v_group.target, p_batch,
      array(select i from fsm_internal.import_items_of(p_batch, v_group.target, v_group.given) i), p_dry_run) s;
  end loop;
end
$$;
comment on function fsm.import_sessions(jsonb, uuid, boolean) is
  'Imports sessions of other stores. p_items: an array of at most 1,000 originals {source (1 to 128 bytes), session_id, data (an object, or null), problem (why it could not be read, or null), original (text, or "base64:" and bytes; null: data is the original), machine (null: purchase_item)}. data is a row of the old table by its column names, or a value of the old file store. Everything is decided here: the state, older names mapped; conflicts between originals of one session and inside one; what cannot be trusted. Each original is kept in batch p_batch, whatever becomes of it (fsm.import_original). The originals of a session are weighed together, also those of earlier calls of the same batch, in whatever order they come; the same original again changes nothing, so that an import that broke off is simply run again. A session is made as version 1 (when a later call adds to it, the next) of kind import, whose note has {"source", "batch", "sources", "warnings", "generation", "times", "lost"}: lost is what did not come through. p_dry_run true (the default): nothing is written, the same report. Returns a row per session, and one for each original that is set aside: outcome imported; conflict_resolved (something lost against something else); quarantined (see view fsm.quarantine); skipped (code sentinel_session, already_imported, session_changed since the batch made it, session_exists and is not the batch''s). code: the problem, or the first warning. A bad original never stops the others. Errors: 22004; 22023 no array, more than 1,000 items, an item of the wrong form (ordinal in DETAIL); SM001 no such machine; 40001 under REPEATABLE READ and SERIALIZABLE.';
