create function fsm_internal.doctor_feed()
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
as $$
declare
  v_present text := (select c.system_identifier::text from pg_control_system() c);
  v_known text := (select e.system_identifier from fsm_internal.feed_epochs e order by e.epoch desc limit 1);
begin
  if v_present is distinct from v_known then
    return query select 'error', 'feed_epoch',
      format('the data come from cluster %s and are now in cluster %s: fsm.changes would skip what is written here', v_known, v_present),
      'Call fsm.new_feed_epoch() once, before anything is written.';
  end if;
end
$$;
comment on function fsm_internal.doctor_feed() is 'Findings of fsm.doctor: a copy restored into another cluster, whose transaction ids begin anew.';
