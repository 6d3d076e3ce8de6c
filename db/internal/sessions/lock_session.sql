create function fsm_internal.lock_session(p_session_id text)
returns boolean
language sql
volatile
return pg_advisory_xact_lock(hashtextextended('fsm:session:' || p_session_id, 0)) is not null;
comment on function fsm_internal.lock_session(text) is
  'Takes the session''s advisory lock to the end of the transaction; true. The only place that takes it, and the first step of every write: nothing that a decision rests on may be read before.';

create function fsm_internal.make_durable()
returns boolean
language sql
volatile
return current_setting('synchronous_commit') not in ('off', 'local', 'remote_write')
  or set_config('synchronous_commit', 'on', true) = 'on';
comment on function fsm_internal.make_durable() is
  'Sees to it that the commit of this transaction waits until it is durable, whatever the caller''s session is set to; true. It only raises: remote_apply stays.';
