-- What was imported from other stores, original by original. A session is judged by all of its originals in a batch, so they are kept with
-- what was read of them: an original that comes in a later call is weighed with those of the calls before.
create table fsm_internal.import_items (
  batch uuid not null,
  digest bytea not null,
  source text not null,
  session_id text collate "C" not null,
  target text collate "C",
  machine text collate "C" not null,
  data jsonb,
  problem text,
  original text not null,
  outcome text not null,
  code text,
  message text,
  version bigint,
  at timestamptz not null,
  undone boolean not null default false,
  constraint import_items_pkey primary key (batch, digest)
);
comment on table fsm_internal.import_items is 'The originals of every import, whatever became of them. They go with their session''s erasure, or with fsm.purge_import.';
comment on column fsm_internal.import_items.digest is 'sha256 over source, session_id and original: the same original again is the same row.';
comment on column fsm_internal.import_items.session_id is 'The id in the source, which need not be one that a session can have.';
comment on column fsm_internal.import_items.target is 'The session that the original tells of; null when it can be none.';
comment on column fsm_internal.import_items.version is 'The version of the session that this original had a part in last; null: none.';
comment on column fsm_internal.import_items.undone is 'fsm.undo_import took the batch back. The original is kept; importing it again begins anew.';
create index import_items_target on fsm_internal.import_items (target);
-- An id of a source may be longer than what fits into an index.
create index import_items_session on fsm_internal.import_items (left(session_id, 600));

create type fsm_internal.import_item as (
  digest bytea,
  source text,
  session_id text,
  target text,
  machine text,
  data jsonb,
  problem text,
  original text,
  is_given boolean,
  is_kept boolean
);
comment on type fsm_internal.import_item is 'One original. is_given: this call of fsm.import_sessions brought it; is_kept: its batch has it already.';

create type fsm_internal.legacy_reading as (
  source text,
  session_id text,
  is_row boolean,
  problem text,
  message text,
  context jsonb,
  state text,
  generation text,
  context_at timestamp,
  context_warnings text[],
  chat jsonb,
  title text,
  rest jsonb,
  pending jsonb,
  message_count integer,
  changed_at timestamp,
  times jsonb,
  warnings text[],
  lost jsonb
);
comment on type fsm_internal.legacy_reading is
  'What one original of the old stores says. is_row: of the table, not of the file store. problem: why it cannot be trusted. context, state, generation, context_at and context_warnings are of its contract (context null: it has none). changed_at: when it was written last, by its own clock. lost: what was left behind, for the note.';

create type fsm_internal.import_verdict as (
  outcome text,
  code text,
  message text,
  state text,
  context jsonb,
  note jsonb
);
comment on type fsm_internal.import_verdict is 'What becomes of a session: outcome, code and message as fsm.import_sessions reports them; state and context when it is imported.';
