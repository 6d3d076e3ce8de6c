create function fsm.doctor()
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  -- If not, one of the checks before says why.
  v_may_look boolean := not exists (
    select from pg_class c
    where c.relnamespace = 'fsm_internal'::regnamespace and c.relkind = 'r' and not has_table_privilege(c.oid, 'select'));
begin
  return query
    select f.severity, f.check_name, f.message, f.hint
    from (
      select * from fsm_internal.doctor_settings()
      union all select * from fsm_internal.doctor_logins()
      union all select * from fsm_internal.doctor_roles()
      union all select * from fsm_internal.doctor_grants()
      union all select * from fsm_internal.doctor_definers()
      union all select * from fsm_internal.doctor_tables()
      union all select * from fsm_internal.doctor_installed() where v_may_look
      union all select * from fsm_internal.doctor_feed() where v_may_look
      union all select * from fsm_internal.doctor_locks()
      union all select * from fsm_internal.doctor_vacuum()
      union all select * from fsm_internal.doctor_retention() where v_may_look
      union all select * from fsm_internal.doctor_sessions() where v_may_look
      union all select * from fsm_internal.doctor_deadlines() where v_may_look) f
    order by array_position(array['error', 'warning', 'info'], f.severity), f.check_name collate "C", f.message collate "C";
end
$$;
comment on function fsm.doctor() is
  'What is wrong or risky with this installation: one row per finding, errors first; no rows: nothing to say. hint says what to do. Each check takes a bounded look, so it may be called every minute, on a hot standby too.
error: server_version below 14; fsync or full_page_writes off; role (a role of fsmstore can log in, or is more than a plain role); grant (somebody may call, read or make what db/grants.sql does not give); definer (an API function without security definer or pinned search_path); function (one that is not as it was installed, is gone, or is none of ours); relation (a view, index, constraint or column of ours that is gone or was changed); owner (an object of ours belongs to somebody else, or fsm_owner may not read it: then what the tables hold is not looked at); trigger, rule, row_security, inheritance or foreign_key put onto our tables; unlogged_table; feed_epoch (a copy restored into another cluster); unknown_state (sessions in states that their machine version lacks).
warning: synchronous_commit, default_transaction_isolation, track_counts, autovacuum; login_settings (a login of fsm_app or fsm_admin without the settings of db/recommended_settings.sql); public_connect; owner_member; feed_timeline (a server that took over, or was recovered to a point in time); extra_index; prepared_transaction (older than 10 minutes); lock_wait (longer than 10 seconds for a session''s lock); dead_rows; hot_updates; history_size (over 10 GiB and nothing trimmed for 30 days); deadlines_overdue (by more than 5 minutes); deadlines_refused (5 times and more).
info: stuck_sessions (open and not written for 30 days). Stuck sessions and unknown states are looked for in about 2,000 pages of the table.
Errors: none.';
