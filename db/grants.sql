-- Who may do what. PUBLIC may do nothing (schemas.sql); no role but the owner reaches a table.
grant usage on schema fsm to fsm_app, fsm_reader, fsm_monitor, fsm_admin;

-- The runtime: moves sessions, never changes machines.
grant execute on function
  fsm.create_session, fsm.load_session, fsm.load_sessions, fsm.save_session, fsm.send_event, fsm.update_context,
  fsm.history, fsm.load_session_at, fsm.allowed_events, fsm.validate_context, fsm.detect_loop,
  fsm.machine_definition, fsm.check_machine, fsm.schema_release
to fsm_app;

-- Support and reports: the reading ones of these.
grant execute on function
  fsm.load_session, fsm.load_sessions, fsm.history, fsm.load_session_at, fsm.allowed_events, fsm.validate_context,
  fsm.detect_loop, fsm.machine_definition, fsm.check_machine, fsm.schema_release
to fsm_reader;

grant execute on function fsm.schema_release to fsm_monitor;

-- Everything.
grant execute on all functions in schema fsm to fsm_admin;
