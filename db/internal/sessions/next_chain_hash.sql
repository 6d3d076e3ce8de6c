create function fsm_internal.next_chain_hash(
  p_session fsm_internal.locked_session, p_write fsm_internal.pending_write,
  p_loop_detected boolean, p_entered_at timestamptz, p_at timestamptz)
returns bytea
language plpgsql
volatile
as $$
begin
  return fsm_internal.chain_hash(
    (select h.chain_hash from fsm_internal.history h where h.session_id = p_session.session_id and h.version = p_session.version),
    fsm_internal.chain_columns((p_session.session_id, p_session.version + 1, p_write.kind, p_session.machine_version, p_session.state,
      p_write.to_state, p_write.event, p_write.actor, session_user, p_write.note, p_write.request_id, p_loop_detected,
      p_at, p_entered_at, p_write.undo, null, null)::fsm_internal.history),
    p_write.context);
end
$$;
comment on function fsm_internal.next_chain_hash(fsm_internal.locked_session, fsm_internal.pending_write, boolean, timestamptz, timestamptz) is
  'The hash of the history row that a write is about to make, for machines with meta.audit "chain".';

create function fsm_internal.chain_hash(p_previous bytea, p_columns jsonb, p_context jsonb)
returns bytea
language sql
immutable
return sha256(coalesce(p_previous, '') || sha256(convert_to(p_columns::text, 'UTF8')) || sha256(convert_to(p_context::text, 'UTF8')));
comment on function fsm_internal.chain_hash(bytea, jsonb, jsonb) is
  'One link of the hash chain: sha256 of the hash before, sha256 of the row''s columns as a JSON array (in the order of the table, times as seconds since the epoch), and sha256 of the context''s text after the write.';

create function fsm_internal.chain_columns(p_line fsm_internal.history)
returns jsonb
language sql
stable
return jsonb_build_array(p_line.session_id, p_line.version, p_line.kind::text, p_line.machine_version, p_line.from_state,
  p_line.to_state, p_line.event, p_line.actor, p_line.db_user, p_line.note, p_line.request_id, p_line.loop_detected,
  extract(epoch from p_line.at), extract(epoch from p_line.entered_at), p_line.undo);
comment on function fsm_internal.chain_columns(fsm_internal.history) is 'The columns of a row of history as its hash covers them.';
