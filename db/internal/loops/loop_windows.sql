create function fsm_internal.loop_windows()
returns table (machine text, longest interval, smallest_limit integer)
language sql
stable
begin atomic
  select r.machine, max(r.loop_window), min(r.loop_limit)
  from (
    select c.machine, c.loop_window, c.loop_limit from fsm_internal.machine_candidates c where c.loop_limit is not null
    union all
    select d.machine, d.loop_window, d.loop_limit from fsm_internal.machine_delays d where d.loop_limit is not null) r
  group by r.machine;
end;
comment on function fsm_internal.loop_windows() is
  'Of each machine with a loop rule the longest window and the smallest limit, over all its versions: whoever was not written within that window, or has no more versions than that, is in no loop.';
