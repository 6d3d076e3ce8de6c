create function fsm_internal.doctor_feed()
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
as $$
declare
  v_present text := (select c.system_identifier::text from pg_control_system() c);
  v_timeline integer := (select c.timeline_id from pg_control_checkpoint() c);
  v_known text;
  v_known_timeline integer;
begin
  select e.system_identifier, e.timeline into v_known, v_known_timeline
  from fsm_internal.feed_epochs e order by e.epoch desc limit 1;
  if v_present is distinct from v_known then
    return query select 'error', 'feed_epoch',
      format('the data come from cluster %s and are now in cluster %s: fsm.changes would skip what is written here', v_known, v_present),
      'Call fsm.new_feed_epoch() once, before anything is written.';
  elsif v_timeline > v_known_timeline and not pg_is_in_recovery() then
    return query select 'warning', 'feed_timeline',
      format('this server took over or was recovered: its timeline is %s, that of the feed is %s', v_timeline, v_known_timeline),
      'If anything that was acknowledged before may have been lost, call fsm.new_feed_epoch() once, before anything is written. If not (a synchronous standby took over), it does no harm.';
  end if;
end
$$;
comment on function fsm_internal.doctor_feed() is 'Findings of fsm.doctor: a copy restored into another cluster, whose transaction ids begin anew; a server that took over, and may use ids again.';
