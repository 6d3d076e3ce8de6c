create function fsm.diff_session(p_session_id text, p_from_version bigint, p_to_version bigint)
returns table (path text, old jsonb, new jsonb)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_from jsonb;
  v_to jsonb;
begin
  perform fsm_internal.check_common_arguments(p_session_id, null, null);
  perform fsm_internal.check_not_null('p_from_version', p_from_version);
  perform fsm_internal.check_not_null('p_to_version', p_to_version);
  perform fsm_internal.check_session_exists(p_session_id);
  v_from := fsm_internal.context_at(p_session_id, p_from_version);
  if v_from is null then
    perform fsm_internal.refuse_version_not_retained(p_session_id, 'p_from_version', p_from_version, fsm_internal.retained_versions(p_session_id));
  end if;
  v_to := fsm_internal.context_at(p_session_id, p_to_version);
  if v_to is null then
    perform fsm_internal.refuse_version_not_retained(p_session_id, 'p_to_version', p_to_version, fsm_internal.retained_versions(p_session_id));
  end if;
  return query select d.path, d.old, d.new from fsm_internal.context_diff(v_from || '{}', v_to || '{}') d;
end
$$;
comment on function fsm.diff_session(text, bigint, bigint) is
  'What is different between the contexts of two versions, in either direction: a row per value, down to where they differ, objects by key and arrays by index, keys in byte order and indexes in that of numbers. path is jsonpath ($.items[0].price); old null: it was not there in p_from_version; new null: it is not there in p_to_version (a JSON null is ''null''). 1 and 1.0 are different. No rows: the same context. Errors: 22004, 22023 session id empty or too long, or a version never made or no longer retained (oldest_version in DETAIL), SM010 unknown session, SM060 history is incomplete.';
