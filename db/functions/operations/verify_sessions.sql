create function fsm.verify_sessions(
  p_session_id text default null, p_limit integer default null, p_after_session_id text default null)
returns table (session_id text, code text, detail jsonb)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.check_limit(p_limit);
  if p_session_id is not null then
    perform fsm_internal.check_common_arguments(p_session_id, null, null);
    if not exists (select from fsm_internal.history h where h.session_id = p_session_id) then
      perform fsm_internal.check_session_exists(p_session_id);
    end if;
    return query select p_session_id, f.code, f.detail from fsm_internal.session_problems(p_session_id) f;
    return;
  end if;
  return query
    with looked_at as materialized (
      -- Histories without a session belong to the page that their ids would be on.
      select i.session_id from (
        select s.session_id from fsm_internal.sessions s where s.session_id > coalesce(p_after_session_id, '')
        union
        select c.session_id from fsm_internal.orphaned_histories(p_after_session_id) c
        order by 1 limit p_limit) i
    )
    select l.session_id, f.code, f.detail
    from looked_at l cross join lateral fsm_internal.session_problems(l.session_id) f
    order by l.session_id;
end
$$;
comment on function fsm.verify_sessions(text, integer, text) is
  'Checks everything that is stored: of one session, or of all in session_id order (p_limit of them, null: all, those after p_after_session_id if given). One snapshot; it blocks nobody. No rows: sound. A row per finding with its code and the facts: unknown_state, row_disagrees_with_history, history_missing, history_without_session, version_gap, history_cut (the oldest versions are gone, and fsm.trim_history did not remove them), bad_first_row, from_state_mismatch, unknown_state_in_history, time_not_increasing, undo_broken (an older context cannot be rebuilt), context_not_admitted (a version whose context its state''s schema or invariant refuses: edited by hand), chain_broken and chain_missing (machines with meta.audit "chain": the row, or the context after it, is not what its hash was made from), deadline_lost (nobody will look at the session when its deadline is due), turn_behind. Reads the whole history of what it looks at. Errors: 22023, SM010 unknown p_session_id.';
