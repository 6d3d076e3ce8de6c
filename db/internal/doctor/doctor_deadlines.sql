create function fsm_internal.doctor_deadlines()
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
as $$
declare
  v_now timestamptz := fsm_internal.clock();
begin
  return query
    select 'warning', 'deadlines_overdue',
      format('%s deadlines are overdue by more than 5 minutes, among the 1,000 to be looked at first; the oldest by %s seconds',
        count(*), round(extract(epoch from v_now - min(o.due_at)))),
      'Nobody calls fsm.fire_deadlines(), or not often enough: let a worker or cron call it every few seconds while it returns rows.'
    from fsm_internal.overdue_deadlines(v_now - interval '5 minutes', 1000) o
    having count(*) > 0
    union all
    select 'warning', 'deadlines_refused',
      format('%s deadlines were tried and refused 5 times and more in a row, the first is of session %s', count(*), to_jsonb(min(d.session_id))),
      'fsm.fire_deadlines() says why when it tries again: a context that the target refuses, a loop that is blocked, or a turn that is held.'
    from (
      -- The next try is never more than an hour away.
      select w.session_id, w.refusals from fsm_internal.deadlines w
      where w.wake_at <= v_now + interval '1 hour' order by w.wake_at limit 10000) d
    where d.refusals >= 5
    having count(*) > 0;
end
$$;
comment on function fsm_internal.doctor_deadlines() is
  'Findings of fsm.doctor: deadlines that nobody fires, among the 1,000 to be looked at first, and those that are refused again and again, among the first 10,000.';
