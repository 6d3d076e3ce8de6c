-- The hot row. The state stands here and nowhere else. No index but the primary key: every other column changes at a
-- transition, and an index on one of them would end HOT updates. Half a page is left free for the next row version, and
-- a context that fits into the other half stays there uncompressed.
create table fsm_internal.sessions (
  session_id text collate "C" not null,
  machine text collate "C" not null,
  machine_version integer not null,
  state text collate "C" not null,
  version bigint not null,
  context fsm_internal.context_object not null,
  entered_at timestamptz not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  turn bigint,
  wake_at timestamptz,
  constraint sessions_pkey primary key (session_id),
  constraint sessions_machine_version_fkey foreign key (machine, machine_version)
    references fsm_internal.machine_versions (machine, machine_version)
) with (fillfactor = 50, toast_tuple_target = 4080);
comment on table fsm_internal.sessions is 'One row per session: its present state, version and context.';
comment on column fsm_internal.sessions.state is
  'A state of (machine, machine_version). Decided by the functions, not by a foreign key: the key would lock the same definition row in every transition of every session.';
comment on column fsm_internal.sessions.turn is
  'The token of the turn that was begun last, null before the first: the counter that a crash must not lose. Whether that turn is still held, fsm_internal.turns says.';
comment on column fsm_internal.sessions.wake_at is
  'When fsm.fire_deadlines will look at this session: never later than its next deadline, unless that was tried and refused. Null: not at all. The same time stands in fsm_internal.deadlines.';
comment on column fsm_internal.sessions.context is 'Read and written through fsm_internal.read_context and fsm_internal.write_context only.';
