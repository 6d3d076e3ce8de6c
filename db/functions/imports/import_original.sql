create function fsm.import_original(p_batch uuid, p_session_id text)
returns table (source text, original text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.check_not_null('p_batch', p_batch);
  perform fsm_internal.check_not_null('p_session_id', p_session_id);
  return query
    select i.source, i.original from fsm_internal.import_items i
    where i.batch = p_batch and left(i.session_id, 600) = left(p_session_id, 600) and i.session_id = p_session_id
    order by i.source collate "C", i.digest;
end
$$;
comment on function fsm.import_original(uuid, text) is
  'Every original that an import brought under an id, exactly as it was given, imported or not: text, or "base64:" and the bytes. p_session_id: the id in the source, which may be empty or longer than a session''s. They are kept until fsm.purge_import, or until the session is erased (fsm.delete_session, fsm.purge_sessions). Returns (source, original), no row when there is none. Errors: 22004.';
