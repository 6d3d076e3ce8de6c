create function fsm.upgrade_sessions(
  p_machine text, p_from_version integer, p_to_version integer, p_state_map jsonb default '{}', p_patch jsonb default null,
  p_limit integer default 1000, p_dry_run boolean default true, p_after_session_id text default null)
returns table (from_state text, to_state text, sessions bigint, code text, message text, last_session_id text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_ids text[];
  v_last text;
begin
  perform fsm_internal.check_limit(p_limit);
  perform fsm_internal.check_not_null('p_dry_run', p_dry_run);
  p_state_map := coalesce(p_state_map, '{}');
  p_patch := coalesce(p_patch, '{}');
  perform fsm_internal.check_upgrade(p_machine, p_from_version, p_to_version, p_state_map, p_patch);
  v_ids := fsm_internal.sessions_to_upgrade(p_machine, p_from_version, p_after_session_id,
    case when p_dry_run then p_limit else least(p_limit, 1000) end);
  v_last := v_ids[cardinality(v_ids)];
  if not p_dry_run then
    perform fsm_internal.make_durable();
    perform fsm_internal.lock_sessions(v_ids);
  end if;
  return query
    select u.from_state, u.to_state, count(*), u.code,
      case when u.code is not null then format('%s (%s)', min(u.message), 'first: ' || min(u.id)) end, v_last
    from (
      select i.id, o.* from unnest(v_ids) i(id)
      cross join lateral fsm_internal.upgrade_session(i.id, p_machine, p_from_version, p_to_version, p_state_map, p_patch, p_dry_run) o) u
    group by u.from_state, u.to_state, u.code
    order by u.from_state collate "C", u.code nulls first;
end
$$;
comment on function fsm.upgrade_sessions(text, integer, integer, jsonb, jsonb, integer, boolean, text) is
  'Moves sessions that are not in a final state from one version of their machine to another, in session_id order, each under its lock as a new version of kind upgrade. p_state_map says where states go ({"old": "new"}); a state that is not in it keeps its name. p_patch (RFC 7396 merge patch) changes each context on the way. The new version''s size limit, schema and invariants decide as in a save. p_dry_run true (the default): nothing is written, the same report. Returns a row per from_state, to_state and outcome with the number of sessions: code null for those that were (dry run: would be) moved; otherwise they stay as they are, and code is unmapped_state (the new version has no such state), context_rejected, turn_held or corrupt, message says why and names the first. last_session_id is the last session that was looked at, in every row: pass it as p_after_session_id to go on, until no row comes. At most p_limit sessions in one call (null: all in a dry run; 1,000 is the most that one call moves). entered_at and deadlines count on when the state keeps its name. Errors: 22004; 22023 p_limit below 1, the same version twice, a state in p_state_map that its version does not have; SM001 no such machine or version; SM021 p_state_map or p_patch is no object, or names current_state or session_id; 40001 under REPEATABLE READ and SERIALIZABLE.';
