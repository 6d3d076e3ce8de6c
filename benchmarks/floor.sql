-- What an engineer would write by hand to keep a session and its history, with nothing checked: the floor
-- that a full save is held against.
create schema floor;
create table floor.sessions (
  session_id text primary key,
  machine text not null,
  machine_version integer not null,
  state text not null,
  version bigint not null,
  context jsonb not null,
  entered_at timestamptz not null,
  created_at timestamptz not null,
  updated_at timestamptz not null
) with (fillfactor = 50);
create table floor.history (
  session_id text not null,
  version bigint not null,
  kind text not null,
  from_state text,
  to_state text not null,
  event text,
  actor text,
  db_user text not null,
  at timestamptz not null,
  primary key (session_id, version)
);
