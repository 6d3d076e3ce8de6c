-- Append-only: one row per acknowledged write. The context before the write is kept as an undo record, so the present is
-- always whole, the past is rebuilt backwards, and the oldest end can be cut off.
create table fsm_internal.history (
  session_id text collate "C" not null,
  version bigint not null,
  kind fsm_internal.history_kind not null,
  machine_version integer not null,
  from_state text collate "C",
  to_state text collate "C" not null,
  event text collate "C",
  actor text,
  db_user text not null,
  note jsonb,
  request_id uuid,
  loop_detected boolean not null,
  at timestamptz not null,
  entered_at timestamptz not null,
  undo jsonb,
  chain_hash bytea,
  feed_position bigint not null default txid_current(),
  constraint history_pkey primary key (session_id, version)
);
comment on table fsm_internal.history is 'What happened to each session, a row per version. Never updated; rows go only with their session or by retention from the oldest end.';
comment on column fsm_internal.history.undo is
  'How to get from this version''s context to the one before: {"set": {key: old value}, "cut": {key: old length of an array that only grew}, "drop": [new keys]}. Null: the context did not change.';
comment on column fsm_internal.history.chain_hash is
  'For machines with meta.audit "chain": sha256 over the hash before, this row''s columns but feed_position, and sha256 of the context''s text after the write.';
comment on column fsm_internal.history.feed_position is
  'Where fsm.changes shows the row: the id of the transaction that wrote it, above the base of its epoch (fsm_internal.feed_epochs). A column default, so that a write need not look the base up.';

-- A request id is applied at most once while its history is kept.
create unique index history_request_once on fsm_internal.history (session_id, request_id) where request_id is not null;
-- Loop detection reads the last passages of one transition and no more, however long the history is.
create index history_passages on fsm_internal.history (session_id, from_state, to_state, version)
  where kind in ('transition', 'deadline');
-- fsm.changes reads from a position on; the newest end is what metrics look at.
create index history_feed on fsm_internal.history (feed_position);

-- Where retention cut a history: without this an edit by the owner could pass for it.
create table fsm_internal.history_cuts (
  session_id text collate "C" not null,
  version bigint not null,
  chain_hash bytea,
  cut_at timestamptz not null,
  constraint history_cuts_pkey primary key (session_id)
);
comment on table fsm_internal.history_cuts is 'The newest version of each session that fsm.trim_history removed. The oldest retained one is the next.';
comment on column fsm_internal.history_cuts.chain_hash is 'The hash of that version, which the next one''s hash covers.';
