create function fsm_internal.lock_session(p_session_id text)
returns boolean
language sql
volatile
return pg_advisory_xact_lock(hashtextextended('fsm:session:' || p_session_id, 0)) is not null;
comment on function fsm_internal.lock_session(text) is
  'Takes the session''s advisory lock to the end of the transaction; true. The first step of every write: nothing that a decision rests on may be read before.';

create function fsm_internal.make_durable()
returns boolean
language sql
volatile
return current_setting('synchronous_commit') not in ('off', 'local', 'remote_write')
  or set_config('synchronous_commit', 'on', true) = 'on';
comment on function fsm_internal.make_durable() is
  'Sees to it that the commit of this transaction waits until it is durable, whatever the caller''s session is set to; true. It only raises: remote_apply stays.';

create function fsm_internal.try_lock_session(p_session_id text)
returns boolean
language sql
volatile
return pg_try_advisory_xact_lock(hashtextextended('fsm:session:' || p_session_id, 0));
comment on function fsm_internal.try_lock_session(text) is
  'As fsm_internal.lock_session, but false at once if another transaction has the lock. For those that write to many sessions in an order of their own: they never wait, so they never deadlock.';

create function fsm_internal.lock_sessions(p_session_ids text[])
returns void
language plpgsql
volatile
as $$
declare
  v_key bigint;
begin
  for v_key in
    select distinct hashtextextended('fsm:session:' || i.id, 0) as key from unnest(p_session_ids) i(id) where i.id is not null order by key
  loop
    perform pg_advisory_xact_lock(v_key);
  end loop;
end
$$;
comment on function fsm_internal.lock_sessions(text[]) is
  'Takes the locks of many sessions, waiting for each, in the order of their keys: the order is the same for every caller, so batches never deadlock with each other.';
