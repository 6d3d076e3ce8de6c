create function fsm.load_context(p_session_id text, p_paths text[])
returns table (path text, value jsonb, version bigint)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_context jsonb;
  v_version bigint;
begin
  perform fsm_internal.check_common_arguments(p_session_id, null, null);
  perform fsm_internal.check_paths('p_paths', p_paths);
  select fsm_internal.read_context(s.session_id, s.context) || '{}', s.version into v_context, v_version
  from fsm_internal.sessions s where s.session_id = p_session_id;
  -- As one array first: rows straight from jsonb_path_query would cost the square of their number before PostgreSQL 17.
  return query
    select w.path, i.item, v_version
    from unnest(p_paths) with ordinality w (path, nth)
    cross join lateral jsonb_array_elements(jsonb_path_query_array(v_context, w.path::jsonpath, '{}', true)) with ordinality i (item, nth)
    order by w.nth, i.nth;
end
$$;
comment on function fsm.load_context(text, text[]) is
  'Part of a large context: one row per item that a jsonpath matches, in the order of the paths and of the items, with the version that all of them are of. A path that matches nothing, or fails on the data, gives no row; neither does an unknown session. A path may use what a guard may: no variables, no date and time methods, no .**. At most 1,000 paths. Errors: 22004 null argument or path, 22023 too many paths, or one that is no jsonpath or not allowed (argument, path, nth and problem in DETAIL).';
