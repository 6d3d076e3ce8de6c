create view fsm.sessions as
select
  s.session_id, s.machine, s.machine_version, s.state, s.version, t.context_version, t.is_final, s.entered_at, s.created_at, s.updated_at
from fsm_internal.sessions s
left join fsm_internal.machine_states t
  on s.machine = t.machine and s.machine_version = t.machine_version and s.state = t.state;
comment on view fsm.sessions is 'Every session as it is now, without its context.';
comment on column fsm.sessions.version is 'How many writes of this session were acknowledged: 1 at creation.';
comment on column fsm.sessions.context_version is 'meta.context_version of the machine version: which form the context has. Null: the machine version has no such state.';
comment on column fsm.sessions.is_final is 'Null: the machine version has no such state, and loading the session is SM060.';
comment on column fsm.sessions.entered_at is 'When the present stay in the state began; its deadlines count from here.';
