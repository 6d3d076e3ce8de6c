-- Who may do what. PUBLIC may do nothing (schemas.sql); no role but the owner reaches a table.
grant usage on schema fsm to fsm_app, fsm_reader, fsm_monitor, fsm_admin;

-- The runtime: moves sessions, never changes machines, never erases.
grant execute on function
  fsm.create_session, fsm.load_session, fsm.load_sessions, fsm.save_session, fsm.save_sessions, fsm.send_event, fsm.update_context,
  fsm.fork_session, fsm.rollback_session, fsm.history, fsm.load_session_at, fsm.allowed_events, fsm.validate_context, fsm.detect_loop,
  fsm.load_context, fsm.list_sessions, fsm.session_as_of, fsm.diff_session, fsm.diagram,
  fsm.begin_turn, fsm.extend_turn, fsm.end_turn, fsm.fire_deadlines,
  fsm.machine_definition, fsm.check_machine, fsm.schema_release
to fsm_app;

-- Support and reports: the reading ones of these.
grant execute on function
  fsm.load_session, fsm.load_sessions, fsm.history, fsm.load_session_at, fsm.allowed_events, fsm.validate_context,
  fsm.load_context, fsm.list_sessions, fsm.session_as_of, fsm.diff_session, fsm.diagram,
  fsm.looping_sessions, fsm.stuck_sessions, fsm.audit_head, fsm.verify_sessions, fsm.changes,
  fsm.detect_loop, fsm.machine_definition, fsm.check_machine, fsm.schema_release
to fsm_reader;

grant execute on function fsm.metrics, fsm.doctor, fsm.looping_sessions, fsm.stuck_sessions, fsm.schema_release to fsm_monitor;

-- The views show no context; what a table of ours holds beyond that, nobody reads.
grant select on table fsm.sessions, fsm.machines, fsm.transition_counts, fsm.active_turns to fsm_reader, fsm_monitor, fsm_admin;

-- The quarantine shows originals, and with them what people said.
grant select on table fsm.quarantine to fsm_admin;

-- Everything.
grant execute on all functions in schema fsm to fsm_admin;
