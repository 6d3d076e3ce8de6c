create function fsm_internal.doctor_retention(p_bytes bigint default 10737418240)
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
as $$
declare
  v_bytes bigint := pg_total_relation_size('fsm_internal.history');
begin
  if v_bytes > p_bytes and not exists (select from fsm_internal.history_cuts c where c.cut_at > fsm_internal.clock() - interval '30 days') then
    return query select 'warning', 'history_size',
      format('history takes %s, and nothing was trimmed for 30 days', pg_size_pretty(v_bytes)),
      'Decide how much history is to be kept, and call fsm.trim_history (old versions) and fsm.purge_sessions (finished sessions) regularly.';
  end if;
end
$$;
comment on function fsm_internal.doctor_retention(bigint) is 'Findings of fsm.doctor: a history of more than p_bytes that nobody trims.';
