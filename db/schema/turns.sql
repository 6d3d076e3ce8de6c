-- Unlogged: a crash of the server empties it, and a standby that takes over has none of it. So a turn never outlives the server that gave it,
-- and a holder that does not know is refused. The counter must not be lost and stands in sessions.turn.
create unlogged table fsm_internal.turns (
  session_id text collate "C" not null,
  turn bigint not null,
  holder text not null,
  request_id uuid,
  begun_at timestamptz not null,
  expires_at timestamptz not null,
  constraint turns_pkey primary key (session_id)
);
comment on table fsm_internal.turns is 'The turn that was begun last on each session. It is held until expires_at by the clock of the database.';
comment on column fsm_internal.turns.turn is 'The fencing token. Rises per session, and says nothing across sessions.';
comment on column fsm_internal.turns.request_id is 'Of the call that began it: asked again, it gives the same turn.';
comment on column fsm_internal.turns.expires_at is '-infinity once it was ended.';
