create function fsm.metrics()
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_at timestamptz := fsm_internal.clock();
begin
  return jsonb_build_object('release', fsm.schema_release(), 'at', v_at, 'sessions', fsm_internal.session_metrics(),
      'machines', fsm_internal.machine_metrics(), 'deadlines', fsm_internal.deadline_metrics(v_at),
      'turns', fsm_internal.turn_metrics(), 'bytes', fsm_internal.size_metrics())
    || fsm_internal.recent_metrics(v_at);
end
$$;
comment on function fsm.metrics() is
  'Numbers for monitoring, as one object:
release: of the schema. at: when it was asked.
sessions: {total, final, by_state: [{machine, machine_version, state, sessions}]}; reads every session''s row.
machines: {names, versions, retired}: names of machines, their versions, and how many of these are retired.
recent: {seconds, writes, loops, since, capped}: the writes of the last 300 seconds that the next two keys are made of, and how many of them closed a loop; at most the newest 100,000 writes are looked at, and capped is true when that did not reach back to the 300 seconds: since is then the time of the oldest one seen.
transitions: [{machine, from_state, to_state, event, transitions}] among the recent writes, event null for a deadline; the most frequent first.
rates: {minute, five_minutes}, each {kind: writes per second} by kind of history (create, transition, update ...) over 60 and 300 seconds, or over the time since "since" when capped.
deadlines: {waiting, overdue, oldest_overdue_seconds, refused}: sessions with a deadline to come or to be looked at, those whose deadline has passed unfired (at most 10,000 counted), by how much the oldest has (null: none), and those whose deadline was tried and refused.
turns: {held}, or null on a hot standby, which has none.
bytes: {sessions, history, indexes, total}: the two tables without their indexes, the indexes of all tables, and everything.
Errors: none.';
