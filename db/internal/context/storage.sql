-- How a context is stored stands behind this pair. Both are inlined; today the stored form is the context itself.
create function fsm_internal.read_context(p_session_id text, p_stored jsonb)
returns jsonb
language sql
immutable
return p_stored;
comment on function fsm_internal.read_context(text, jsonb) is 'The context of a session, given what sessions.context holds.';

create function fsm_internal.write_context(p_session_id text, p_context jsonb)
returns jsonb
language sql
immutable
return p_context;
comment on function fsm_internal.write_context(text, jsonb) is 'What to put into sessions.context for a context.';
