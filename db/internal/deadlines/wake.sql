create function fsm_internal.wake(
  p_session_id text, p_machine text, p_machine_version integer, p_state text, p_entered_at timestamptz, p_first_at timestamptz,
  p_wake_at timestamptz)
returns timestamptz
language plpgsql
volatile
as $$
declare
  v_wake_at timestamptz := p_first_at;
begin
  if p_wake_at is not null then  -- it had deadlines before, and may have taken some of this stay already
    v_wake_at := fsm_internal.next_deadline(p_machine, p_machine_version, p_state, p_entered_at, (
      select d.fired_ms from fsm_internal.deadlines d where d.session_id = p_session_id and d.fired_entered_at = p_entered_at));
  end if;
  perform fsm_internal.put_wake(p_session_id, v_wake_at);
  return v_wake_at;
end
$$;
comment on function fsm_internal.wake(text, text, integer, text, timestamptz, timestamptz, timestamptz) is
  'Sees to it that fsm.fire_deadlines looks at a session when its next deadline in this state is due, and says when that is (infinity: all were fired). p_first_at: when the state''s first one is due; p_wake_at: sessions.wake_at as it was. The caller writes it into sessions.wake_at.';

create function fsm_internal.next_deadline(
  p_machine text, p_machine_version integer, p_state text, p_entered_at timestamptz, p_fired_ms bigint)
returns timestamptz
language plpgsql
volatile
as $$
begin
  return coalesce(p_entered_at + (
    select min(d.delay_ms) from fsm_internal.machine_delays d
    where d.machine = p_machine and d.machine_version = p_machine_version and d.state = p_state
      and d.delay_ms > coalesce(p_fired_ms, 0)) * interval '1 millisecond', 'infinity');
end
$$;
comment on function fsm_internal.next_deadline(text, integer, text, timestamptz, bigint) is
  'When the next deadline of a stay in a state is due, those of up to p_fired_ms having been fired; infinity: there is none.';

create function fsm_internal.put_wake(p_session_id text, p_wake_at timestamptz)
returns void
language plpgsql
volatile
as $$
begin
  insert into fsm_internal.deadlines as d (session_id, wake_at) values (p_session_id, p_wake_at)
  on conflict on constraint deadlines_pkey do update set wake_at = excluded.wake_at, refusals = 0
  where (d.wake_at, d.refusals) is distinct from (excluded.wake_at, 0);
end
$$;
comment on function fsm_internal.put_wake(text, timestamptz) is 'Writes when to look at a session. The same has to go into sessions.wake_at.';

create function fsm_internal.wake_now(p_session_id text)
returns void
language plpgsql
volatile
as $$
declare
  v_now timestamptz := fsm_internal.clock();
begin
  update fsm_internal.deadlines d set wake_at = v_now, refusals = 0
  where d.session_id = p_session_id and d.refusals > 0 and d.wake_at > v_now;
  if found then
    update fsm_internal.sessions s set wake_at = v_now where s.session_id = p_session_id;
  end if;
end
$$;
comment on function fsm_internal.wake_now(text) is 'Ends the pause after a refused deadline: what it was refused for may be gone.';
