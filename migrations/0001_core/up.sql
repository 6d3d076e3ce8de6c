-- install.sql
-- Installs fsmstore into the database that psql is connected to, in one transaction:
--   psql -1 -v ON_ERROR_STOP=1 -f db/install.sql
-- PostgreSQL 14 to 18, no extension. The role needs CREATE on the database and superuser or CREATEROLE.
-- The order is that of use: a function in SQL stands after what it calls.

-- roles.sql
-- Roles are cluster-wide and shared by every database that holds fsmstore: created if missing, never dropped.
-- The installer needs CREATE on the database and either superuser or CREATEROLE.
do $roles$
declare
  v_role text;
  v_me text := current_user;
begin
  if not pg_catalog.has_database_privilege(v_me, pg_catalog.current_database(), 'CREATE') then
    raise exception using errcode = '42501',
      message = 'the installer may not create schemas in this database',
      detail = pg_catalog.jsonb_build_object('role', v_me, 'database', pg_catalog.current_database(), 'missing', 'CREATE'),
      hint = pg_catalog.format('As the owner of the database: grant create on database %I to %I;', pg_catalog.current_database(), v_me);
  end if;
  if pg_catalog.getdatabaseencoding() <> 'UTF8' then
    raise exception using errcode = '0A000',
      message = 'fsmstore needs a database with encoding UTF8',
      detail = pg_catalog.jsonb_build_object('database', pg_catalog.current_database(), 'encoding', pg_catalog.getdatabaseencoding()),
      hint = 'Create one: create database NAME encoding ''UTF8'' template template0;';
  end if;
  foreach v_role in array array['fsm_owner', 'fsm_app', 'fsm_reader', 'fsm_monitor', 'fsm_admin'] loop
    if not exists (select from pg_catalog.pg_roles r where r.rolname = v_role) then
      if not (select r.rolsuper or r.rolcreaterole from pg_catalog.pg_roles r where r.rolname = v_me) then
        raise exception using errcode = '42501',
          message = 'the installer may not create the roles of fsmstore',
          detail = pg_catalog.jsonb_build_object('role', v_me, 'missing', 'CREATEROLE', 'role_to_create', v_role),
          hint = pg_catalog.format('As a superuser: alter role %I createrole; or install as a superuser.', v_me);
      end if;
      begin
        execute pg_catalog.format('create role %I nologin', v_role);
      exception when duplicate_object or unique_violation then
        null;  -- another database of this cluster is being installed at this moment and was first
      end;
    end if;
  end loop;
end
$roles$;

-- owner_begin.sql
-- Makes the installer able to act as fsm_owner until owner_end.sql, so that every object belongs to fsm_owner from its
-- first moment. Each release's migration, up and down, stands between the two, in one transaction.
do $owner$
declare
  v_me text := current_user;
  v_super boolean := (select r.rolsuper from pg_catalog.pg_roles r where r.rolname = current_user);
  v_16 boolean := pg_catalog.current_setting('server_version_num')::int >= 160000;  -- memberships have options since 16
begin
  -- A superuser may set any role. Anyone else grants itself the owner, in a way that the end of the
  -- transaction (owner_end.sql) can take back without touching a membership that was there before.
  perform pg_catalog.set_config('fsmstore.granted_owner', 'no', true);
  if not v_super and not pg_catalog.pg_has_role(v_me, 'fsm_owner',
       case when v_16 then 'SET' else 'MEMBER' end) then
    if v_16 and not exists (
      select from pg_catalog.pg_auth_members m
      where m.roleid = 'fsm_owner'::pg_catalog.regrole and m.member = v_me::pg_catalog.regrole and m.admin_option) then
      raise exception using errcode = '42501',
        message = 'the installer may not become fsm_owner, which another role created',
        detail = pg_catalog.jsonb_build_object('role', v_me, 'missing', 'ADMIN option on fsm_owner'),
        hint = pg_catalog.format('As a superuser: grant fsm_owner to %I with admin option; or install as a superuser.', v_me);
    end if;
    if not v_16 and not (select r.rolcreaterole from pg_catalog.pg_roles r where r.rolname = v_me) then
      raise exception using errcode = '42501',
        message = 'the installer may not become fsm_owner',
        detail = pg_catalog.jsonb_build_object('role', v_me, 'missing', 'CREATEROLE, or membership in fsm_owner'),
        hint = pg_catalog.format('As a superuser: grant fsm_owner to %I; or alter role %I createrole; or install as a superuser.', v_me, v_me);
    end if;
    execute pg_catalog.format(
      case when v_16 then 'grant fsm_owner to %I with inherit true, set true' else 'grant fsm_owner to %I' end, v_me);
    perform pg_catalog.set_config('fsmstore.granted_owner', 'yes', true);
  end if;
end
$owner$;

-- guard
-- Not twice, whoever runs this file: the migration records itself in the transaction that changes the schema.
set local role fsm_owner;
do $guard$
declare
  v_recorded boolean := false;
begin
  if pg_catalog.to_regclass('fsm_internal.releases') is not null then
    v_recorded := exists (select from fsm_internal.releases r where r.migration = '0001_core');
  end if;
  if v_recorded  then
    raise exception using errcode = 'SM071',
      message = 'this migration is applied already',
      detail = pg_catalog.jsonb_build_object('migration', '0001_core'),
      hint = 'Nothing was changed. The applied releases are in fsm_internal.releases.';
  end if;
end
$guard$;
reset role;

-- schema/schemas.sql
create schema fsm authorization fsm_owner;
create schema fsm_internal authorization fsm_owner;

-- From here to owner_end.sql everything is made by, and so belongs to, fsm_owner.
set local role fsm_owner;

-- PostgreSQL lets PUBLIC execute every new function and use every new type. Only the global form of these statements takes that away; the form
-- "in schema" does nothing. It stays, so that no later release can forget it; grants.sql says who may do what.
alter default privileges for role fsm_owner revoke execute on functions from public;
alter default privileges for role fsm_owner revoke usage on types from public;

comment on schema fsm is
  'fsmstore: sessions of finite-state machines. The interface: every function and view that an application, a client or a DBA uses.';
comment on schema fsm_internal is
  'fsmstore: tables and helpers behind schema fsm. Nobody''s interface: no role but fsm_owner may use it, and it changes without notice.';

-- schema/releases.sql
create table fsm_internal.releases (
  migration text not null,
  release text not null,
  applied_at timestamptz not null default clock_timestamp(),
  constraint releases_pkey primary key (migration),
  constraint releases_names_not_empty check (migration <> '' and release <> '')
);
comment on table fsm_internal.releases is
  'One row per release step of the schema, written in the same transaction as its DDL, so that a migration tool that died before its own mark can tell.';

-- What the doctor compares with: a function that somebody weakened works, and nobody notices.
create table fsm_internal.installed_parts (
  part text not null,
  check_name text not null,
  digest text not null,
  parsed_by integer,
  constraint installed_parts_pkey primary key (part)
);
comment on table fsm_internal.installed_parts is 'What fsm_internal.part_digests gave at the end of the last release step.';
comment on column fsm_internal.installed_parts.parsed_by is 'The major version of the server that printed it for the digest; null when nothing had to be printed.';

-- schema/domains.sql
-- What a single value must be. Domains and not table checks, because PostgreSQL parses each check of a table anew in every
-- statement that writes to it (a dozen of them cost more than the write), and caches those of a domain.
create domain fsm_internal.context_object as jsonb
  constraint context_is_object check (jsonb_typeof(value) = 'object')
  constraint state_not_in_context check (not value ?| array['current_state', 'session_id']);
comment on domain fsm_internal.context_object is 'A context as it is stored: an object that repeats neither the state nor the id.';

create domain fsm_internal.history_kind as text
  constraint history_kind_known check (
    value in ('create', 'transition', 'update', 'rollback', 'upgrade', 'import', 'deadline', 'divert', 'fork'));
comment on domain fsm_internal.history_kind is 'What made a version.';

-- schema/steps.sql
-- What the steps of one write hand to each other. Never stored, never seen outside fsm_internal.
create type fsm_internal.locked_session as (
  session_id text,
  machine text,
  machine_version integer,
  state text,
  version bigint,
  context jsonb,
  entered_at timestamptz,
  created_at timestamptz,
  updated_at timestamptz,
  turn bigint,
  wake_at timestamptz
);
comment on type fsm_internal.locked_session is 'A session as it stands under its lock.';

create type fsm_internal.admission as (
  is_final boolean,
  context_version integer,
  max_context_bytes bigint,
  audit_chain boolean,
  first_delay_ms bigint,
  schema_check jsonpath,
  schema_rest jsonb,
  invariants jsonpath[]
);
comment on type fsm_internal.admission is 'What entering a state asks of a context, and what it says of the session: the columns of machine_states.';

create type fsm_internal.passage_rule as (
  loop_limit integer,
  loop_window interval,
  loop_action text,
  divert_to text,
  passage_at timestamptz,
  reenter boolean
);
comment on type fsm_internal.passage_rule is
  'The rule of a transition, null without one, and when its loop_limit-th last passage was: a passage within loop_window after that is a loop. reenter: whether it enters its target anew.';

create type fsm_internal.pending_write as (
  kind text,
  to_state text,
  event text,
  context jsonb,
  undo jsonb,
  reenter boolean,
  request_id uuid,
  actor text,
  note jsonb
);
comment on type fsm_internal.pending_write is 'A write whose transition and guard are settled; loop, schema and invariant are still to be judged.';

create type fsm_internal.outcome as (
  session_id text,
  machine text,
  machine_version integer,
  version bigint,
  state text,
  previous_state text,
  changed_state boolean,
  loop_detected boolean,
  replayed boolean,
  is_final boolean,
  context_version integer,
  entered_at timestamptz,
  created_at timestamptz,
  saved_at timestamptz,
  context jsonb,
  refusal jsonb
);
comment on type fsm_internal.outcome is
  'What a write came to: the columns of the API''s save_result, the context as saved where the API answers it, or the refusal (fsm_internal.refusal) and nothing else.';

create type fsm_internal.context_change as (
  keys text[],
  undo jsonb
);
comment on type fsm_internal.context_change is 'From one context to the next: the keys that are new or differ, and the undo record (null: none does).';

create type fsm_internal.batch_item as (
  session_id text,
  state text,
  context jsonb,
  expected_version bigint,
  event text,
  request_id uuid,
  turn bigint,
  actor text,
  note jsonb,
  refusal jsonb
);
comment on type fsm_internal.batch_item is 'One save of a batch, or what is wrong with its arguments.';

-- schema/machines.sql
-- A machine version is immutable: define_machine writes its rows once, in one transaction, and nothing updates
-- them but retire_machine (the column retired). The definition is the source; the other tables are its compiled form, so that a
-- save finds all it needs by primary key. On a distributed engine they are replicated whole to every node.
create table fsm_internal.machine_versions (
  machine text collate "C" not null,
  machine_version integer not null,
  definition jsonb not null,
  context_version integer not null,
  retired boolean not null default false,
  created_at timestamptz not null,
  created_by text not null,
  constraint machine_versions_pkey primary key (machine, machine_version),
  constraint machine_versions_name_length check (octet_length(machine) between 1 and 512),
  constraint machine_versions_counted_from_one check (machine_version >= 1),
  constraint machine_versions_definition_names_it check (definition ->> 'id' = machine)
);
comment on table fsm_internal.machine_versions is 'Every version of every machine as it was defined. Immutable but for retired.';
comment on column fsm_internal.machine_versions.created_by is 'session_user of the definer.';

-- What a context must satisfy to be saved in a state. The limits and the schema are the machine's; they are kept
-- beside each state because a save then reads one row instead of two.
create table fsm_internal.machine_states (
  machine text collate "C" not null,
  machine_version integer not null,
  state text collate "C" not null,
  is_initial boolean not null,
  is_final boolean not null,
  context_version integer not null,
  max_context_bytes bigint not null,
  audit_chain boolean not null,
  first_delay_ms bigint,
  invariants jsonpath[] not null,
  schema_check jsonpath,
  schema_rest jsonb,
  constraint machine_states_pkey primary key (machine, machine_version, state),
  constraint machine_states_version_fkey foreign key (machine, machine_version)
    references fsm_internal.machine_versions (machine, machine_version),
  constraint machine_states_name_length check (octet_length(state) between 1 and 128),
  constraint machine_states_limit_positive check (max_context_bytes >= 2),
  constraint machine_states_initial_is_open check (not (is_initial and is_final))
) with (toast_tuple_target = 8160);
comment on table fsm_internal.machine_states is 'The states of each machine version with what is checked on entering them.';
comment on column fsm_internal.machine_states.first_delay_ms is 'The shortest delay of the state''s deadlines; null: it has none.';
comment on column fsm_internal.machine_states.invariants is 'Predicates that must all hold for a context saved in this state, in the order of the definition.';
comment on column fsm_internal.machine_states.schema_check is
  'meta.context_schema compiled to one predicate, null without a schema: true exactly for valid contexts, except for what schema_rest says.';
comment on column fsm_internal.machine_states.schema_rest is
  'Null when schema_check says everything; otherwise what jsonpath cannot express, for fsm_internal.schema_rest_holds.';
create unique index machine_states_one_initial on fsm_internal.machine_states (machine, machine_version) where is_initial;

-- One row per candidate of every event of every non-final state; the root's "on" is written out per state.
create table fsm_internal.machine_candidates (
  machine text collate "C" not null,
  machine_version integer not null,
  from_state text collate "C" not null,
  event text collate "C" not null,
  candidate integer not null,
  to_state text collate "C" not null,
  guard jsonpath,
  guard_source text,
  reenter boolean not null,
  loop_limit integer,
  loop_window interval,
  loop_action text,
  divert_to text collate "C",
  constraint machine_candidates_pkey primary key (machine, machine_version, from_state, event, candidate),
  constraint machine_candidates_from_fkey foreign key (machine, machine_version, from_state)
    references fsm_internal.machine_states (machine, machine_version, state),
  constraint machine_candidates_to_fkey foreign key (machine, machine_version, to_state)
    references fsm_internal.machine_states (machine, machine_version, state),
  constraint machine_candidates_divert_fkey foreign key (machine, machine_version, divert_to)
    references fsm_internal.machine_states (machine, machine_version, state),
  constraint machine_candidates_event_length check (octet_length(event) between 1 and 128),
  constraint machine_candidates_counted_from_one check (candidate >= 1),
  constraint machine_candidates_guard_has_source check ((guard is null) = (guard_source is null)),
  constraint machine_candidates_loop_action check (loop_action in ('log', 'block', 'divert')),
  constraint machine_candidates_loop_whole check (
    num_nulls(loop_limit, loop_window, loop_action) in (0, 3) and loop_limit >= 1 and loop_window > interval '0'
    and (loop_action is not distinct from 'divert') = (divert_to is not null))
);
comment on table fsm_internal.machine_candidates is
  'Candidates in the order in which their guards are tried. Loop columns are null where loop detection is off for the transition.';

-- The same by pair of states: what a save from one state to another has to try. One row per pair that some event leads to,
-- and one (state, state) row for every state.
create table fsm_internal.machine_moves (
  machine text collate "C" not null,
  machine_version integer not null,
  from_state text collate "C" not null,
  to_state text collate "C" not null,
  events text[] not null,
  candidates integer[] not null,
  hits boolean[] not null,
  guards jsonpath[] not null,
  loop_limit integer,
  loop_window interval,
  loop_action text,
  divert_to text collate "C",
  same_rule boolean not null,
  target fsm_internal.admission not null,
  constraint machine_moves_pkey primary key (machine, machine_version, from_state, to_state),
  constraint machine_moves_from_fkey foreign key (machine, machine_version, from_state)
    references fsm_internal.machine_states (machine, machine_version, state),
  constraint machine_moves_to_fkey foreign key (machine, machine_version, to_state)
    references fsm_internal.machine_states (machine, machine_version, state),
  constraint machine_moves_aligned check (
    cardinality(events) = cardinality(candidates) and cardinality(events) = cardinality(hits) and cardinality(events) = cardinality(guards))
) with (toast_tuple_target = 8160);
comment on table fsm_internal.machine_moves is
  'Per pair of states the candidates that decide whether a save may make this move: every candidate, up to the last one that leads to to_state, of each event that has one leading there; by event name (collate "C"), then in order.';
comment on column fsm_internal.machine_moves.hits is 'True where the candidate leads to to_state, false where an earlier candidate would win and go elsewhere.';
comment on column fsm_internal.machine_moves.guards is 'The guard of each candidate; null where there is none.';
comment on column fsm_internal.machine_moves.target is
  'The terms of to_state, copied from machine_states, so that a save finds move and target in one row.';
comment on column fsm_internal.machine_moves.same_rule is
  'True when every hit has the loop rule of this row and none of a (state, state) pair re-enters: then the candidate''s own row need not be read.';

create table fsm_internal.machine_delays (
  machine text collate "C" not null,
  machine_version integer not null,
  state text collate "C" not null,
  delay_ms bigint not null,
  to_state text collate "C" not null,
  loop_limit integer,
  loop_window interval,
  loop_action text,
  divert_to text collate "C",
  constraint machine_delays_pkey primary key (machine, machine_version, state, delay_ms),
  constraint machine_delays_state_fkey foreign key (machine, machine_version, state)
    references fsm_internal.machine_states (machine, machine_version, state),
  constraint machine_delays_to_fkey foreign key (machine, machine_version, to_state)
    references fsm_internal.machine_states (machine, machine_version, state),
  constraint machine_delays_up_to_ten_years check (delay_ms between 1 and 315576000000),
  constraint machine_delays_divert_fkey foreign key (machine, machine_version, divert_to)
    references fsm_internal.machine_states (machine, machine_version, state)
);
comment on table fsm_internal.machine_delays is 'Durable deadlines ("after" of a state): milliseconds since the state was entered, and where they lead. The loop rule is the machine''s.';

-- schema/sessions.sql
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

-- schema/feed.sql
-- The feed (fsm.changes) is ordered by the id of the writing transaction: below the oldest one that is still running
-- nothing can come any more, so nothing is skipped. Ids belong to a cluster: after a restore into another one they would begin
-- anew, so each cluster's ids stand above a base of their own. It is written into the defaults of the columns feed_position by
-- fsm.new_feed_epoch.
create table fsm_internal.feed_epochs (
  epoch integer not null,
  base bigint not null,
  system_identifier text not null,
  timeline integer not null,
  began_at timestamptz not null,
  constraint feed_epochs_pkey primary key (epoch),
  constraint feed_epochs_base_of_epoch check (epoch between 1 and 32767 and base = (epoch - 1)::bigint << 48)
);
comment on table fsm_internal.feed_epochs is 'The clusters that the history was written in, one after the other; the newest is the present one.';
comment on column fsm_internal.feed_epochs.base is 'What is added to the id of a transaction to give its position in the feed: 2^48 for each epoch before, which no cluster''s ids reach.';
comment on column fsm_internal.feed_epochs.system_identifier is 'Of the cluster, from pg_control_system(): a copy restored elsewhere finds another there.';
comment on column fsm_internal.feed_epochs.timeline is 'Of the cluster, from pg_control_checkpoint(): a server that took over, or was recovered to a point in time, has a higher one.';
insert into fsm_internal.feed_epochs (epoch, base, system_identifier, timeline, began_at)
select 1, 0, s.system_identifier::text, c.timeline_id, pg_catalog.clock_timestamp()
from pg_catalog.pg_control_system() s, pg_catalog.pg_control_checkpoint() c;

-- What is left of an erased session.
create table fsm_internal.deleted_sessions (
  session_id text collate "C" not null,
  at timestamptz not null,
  version bigint not null,
  state text collate "C" not null,
  turn bigint,
  feed_position bigint not null default txid_current(),
  constraint deleted_sessions_pkey primary key (session_id, at)
);
comment on table fsm_internal.deleted_sessions is 'The delete lines of fsm.changes: that a session was erased, and in which version and state it was.';
comment on column fsm_internal.deleted_sessions.turn is 'The session''s last turn token, so that a session made anew under the same id goes on above it.';
create index deleted_sessions_feed on fsm_internal.deleted_sessions (feed_position);

-- schema/history.sql
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

-- schema/turns.sql
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

-- schema/deadlines.sql
-- When fsm.fire_deadlines has to look at which session. What is due is always worked out anew from the session under its lock; a row here only
-- says when to look, and may be too early (the session went on meanwhile), never too late. So a transition between states with
-- deadlines need not write here: sessions.wake_at tells it that somebody will look soon enough.
create table fsm_internal.deadlines (
  session_id text collate "C" not null,
  wake_at timestamptz not null,
  refusals integer not null default 0,
  fired_ms bigint,
  fired_entered_at timestamptz,
  constraint deadlines_pkey primary key (session_id),
  constraint deadlines_refusals_counted check (refusals >= 0),
  constraint deadlines_fired_whole check ((fired_ms is null) = (fired_entered_at is null))
);
comment on table fsm_internal.deadlines is 'One row per session that has or had a deadline: when to look at it.';
comment on column fsm_internal.deadlines.wake_at is 'The same as sessions.wake_at. infinity: there is nothing to look for, but fired_ms is still to be remembered.';
comment on column fsm_internal.deadlines.refusals is 'How often in a row the deadline was refused; the pause until the next try doubles each time.';
comment on column fsm_internal.deadlines.fired_ms is
  'A deadline that leads to its own state has no other effect that tells it was fired: delays up to this one were, for the stay that began at fired_entered_at.';
create index deadlines_to_wake on fsm_internal.deadlines (wake_at);

-- schema/imports.sql
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

-- internal/common/refuse.sql
-- A refusal is a value until somebody raises it: a batch answers refusals as rows, without a subtransaction for each.
create function fsm_internal.refusal(p_sqlstate text, p_message text, p_detail jsonb, p_hint text)
returns jsonb
language sql
stable
return jsonb_build_object('sqlstate', p_sqlstate, 'message', p_message, 'detail', p_detail, 'hint', p_hint);
comment on function fsm_internal.refusal(text, text, jsonb, text) is
  'Why a rule says no, as {sqlstate, message, detail, hint}. p_message: a stable sentence without data; p_detail: a JSON object with the facts; p_hint: what to do next.';

create function fsm_internal.log_refusal(p_refusal jsonb)
returns void
language plpgsql
volatile
as $$
begin
  if p_refusal ->> 'sqlstate' = 'SM060' then
    raise log 'fsm.corrupt %', p_refusal -> 'detail';
  elsif p_refusal ->> 'sqlstate' like 'SM%' then
    -- Findings quote values of a context, and paths its keys: they stay out of the log.
    raise log 'fsm.refused %', (p_refusal - array['detail', 'hint']) || ((p_refusal -> 'detail') - array['findings', 'path']);
  end if;
end
$$;
comment on function fsm_internal.log_refusal(jsonb) is
  'Writes the line fsm.refused or fsm.corrupt to the server log, which outlives the rollback that an error brings. Misuse of an argument is not logged.';

create function fsm_internal.refuse(p_refusal jsonb)
returns void
language plpgsql
volatile
as $$
begin
  if p_refusal is null then
    return;
  end if;
  perform fsm_internal.log_refusal(p_refusal);
  raise exception using errcode = p_refusal ->> 'sqlstate', message = p_refusal ->> 'message',
    detail = (p_refusal -> 'detail')::text, hint = p_refusal ->> 'hint';
end
$$;
comment on function fsm_internal.refuse(jsonb) is 'The one place that raises what a rule says: writes the line to the server log, then raises. Null is no refusal and passes.';

create function fsm_internal.refuse(p_sqlstate text, p_message text, p_detail jsonb, p_hint text)
returns void
language plpgsql
volatile
as $$
begin
  perform fsm_internal.refuse(fsm_internal.refusal(p_sqlstate, p_message, p_detail, p_hint));
end
$$;
comment on function fsm_internal.refuse(text, text, jsonb, text) is 'Raises a refusal given by its parts.';

-- internal/common/arguments.sql
-- Every argument check exists once, as a refusal: a call raises it, a batch answers it for the item.
create function fsm_internal.null_refusal(p_argument text)
returns jsonb
language sql
stable
return fsm_internal.refusal('22004', 'argument must not be null', jsonb_build_object('argument', p_argument),
  'Give a value for ' || p_argument || '.');
comment on function fsm_internal.null_refusal(text) is 'The refusal 22004.';

create function fsm_internal.argument_refusal(p_argument text, p_message text, p_facts jsonb, p_hint text)
returns jsonb
language sql
stable
return fsm_internal.refusal('22023', p_message, jsonb_build_object('argument', p_argument) || p_facts, p_hint);
comment on function fsm_internal.argument_refusal(text, text, jsonb, text) is 'The refusal 22023. p_facts: more of the DETAIL object.';

create function fsm_internal.text_refusal(p_argument text, p_value text, p_max_bytes integer)
returns jsonb
language sql
stable
return case
  when p_value is null then fsm_internal.null_refusal(p_argument)
  when octet_length(p_value) not between 1 and p_max_bytes then
    fsm_internal.argument_refusal(p_argument, 'argument empty or too long',
      jsonb_build_object('bytes', octet_length(p_value), 'max_bytes', p_max_bytes),
      'Give ' || p_argument || ' between 1 and ' || p_max_bytes::text || ' bytes.') end;
comment on function fsm_internal.text_refusal(text, text, integer) is 'The refusal 22004 of null, 22023 of an empty text or one over p_max_bytes bytes; null: none.';

create function fsm_internal.at_most_refusal(p_argument text, p_number bigint, p_limit bigint, p_unit text)
returns jsonb
language sql
stable
return case when p_number > p_limit then
  fsm_internal.argument_refusal(p_argument, 'argument too large', jsonb_build_object(p_unit, p_number, 'limit', p_limit),
    'Give ' || p_argument || ' at most ' || p_limit::text || ' ' || p_unit || '.') end;
comment on function fsm_internal.at_most_refusal(text, bigint, bigint, text) is 'The refusal 22023 of a number over p_limit; null: none.';

create function fsm_internal.common_refusal(p_session_id text, p_actor text, p_note jsonb)
returns jsonb
language plpgsql
stable
as $$
declare
  v_refusal jsonb := coalesce(
    fsm_internal.text_refusal('p_session_id', p_session_id, 512),
    fsm_internal.at_most_refusal('p_actor', octet_length(p_actor), 512, 'bytes'));
begin
  if v_refusal is null and p_note is not null and (
    exists (select from fsm_internal.limit_findings(jsonb_build_object('note', p_note))) or fsm_internal.is_too_large(p_note, 65536))
  then
    return fsm_internal.argument_refusal('p_note', 'argument too large',
      jsonb_build_object('max_bytes', 65536, 'max_depth', 100, 'max_digits', 1000),
      'A note is for people, in a few words: put data into the context.');
  end if;
  return v_refusal;
end
$$;
comment on function fsm_internal.common_refusal(text, text, jsonb) is
  'What every write asks of its arguments: 22004 null session id; 22023 empty or over 512 bytes, actor over 512 bytes, note over 65,536 bytes of text, too deep or with numbers too long. Null: nothing wrong.';

create function fsm_internal.check_text(p_argument text, p_value text, p_max_bytes integer)
returns void
language plpgsql
stable
as $$
begin
  perform fsm_internal.refuse(fsm_internal.text_refusal(p_argument, p_value, p_max_bytes));
end
$$;
comment on function fsm_internal.check_text(text, text, integer) is 'Argument check: 22004 if null, 22023 if empty or over p_max_bytes bytes.';

create function fsm_internal.check_not_null(p_argument text, p_value anyelement)
returns void
language plpgsql
stable
as $$
begin
  if p_value is null then
    perform fsm_internal.refuse(fsm_internal.null_refusal(p_argument));
  end if;
end
$$;
comment on function fsm_internal.check_not_null(text, anyelement) is 'Argument check: 22004 if null.';

create function fsm_internal.check_at_most(p_argument text, p_number bigint, p_limit bigint, p_unit text)
returns void
language plpgsql
stable
as $$
begin
  perform fsm_internal.refuse(fsm_internal.at_most_refusal(p_argument, p_number, p_limit, p_unit));
end
$$;
comment on function fsm_internal.check_at_most(text, bigint, bigint, text) is 'Argument check: 22023 if p_number is over p_limit; null passes.';

create function fsm_internal.check_limit(p_limit bigint)
returns void
language plpgsql
stable
as $$
begin
  if p_limit < 1 then
    perform fsm_internal.refuse(fsm_internal.argument_refusal('p_limit', 'limit below 1', jsonb_build_object('value', p_limit),
      'Give p_limit 1 or more, or null for no limit.'));
  end if;
end
$$;
comment on function fsm_internal.check_limit(bigint) is 'Argument check: 22023 if p_limit is below 1; null is no limit and passes.';

create function fsm_internal.seconds_of(p_argument text, p_interval interval, p_max_seconds numeric, p_above_zero boolean default false)
returns numeric
language plpgsql
stable
as $$
declare
  -- In seconds at once: what a month is must not depend on the date it is added to.
  v_seconds numeric := case when isfinite(p_interval) then extract(epoch from p_interval) else p_max_seconds + 1 end;
begin
  perform fsm_internal.check_not_null(p_argument, p_interval);
  if v_seconds < 0 or v_seconds > p_max_seconds or (p_above_zero and v_seconds = 0) then
    perform fsm_internal.refuse(fsm_internal.argument_refusal(p_argument, 'interval out of range',
      jsonb_build_object('seconds', v_seconds, 'max_seconds', p_max_seconds),
      format('Give %s as an interval %s %s seconds.', p_argument, case when p_above_zero then 'above 0, of at most' else 'of 0 to' end, p_max_seconds)));
  end if;
  return v_seconds;
end
$$;
comment on function fsm_internal.seconds_of(text, interval, numeric, boolean) is
  'An interval in seconds, a month being 30 days. Argument check: 22004 if null, 22023 if negative, over p_max_seconds, or with p_above_zero zero.';

-- On the hot path one test for the usual case, inlined; which argument is wrong is found out after it failed.
create function fsm_internal.is_name(p_value text, p_max_bytes integer)
returns boolean
language sql
immutable
return (octet_length(p_value) between 1 and p_max_bytes) is true;
comment on function fsm_internal.is_name(text, integer) is 'True for a text of 1 to p_max_bytes bytes; false for null.';

create function fsm_internal.check_common_arguments(p_session_id text, p_actor text, p_note jsonb)
returns void
language plpgsql
stable
as $$
begin
  perform fsm_internal.refuse(fsm_internal.common_refusal(p_session_id, p_actor, p_note));
end
$$;
comment on function fsm_internal.check_common_arguments(text, text, jsonb) is
  'Argument check of every write, as fsm_internal.common_refusal says.';

-- internal/common/clock.sql
-- The one clock of every decision. Inlined, so that it costs what clock_timestamp() costs. Its owner, and nobody else, may replace it by
-- another one to try what happens when time is set back or runs ahead; fsm.doctor() finds that it is not the one that was installed.
create function fsm_internal.clock()
returns timestamptz
language sql
volatile
return clock_timestamp();
comment on function fsm_internal.clock() is
  'The time now, by the clock of the database. Unlike now() it goes on inside a transaction, so that what waited for a lock is not dated back.';

-- internal/machines/candidate_findings.sql
create function fsm_internal.candidate_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
stable
as $$
begin
  return query
    select k.* from fsm_internal.definition_candidates(p_definition) c
    cross join lateral fsm_internal.key_findings('transition', c.body, c.path) k
    where c.body - fsm_internal.definition_keys('transition') <> '{}';
  return query
    select 'error', v.code, c.path || v.suffix, v.message
    from fsm_internal.definition_candidates(p_definition) c
    cross join lateral (values
      (c.body is null, 'wrong_type', '', 'an event leads to a target, to an object with one, or to a list of these'),
      (not c.body ? 'target', 'no_target', '', 'a transition needs a target; to stay, name the state itself, or use fsm.update_context without any event'),
      (jsonb_typeof(c.body -> 'guard') = 'object', 'wrong_type', '.guard',
        'named guards and guard objects are not supported: a guard is a jsonpath predicate as a string'),
      (jsonb_typeof(c.body -> 'guard') not in ('string', 'object'), 'wrong_type', '.guard', 'a guard is a jsonpath predicate as a string'),
      (jsonb_typeof(c.body -> 'reenter') <> 'boolean', 'wrong_type', '.reenter', '"reenter" is true or false'),
      (jsonb_typeof(c.body -> 'meta') <> 'object', 'wrong_type', '.meta', '"meta" must be a JSON object')
    ) v (applies, code, suffix, message)
    where v.applies;
  return query
    select m.* from fsm_internal.definition_candidates(p_definition) c
    cross join lateral (
      select k.* from fsm_internal.key_findings('meta of a transition', c.body -> 'meta', c.path || '.meta') k
      union all
      select l.* from fsm_internal.loop_findings(c.body #> '{meta,loop}', c.path || '.meta.loop') l) m
    where jsonb_typeof(c.body -> 'meta') = 'object';
end
$$;
comment on function fsm_internal.candidate_findings(jsonb) is 'What is wrong with candidates, apart from where they lead and whether their guards are predicates.';

-- internal/machines/chosen_version.sql
create function fsm_internal.chosen_version(p_machine text, p_machine_version integer)
returns integer
language plpgsql
stable
as $$
declare
  v_version integer := (
    select v.machine_version from fsm_internal.machine_versions v
    where v.machine = p_machine
      and case when p_machine_version is null then not v.retired else v.machine_version = p_machine_version end
    order by v.machine_version desc limit 1);
begin
  if v_version is null then
    perform fsm_internal.refuse_unknown_machine(p_machine, p_machine_version);
  end if;
  return v_version;
end
$$;
comment on function fsm_internal.chosen_version(text, integer) is
  'p_machine_version, or the newest that is not retired when that is null. SM001 when there is none.';

-- internal/machines/deadline_findings.sql
create function fsm_internal.deadline_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
immutable
as $$
begin
  return query
    select 'error', 'bad_delay', fsm_internal.schema_path(s.path || '.after', a.delay),
      'a delay is written in whole milliseconds, from 1 to 315576000000 (ten years), without leading zeros'
    from fsm_internal.definition_states(p_definition) s
    cross join lateral jsonb_object_keys(fsm_internal.definition_object(s.body -> 'after')) a (delay)
    where case when a.delay ~ '^[1-9][0-9]{0,11}$' then a.delay::bigint > 315576000000 else true end;
  return query
    select 'error', v.code, d.path, v.message
    from fsm_internal.definition_deadlines(p_definition) d
    cross join lateral (values
      (d.body is null, 'wrong_type', 'a deadline leads to one target: a state, or an object with "target"'),
      (not d.body ? 'target', 'no_target', 'a deadline needs a target')
    ) v (applies, code, message)
    where v.applies;
  return query
    select k.* from fsm_internal.definition_deadlines(p_definition) d
    cross join lateral fsm_internal.key_findings('deadline', d.body, d.path) k
    where d.body - fsm_internal.definition_keys('deadline') <> '{}';
end
$$;
comment on function fsm_internal.deadline_findings(jsonb) is 'What is wrong with the entries of "after", apart from where they lead.';

-- internal/machines/definition_keys.sql
create function fsm_internal.definition_keys(p_place text)
returns text[]
language sql
immutable
return case p_place
  when 'machine' then array['id', 'initial', 'states', 'on', 'meta', 'context', 'description', 'tags', 'version', 'types', 'output']
  when 'state' then array['on', 'after', 'type', 'meta', 'description', 'tags', 'output']
  when 'transition' then array['target', 'guard', 'reenter', 'meta', 'description']
  when 'deadline' then array['target', 'description']
  when 'meta of the machine' then array['context_version', 'context_schema', 'loop', 'max_context_bytes', 'audit', 'description']
  when 'meta of a state' then array['invariant', 'description']
  when 'meta of a transition' then array['loop', 'description']
  when 'loop rule' then array['limit', 'window', 'action']
  when 'loop action' then array['divert']
end;
comment on function fsm_internal.definition_keys(text) is 'The keys that a part of a definition may have.';

create function fsm_internal.definition_refused_keys()
returns table (places text[], keys text[], code text, advice text)
language sql
immutable
begin atomic
  select v.places::text[], v.keys::text[], v.code, v.advice
  from (values
    ('{state}', '{states,initial}', 'unsupported',
      'nested states are not supported: make each a state of its own under the machine''s "states"'),
    ('{machine}', '{type}', 'unsupported',
      'the machine is one flat set of states, parallel regions are not supported: remove it, or make each region a machine of its own'),
    ('{state}', '{history}', 'unsupported',
      'history states are not supported: name the state to go back to as a target'),
    ('{machine,state,transition}', '{entry,exit,actions}', 'unsupported',
      'actions are not supported: the runtime acts on what a call returns'),
    ('{machine,state,transition}', '{always}', 'unsupported',
      'eventless transitions are not supported: name an event and let the runtime send it'),
    ('{machine,state,transition}', '{invoke,onError,onSnapshot}', 'unsupported',
      'invoked actors are not supported: the runtime does the work and sends its outcome as an event'),
    ('{machine,state,transition}', '{onDone}', 'unsupported',
      'done events are not supported: let the runtime send an event when the work is done'),
    ('{machine,state,transition}', '{actors,delays,guards,schemas}', 'unsupported',
      'named implementations are not supported: guards are jsonpath predicates and delays are milliseconds, each written where it is used'),
    ('{machine}', '{after}', 'unsupported',
      'a deadline runs from entering a state: put "after" into each state that it is meant for'),
    ('{transition,deadline}', '{cond}', 'unknown_key',
      'the name is "guard": a jsonpath predicate'),
    ('{transition}', '{internal}', 'unknown_key',
      'a self-transition keeps entered_at and deadlines unless it has "reenter": true'),
    ('{transition}', '{in}', 'unsupported',
      'a session is in one state only: put the transition into that state'),
    ('{transition}', '{delay,after}', 'unknown_key',
      'deadlines stand under "after" of the state'),
    ('{deadline}', '{guard}', 'unsupported',
      'a deadline has no guard: it leads to one state, whose invariant decides'),
    ('{deadline}', '{reenter,actions,meta}', 'unsupported',
      'a deadline has a target only; the loop rule of the machine applies to it'),
    ('{state}', '{id}', 'unsupported',
      'a state is known by its key under "states": remove it'),
    ('{state}', '{invariant}', 'unknown_key',
      'it belongs under "meta" of the state'),
    ('{transition}', '{loop}', 'unknown_key',
      'it belongs under "meta" of the transition'),
    ('{state,"meta of a state"}', '{loop}', 'unknown_key',
      'a loop rule belongs under "meta" of the machine or of a transition'),
    ('{machine}', '{context_version,context_schema,loop,max_context_bytes,audit}', 'unknown_key',
      'it belongs under "meta" of the machine')
  ) v (places, keys, code, advice);
end;
comment on function fsm_internal.definition_refused_keys() is
  'What to say about keys that people coming from XState write, or that stand in the wrong place.';

-- internal/machines/definition_values.sql
create function fsm_internal.definition_object(p_value jsonb)
returns jsonb
language sql
immutable
return case when jsonb_typeof(p_value) = 'object' then p_value else '{}'::jsonb end;
comment on function fsm_internal.definition_object(jsonb) is
  'The value if it is an object, else an empty object: so that a part of the wrong type can be walked through, and is reported once.';

create function fsm_internal.definition_text(p_value jsonb)
returns text
language sql
immutable
return case when jsonb_typeof(p_value) = 'string' then p_value #>> '{}' end;
comment on function fsm_internal.definition_text(jsonb) is 'The text of a JSON string; null for anything else.';

create function fsm_internal.definition_integer(p_value jsonb, p_min bigint, p_max bigint)
returns bigint
language sql
immutable
return case when jsonb_typeof(p_value) = 'number' then
    case when (p_value #>> '{}')::numeric between p_min and p_max then
      case when (p_value #>> '{}')::numeric = trunc((p_value #>> '{}')::numeric) then (p_value #>> '{}')::numeric::bigint end
    end
  end;
comment on function fsm_internal.definition_integer(jsonb, bigint, bigint) is
  'The whole number (2.0 is one) if it is between p_min and p_max; null for anything else. Raises for nothing.';

create function fsm_internal.definition_target(p_machine text, p_target text)
returns text
language sql
immutable
return case
  when starts_with(p_target, '#' || p_machine || '.') then substr(p_target, length(p_machine) + 3)
  when starts_with(p_target, '.') then substr(p_target, 2)
  else p_target
end;
comment on function fsm_internal.definition_target(text, text) is
  'The state that a target means: name, .name and #id.name are the same. Whether there is such a state is not looked at.';

-- internal/schema/schema_path.sql
create function fsm_internal.schema_path(p_path text, p_key text)
returns text
language plpgsql
immutable
as $$
begin
  return p_path || '.' || case when p_key ~ '^[A-Za-z_][A-Za-z0-9_]*$' then p_key else to_jsonb(p_key)::text end;
end
$$;
comment on function fsm_internal.schema_path(text, text) is 'The jsonpath of a member of the object at p_path. A key that is no plain identifier is quoted.';

-- internal/machines/definition_parts.sql
create function fsm_internal.definition_states(p_definition jsonb)
returns table (state text, body jsonb, path text, is_final boolean)
language sql
immutable
begin atomic
  select s.key, fsm_internal.definition_object(s.value), fsm_internal.schema_path('$.states', s.key),
    coalesce(fsm_internal.definition_text(fsm_internal.definition_object(s.value) -> 'type') = 'final', false)
  from jsonb_each(fsm_internal.definition_object(p_definition -> 'states')) s
  where octet_length(s.key) between 1 and 128;
end;
comment on function fsm_internal.definition_states(jsonb) is
  'The states of a definition whose names have a valid length, with where they stand. A state that is no object is empty.';

create function fsm_internal.definition_events(p_definition jsonb)
returns table (state text, event text, body jsonb, path text)
language sql
immutable
begin atomic
  select o.state, e.key, e.value, fsm_internal.schema_path(o.path, e.key)
  from (
    select null::text as state, p_definition -> 'on' as events, '$.on'::text as path
    union all
    select s.state, s.body -> 'on', s.path || '.on' from fsm_internal.definition_states(p_definition) s) o
  cross join lateral jsonb_each(fsm_internal.definition_object(o.events)) e;
end;
comment on function fsm_internal.definition_events(jsonb) is
  'The events of every state, and of the root (state null), with what stands beside them.';

create function fsm_internal.definition_candidates(p_definition jsonb)
returns table (state text, event text, candidate integer, body jsonb, path text, target_path text)
language sql
immutable
begin atomic
  select e.state, e.event, c.candidate,
    case jsonb_typeof(c.value) when 'object' then c.value when 'string' then jsonb_build_object('target', c.value) end,
    c.path, c.path || case when jsonb_typeof(c.value) = 'object' then '.target' else '' end
  from fsm_internal.definition_events(p_definition) e
  cross join lateral (
    select 1 as candidate, e.body as value, e.path where jsonb_typeof(e.body) <> 'array'
    union all
    select i.nth::integer, i.value, e.path || '[' || (i.nth - 1)::text || ']'
    from jsonb_array_elements(case when jsonb_typeof(e.body) = 'array' then e.body else '[]'::jsonb end) with ordinality i (value, nth)) c
  where octet_length(e.event) between 1 and 128;
end;
comment on function fsm_internal.definition_candidates(jsonb) is
  'Every candidate as it is written (the root''s once, with state null), counted from 1 in its list, as an object. body is null for what is neither string nor object.';

create function fsm_internal.definition_deadlines(p_definition jsonb)
returns table (state text, delay text, body jsonb, path text, target_path text)
language sql
immutable
begin atomic
  select s.state, a.key,
    case jsonb_typeof(a.value) when 'object' then a.value when 'string' then jsonb_build_object('target', a.value) end,
    fsm_internal.schema_path(s.path || '.after', a.key),
    fsm_internal.schema_path(s.path || '.after', a.key) || case when jsonb_typeof(a.value) = 'object' then '.target' else '' end
  from fsm_internal.definition_states(p_definition) s
  cross join lateral jsonb_each(fsm_internal.definition_object(s.body -> 'after')) a
  where octet_length(a.key) <= 128;
end;
comment on function fsm_internal.definition_deadlines(jsonb) is
  'Every entry of an "after" whose key has at most 128 bytes, its target as an object. body is null for what is neither string nor object.';

create function fsm_internal.definition_invariants(p_definition jsonb)
returns table (state text, nth integer, predicate jsonb, path text)
language sql
immutable
begin atomic
  select s.state, i.nth::integer, i.value,
    s.path || '.meta.invariant' || case when jsonb_typeof(s.body #> '{meta,invariant}') = 'array' then '[' || (i.nth - 1)::text || ']' else '' end
  from fsm_internal.definition_states(p_definition) s
  cross join lateral jsonb_array_elements(case
    when jsonb_typeof(s.body #> '{meta,invariant}') = 'array' then s.body #> '{meta,invariant}'
    when s.body #> '{meta,invariant}' is not null then jsonb_build_array(s.body #> '{meta,invariant}')
    else '[]'::jsonb end) with ordinality i (value, nth);
end;
comment on function fsm_internal.definition_invariants(jsonb) is 'The invariants of every state, in their order, whatever their type.';

create function fsm_internal.definition_transitions(p_definition jsonb)
returns table (from_state text, event text, candidate integer, to_state text, guard text, reenter boolean, loop jsonb)
language sql
immutable
begin atomic
  with written as materialized (
    select c.state, c.event, c.candidate, c.body from fsm_internal.definition_candidates(p_definition) c
  ), named as materialized (
    select e.state, e.event from fsm_internal.definition_events(p_definition) e where e.state is not null
  ), open_states as materialized (
    select s.state from fsm_internal.definition_states(p_definition) s where not s.is_final
  ), everywhere as (
    select s.state, w.event, w.candidate, w.body from open_states s join written w on w.state = s.state
    union all
    select s.state, w.event, w.candidate, w.body from open_states s join written w on w.state is null
    where (s.state, w.event) not in (select n.state, n.event from named n)
  )
  select e.state, e.event, e.candidate,
    fsm_internal.definition_target(p_definition ->> 'id', fsm_internal.definition_text(e.body -> 'target')),
    fsm_internal.definition_text(e.body -> 'guard'), coalesce(e.body -> 'reenter' = 'true', false),
    coalesce(e.body #> '{meta,loop}', p_definition #> '{meta,loop}')
  from everywhere e;
end;
comment on function fsm_internal.definition_transitions(jsonb) is
  'The candidates of every state that is not final; those of the root''s "on" are written out for each state that does not name the event. loop: the rule as it is written, null where there is none, JSON null where it is turned off.';

-- internal/machines/event_findings.sql
create function fsm_internal.event_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
immutable
as $$
declare
  v_root_events jsonb := fsm_internal.definition_object(p_definition -> 'on');
begin
  return query
    select v.severity, v.code, e.path, v.message
    from fsm_internal.definition_events(p_definition) e
    cross join lateral (values
      (octet_length(e.event) not between 1 and 128, 'error', 'bad_name',
        'the name of an event has 1 to 128 bytes; there are no eventless transitions'),
      (e.event = '*' or e.event like '%.*', 'error', 'unsupported',
        'wildcard events are not supported: name each event; "on" of the machine applies to every state'),
      (e.body = '[]' and (e.state is null or not v_root_events ? e.event), 'warning', 'no_candidate',
        'an event without candidates has no effect, unless it takes an event of the machine out of a state')
    ) v (applies, severity, code, message)
    where v.applies;
end
$$;
comment on function fsm_internal.event_findings(jsonb) is 'What is wrong with the names of events, and events that do nothing.';

-- internal/machines/graph_findings.sql
create function fsm_internal.graph_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
immutable
as $$
begin
  return query
    with recursive moves as materialized (
      select t.from_state, t.to_state from fsm_internal.definition_transitions(p_definition) t
      union
      select t.from_state, fsm_internal.definition_target(p_definition ->> 'id', t.loop #>> '{action,divert}')
      from fsm_internal.definition_transitions(p_definition) t
      union
      select d.state, fsm_internal.definition_target(p_definition ->> 'id', x.target)
      from fsm_internal.definition_deadlines(p_definition) d
      cross join lateral (values (d.body ->> 'target'), (p_definition #>> '{meta,loop,action,divert}')) x (target)
    ), reached (state) as (
      select p_definition ->> 'initial'
      union
      select m.to_state from reached r join moves m on m.from_state = r.state
    )
    select 'warning', v.code, s.path, v.message
    from fsm_internal.definition_states(p_definition) s
    cross join lateral (values
      (s.state not in (select r.state from reached r where r.state is not null), 'unreachable_state', 'no transition or deadline leads here from the initial state'),
      (not s.is_final and s.state not in (select m.from_state from moves m where m.to_state <> m.from_state), 'dead_end',
        'no transition or deadline leads out of this state, and it is not final: give it "type": "final", or an exit')
    ) v (applies, code, message)
    where v.applies;
end
$$;
comment on function fsm_internal.graph_findings(jsonb) is
  'Warnings of the machine as a graph: states that cannot be reached from the initial one, and states without an exit that are not final. Diverted loops lead somewhere too; rollbacks and upgrades, which may enter any state, do not count.';

create function fsm_internal.shadow_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
immutable
as $$
begin
  return query
    with candidates as (
      select c.path, c.candidate,
        min(c.candidate) filter (where not c.body ? 'guard') over (partition by c.state, c.event) as unguarded,
        case when c.body ? 'guard' then min(c.candidate) over (partition by c.state, c.event, c.body -> 'guard') end as same_guard
      from fsm_internal.definition_candidates(p_definition) c
    )
    select 'warning', 'shadowed_candidate', c.path,
      format('this candidate is never taken: candidate %s before it %s', least(c.unguarded, c.same_guard),
        case when c.unguarded < c.candidate then 'has no guard' else 'has the same guard' end)
    from candidates c
    where least(c.unguarded, c.same_guard) < c.candidate;
end
$$;
comment on function fsm_internal.shadow_findings(jsonb) is 'Warnings of candidates that come after one that is taken whenever they could be.';

-- internal/machines/initial_state.sql
create function fsm_internal.initial_state(p_machine text, p_machine_version integer)
returns fsm_internal.machine_states
language plpgsql
stable
as $$
declare
  v_state fsm_internal.machine_states;
begin
  select t.* into v_state
  from fsm_internal.machine_versions v
  join fsm_internal.machine_states t using (machine, machine_version)
  where v.machine = p_machine and not v.retired and t.is_initial
    and v.machine_version = coalesce(p_machine_version, v.machine_version)
  order by v.machine_version desc limit 1;
  if v_state.machine is null then
    perform fsm_internal.refuse_unknown_machine(p_machine, p_machine_version);
  end if;
  return v_state;
end
$$;
comment on function fsm_internal.initial_state(text, integer) is
  'The initial state of a machine version that takes new sessions; null version: the newest not retired. SM001 if there is none.';

-- internal/machines/key_findings.sql
create function fsm_internal.key_findings(p_place text, p_object jsonb, p_path text)
returns table (severity text, code text, path text, message text)
language plpgsql
immutable
as $$
begin
  return query
    select 'error', coalesce(r.code, 'unknown_key'), fsm_internal.schema_path(p_path, k.key),
      format('%s is not a key of a %s: %s', to_jsonb(left(k.key, 128)), p_place,
        coalesce(r.advice, format('known are %s', array_to_string(fsm_internal.definition_keys(p_place), ', '))))
    from jsonb_object_keys(fsm_internal.definition_object(p_object)) k (key)
    left join fsm_internal.definition_refused_keys() r on p_place = any (r.places) and k.key = any (r.keys)
    where k.key <> all (fsm_internal.definition_keys(p_place));
end
$$;
comment on function fsm_internal.key_findings(text, jsonb, text) is
  'An error for every key that this part of a definition may not have, by name, with what to do instead.';

-- internal/machines/live_session_findings.sql
create function fsm_internal.live_session_findings(p_machine text, p_machine_version integer)
returns jsonb
language plpgsql
stable
as $$
declare
  v_limit constant integer := 100000;
  v_findings jsonb;
  v_seen bigint;
begin
  -- Sessions have no index on the machine. Most new versions drop no state: then there is nothing to look for.
  if not exists (
    select from fsm_internal.states_missing_in(p_machine, p_machine_version)) then
    return '[]'::jsonb;
  end if;
  with looked_at as materialized (
    select s.machine, s.machine_version, s.state from fsm_internal.sessions s limit v_limit
  ), missing as (
    select l.state, count(*) as sessions
    from looked_at l
    join fsm_internal.states_missing_in(p_machine, p_machine_version) m using (machine_version, state)
    where l.machine = p_machine group by l.state
  )
  select (select count(*) from looked_at), coalesce(jsonb_agg(jsonb_build_object(
      'severity', 'warning', 'code', 'live_sessions_in_missing_state', 'path', '$.states', 'state', m.state, 'sessions', m.sessions,
      'message', format('%s sessions of other versions are in state %s, which this version lacks', m.sessions, to_jsonb(m.state)))
      order by m.state collate "C"), '[]')
    into v_seen, v_findings
  from missing m;
  if v_seen = v_limit then
    v_findings := v_findings || jsonb_build_object('severity', 'warning', 'code', 'live_sessions_not_all_counted', 'path', '$.states',
      'message', format('only %s sessions were looked at; there may be more in states that this version lacks', v_limit));
  end if;
  return v_findings;
end
$$;
comment on function fsm_internal.live_session_findings(text, integer) is
  'Warnings for the states, not final, of other versions of the machine that this version lacks and that sessions are in, with their number. Looks at 100,000 sessions at most and says so when there are more.';

create function fsm_internal.states_missing_in(p_machine text, p_machine_version integer)
returns table (machine_version integer, state text)
language sql
stable
begin atomic
  select o.machine_version, o.state
  from fsm_internal.machine_states o
  where o.machine = p_machine and o.machine_version <> p_machine_version and not o.is_final
    and not exists (
      select from fsm_internal.machine_states n
      where n.machine = p_machine and n.machine_version = p_machine_version and n.state = o.state);
end;
comment on function fsm_internal.states_missing_in(text, integer) is
  'The states, not final, of the other versions of a machine that this version does not have.';

-- internal/machines/loop_findings.sql
create function fsm_internal.loop_findings(p_loop jsonb, p_path text)
returns table (severity text, code text, path text, message text)
language plpgsql
stable
as $$
declare
  v_action jsonb := p_loop -> 'action';
begin
  if p_loop is null or p_loop = 'null' then
    return;
  end if;
  return query
    select k.* from fsm_internal.key_findings('loop rule', p_loop, p_path) k
    union all
    select k.* from fsm_internal.key_findings('loop action', v_action, p_path || '.action') k;
  return query
    select 'error', v.code, p_path || v.suffix, v.message
    from (values
      (jsonb_typeof(p_loop) <> 'object', 'wrong_type', '',
        format('a loop rule is an object, or null to turn loop detection off, not %s', jsonb_typeof(p_loop))),
      (p_loop ? 'limit' and fsm_internal.definition_integer(p_loop -> 'limit', 1, 10000) is null, 'bad_value', '.limit',
        'the limit of a loop is a whole number from 1 to 10000'),
      (p_loop ? 'window' and fsm_internal.loop_window(fsm_internal.definition_text(p_loop -> 'window')) is null, 'bad_value', '.window',
        'the window of a loop is an interval such as "5 minutes", above zero, up to ten years and without minus signs'),
      (jsonb_typeof(v_action) <> 'object' and v_action not in ('"log"', '"block"'), 'bad_value', '.action',
        'the action of a loop is "log", "block" or {"divert": "STATE"}'),
      (jsonb_typeof(v_action) = 'object' and not v_action ? 'divert', 'missing_key', '.action',
        'the action of a loop is "log", "block" or {"divert": "STATE"}')
    ) v (applies, code, suffix, message)
    where v.applies and (jsonb_typeof(p_loop) = 'object' or v.suffix = '');
end
$$;
comment on function fsm_internal.loop_findings(jsonb, text) is
  'What is wrong with a loop rule, apart from where it diverts to. p_loop null (none given) and JSON null (turned off) are fine.';

-- internal/machines/loop_rule.sql
create function fsm_internal.loop_window(p_window text)
returns interval
language plpgsql
stable
as $$
declare
  v_window interval;
  v_seconds numeric;
begin
  -- What a sign means depends on a setting.
  if length(p_window) > 64 or strpos(p_window, '-') > 0 then
    return null;
  end if;
  begin
    v_window := p_window::interval;
    v_seconds := extract(epoch from v_window);
  exception when data_exception then
    return null;
  end;
  if v_seconds not between 0.000001 and 315576000 then
    return null;
  end if;
  return make_interval(secs => v_seconds::double precision);
end
$$;
comment on function fsm_internal.loop_window(text) is
  'The window of a loop rule in seconds, so that it is as long in every time zone (a day is 24 hours, a month 30 days). Null if it is no interval, not above zero, or above ten years.';

create function fsm_internal.loop_rule(p_machine text, p_loop jsonb)
returns table (loop_limit integer, loop_window interval, loop_action text, divert_to text)
language plpgsql
stable
as $$
begin
  if p_loop = 'null' then
    return query select null::integer, null::interval, null::text, null::text;
    return;
  end if;
  return query
    select
      coalesce(fsm_internal.definition_integer(p_loop -> 'limit', 1, 10000), 3)::integer,
      coalesce(fsm_internal.loop_window(p_loop ->> 'window'), interval '5 minutes'),
      case when jsonb_typeof(p_loop -> 'action') = 'object' then 'divert' else coalesce(p_loop ->> 'action', 'log') end,
      fsm_internal.definition_target(p_machine, p_loop #>> '{action,divert}');
end
$$;
comment on function fsm_internal.loop_rule(text, jsonb) is
  'The loop rule that a checked "loop" means: null (none given) and missing members take the defaults 3, 5 minutes and log; JSON null turns it off, then everything is null.';

-- internal/machines/machine_findings.sql
create function fsm_internal.machine_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
stable
as $$
begin
  -- The limits of a context first: 14 bytes of jsonb can be a number of 131,072 digits, and what clients read has to end somewhere.
  return query select 'error', l.code, l.path, l.message from fsm_internal.limit_findings(fsm_internal.definition_object(p_definition)) l;
  if found then
    return;
  end if;
  if fsm_internal.is_too_large(p_definition, 1048576) then
    return query select 'error', 'too_large', '$', 'the definition has more than 1048576 bytes of text';
    return;
  end if;
  return query
    with found as (
      select f.severity, f.code, f.path, f.message from fsm_internal.form_findings(p_definition) f
      union
      select f.severity, f.code, f.path, f.message from fsm_internal.meaning_findings(p_definition) f
    ), ranked as (
      select f.*, row_number() over (order by f.severity collate "C", f.path collate "C", f.code collate "C", f.message collate "C") as nth
      from found f
    )
    select r.severity, r.code, r.path, r.message from (
      select r.nth, r.severity, r.code, r.path, r.message from ranked r where r.nth <= 1000
      union all
      select 1001, min(r.severity), 'more_findings', '$', format('there are %s findings more', count(*))
      from ranked r where r.nth > 1000 having count(*) > 0) r
    order by r.nth;
end
$$;
comment on function fsm_internal.machine_findings(jsonb) is
  'Everything that is wrong (error) or suspicious (warning) in a definition, whatever JSON it is: errors first, then by path. At most 1,000 rows and one that counts the rest.';

create function fsm_internal.form_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
stable
as $$
begin
  return query
    select r.* from fsm_internal.root_findings(p_definition) r
    union all
    select m.* from fsm_internal.meta_findings(p_definition) m
    union all
    select s.* from fsm_internal.state_findings(p_definition) s
    union all
    select e.* from fsm_internal.event_findings(p_definition) e
    union all
    select c.* from fsm_internal.candidate_findings(p_definition) c
    union all
    select d.* from fsm_internal.deadline_findings(p_definition) d
    union all
    select t.* from fsm_internal.target_findings(p_definition) t;
end
$$;
comment on function fsm_internal.form_findings(jsonb) is 'What is wrong in a definition part by part.';

create function fsm_internal.meaning_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
stable
as $$
begin
  return query
    select s.* from fsm_internal.size_findings(p_definition) s;
  if found then
    return;  -- the rest would cost as much as it is too large
  end if;
  return query
    select p.* from fsm_internal.predicate_findings(p_definition) p
    union all
    select s.* from fsm_internal.shadow_findings(p_definition) s
    union all
    select g.* from fsm_internal.graph_findings(p_definition) g;
end
$$;
comment on function fsm_internal.meaning_findings(jsonb) is
  'What is wrong in a definition that is seen when its parts are put together: its size written out, predicates, the order of candidates, the graph.';

create function fsm_internal.machine_findings_json(p_definition jsonb)
returns jsonb
language plpgsql
stable
as $$
begin
  return (
    select coalesce(jsonb_agg(
      jsonb_build_object('severity', f.severity, 'code', f.code, 'path', f.path, 'message', f.message) order by f.nth), '[]')
    from (select m.*, row_number() over () as nth from fsm_internal.machine_findings(p_definition) m) f);
end
$$;
comment on function fsm_internal.machine_findings_json(jsonb) is 'The findings of a definition as an array of objects, in their order.';

-- internal/machines/meta_findings.sql
create function fsm_internal.meta_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
stable
as $$
declare
  v_meta jsonb := fsm_internal.definition_object(p_definition -> 'meta');
begin
  return query
    select k.* from fsm_internal.key_findings('meta of the machine', v_meta, '$.meta') k
    union all
    select l.* from fsm_internal.loop_findings(v_meta -> 'loop', '$.meta.loop') l;
  return query
    select 'error', 'bad_value', '$.meta.' || v.key, v.message
    from (values
      ('context_version', fsm_internal.definition_integer(v_meta -> 'context_version', 1, 2147483647) is null,
        'the version of the context''s form is a whole number from 1 to 2147483647'),
      ('max_context_bytes', fsm_internal.definition_integer(v_meta -> 'max_context_bytes', 2, 251658240) is null,
        'the limit of a context is a whole number of bytes from 2 to 251658240 (240 MiB)'),
      ('audit', v_meta -> 'audit' not in ('"none"', '"chain"'), 'audit is "none" or "chain"')
    ) v (key, is_bad, message)
    where v_meta ? v.key and v.is_bad;
  if v_meta ? 'context_schema' then
    return query
      select 'error', s.code, '$.meta.context_schema' || substr(s.path, 2), s.message
      from fsm_internal.schema_problems(v_meta -> 'context_schema') s;
  end if;
end
$$;
comment on function fsm_internal.meta_findings(jsonb) is 'What is wrong with "meta" of the machine: keys, values, the schema of the context, the loop rule.';

-- internal/machines/predicate_findings.sql
create function fsm_internal.predicate_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
stable
as $$
begin
  return query
    with predicates as (
      select fsm_internal.definition_text(c.body -> 'guard') as predicate, c.path || '.guard' as path
      from fsm_internal.definition_candidates(p_definition) c
      union all
      select fsm_internal.definition_text(i.predicate), i.path from fsm_internal.definition_invariants(p_definition) i
    ), judged as materialized (
      select d.predicate, j.severity, j.code, j.message
      from (select distinct p.predicate from predicates p where p.predicate is not null) d
      cross join lateral fsm_internal.predicate_problems(d.predicate) j
    )
    select j.severity, j.code, p.path, j.message
    from predicates p join judged j using (predicate);
end
$$;
comment on function fsm_internal.predicate_findings(jsonb) is
  'What is wrong with guards and invariants as predicates. One that is written often is judged once.';

-- internal/machines/predicate_problems.sql
create function fsm_internal.predicate_problems(p_predicate text)
returns table (severity text, code text, message text)
language plpgsql
stable
as $$
declare
  v_path jsonpath;
  v_text text;
  v_problem text;
begin
  if length(p_predicate) > 4096 then
    v_problem := format('the predicate has %s characters, the limit is 4096', length(p_predicate));
  else
    begin
      -- First, because reading a large regular expression as part of a predicate can take minutes.
      v_problem := fsm_internal.predicate_regex_problem(p_predicate);
      if v_problem is null then
        v_path := p_predicate::jsonpath;
        v_text := v_path::text;
      end if;
    exception when data_exception or syntax_error_or_access_rule_violation or feature_not_supported or program_limit_exceeded then
      v_problem := format('the predicate is not valid jsonpath: %s', sqlerrm);
    end;
  end if;
  if length(v_text) > 32768 then
    v_problem := format('the predicate, with its numbers and keys written out, has %s characters, the limit is 32768', length(v_text));
  end if;
  if v_problem is not null then
    return query select 'error', 'bad_predicate', v_problem;
    return;
  end if;
  -- With empty string literals, a word outside quotes is part of the language.
  return query
    select f.* from fsm_internal.predicate_findings_of(regexp_replace(v_text, $re$"(?:[^"\\]|\\.)*"$re$, '""', 'g')) f;
  -- Once more, in the canonical text, where nothing can hide the operator.
  v_problem := fsm_internal.predicate_regex_problem(v_text);
  if v_problem is not null then
    return query select 'error', 'bad_predicate', v_problem;
  end if;
  if not fsm_internal.predicate_survives_dump(v_path) then
    return query select 'error', 'bad_predicate', 'the predicate would mean something else after a dump and restore: PostgreSQL forgets '
      'the parentheses around arithmetic that is followed by a method, an accessor or a filter; instead of ($.a - $.b).abs() > 1 write '
      '$.a - $.b > 1 || $.b - $.a > 1';
  end if;
end
$$;
comment on function fsm_internal.predicate_problems(text) is
  'What is wrong with a guard or invariant. Without a row of severity error it is valid jsonpath, and jsonb_path_match(context, predicate, ''{}'', true) raises for no context of at most 100 levels and numbers of at most 1,000 digits.';

create function fsm_internal.predicate_findings_of(p_text text)
returns table (severity text, code text, message text)
language plpgsql
immutable
as $$
declare
  v_lax boolean := not starts_with(p_text, 'strict ');
  v_shape record;
  v_sides record;
begin
  select * into v_shape from fsm_internal.predicate_shape(p_text);
  if v_shape.steps > 1000 then
    return query select 'error', 'bad_predicate', format('the predicate has %s accessors, brackets and operators, the limit is 1000', v_shape.steps);
    return;
  end if;
  select * into v_sides from fsm_internal.predicate_comparisons(p_text);
  return query
    select v.severity, v.code, v.message
    from (values
      (p_text ~ $re$\$""$re$, 'error', 'bad_predicate', 'variables are not supported: a predicate sees the context only, as $'),
      (p_text ~ $re$\.(datetime|date|time|time_tz|timestamp|timestamp_tz)\($re$, 'error', 'bad_predicate',
        'date and time methods are not supported, because they depend on settings and can raise: keep ISO 8601 texts, which compare in order'),
      (p_text ~ $re$\.\*\*$re$, 'error', 'bad_predicate', '.** is not supported, because it walks through the whole context: name the path'),
      (v_shape.digits > 1000, 'error', 'bad_predicate', 'a number has more than 1000 digits'),
      (v_shape.factors > 50, 'error', 'bad_predicate', format('the predicate has %s multiplications and divisions, the limit is 50', v_shape.factors)),
      (v_shape.copies > 2, 'error', 'bad_predicate',
        'a predicate may hold two of these at most, because each multiplies the values at hand: a comma in a subscript, .keyvalue()'),
      (fsm_internal.predicate_has_bad_decimal(p_text), 'error', 'bad_predicate',
        '.decimal(precision, scale) needs a precision from 1 to 1000 and a scale from -1000 to 1000, else it raises'),
      (v_sides.many_by_many, 'error', 'bad_predicate', 'a comparison with many values on both sides takes their product in steps and cannot be cancelled: '
        'write exists($.a[*] ? (@ == $.b[*])) instead of $.a[*] == $.b[*]'),
      (v_lax and p_text ~ $re$!\($re$, 'warning', 'negation_in_lax_mode',
        'in lax mode "!" also holds where data is missing: start the predicate with strict, or use the opposite comparison'),
      (v_sides.wildcard_in_filter, 'warning', 'wildcard_in_filter',
        'a wildcard inside a filter is evaluated anew for every item that is filtered, which is slow for long arrays'),
      (v_lax and v_sides.path_by_path and not v_sides.many_by_many, 'warning', 'path_by_path',
        'in lax mode two paths that both lead to arrays are compared element by element, which is slow and cannot be cancelled: start the predicate with strict')
    ) v (applies, severity, code, message)
    where v.applies;
end
$$;
comment on function fsm_internal.predicate_findings_of(text) is
  'Why valid jsonpath is refused or warned of, by its canonical text with empty string literals: what can raise although it is evaluated silently, what can run or grow without bound, and what is often not meant.';

create function fsm_internal.predicate_has_bad_decimal(p_text text)
returns boolean
language plpgsql
immutable
as $$
begin
  return exists (
    select from regexp_matches(p_text, $re$\.decimal\(([-+0-9]+)(?:,([-+0-9]+))?\)$re$, 'g') d (part)
    where d.part[1]::numeric not between 1 and 1000 or coalesce(d.part[2], '0')::numeric not between -1000 and 1000);
end
$$;
comment on function fsm_internal.predicate_has_bad_decimal(text) is 'Whether a predicate has .decimal() with arguments for which it raises (PostgreSQL 17).';

create function fsm_internal.predicate_regex_problem(p_text text)
returns text
language plpgsql
stable
as $$
declare
  v_regex record;
begin
  if p_text !~* 'like_regex' then
    return null;
  end if;
  -- Reads string after string, so that a text that looks like the operator is passed over with the string it stands in.
  for v_regex in
    select m.part[2] as literal, fsm_internal.schema_pattern_problem(m.part[2]::jsonpath::text::jsonb #>> '{}') as problem
    from regexp_matches(p_text, $re$(like_regex\s*)?("(?:[^"\\]|\\.)*")(?:\s*flag\s*("[a-z]*"))?$re$, 'gi') m (part)
    where m.part[1] is not null and coalesce(m.part[3], '') !~ 'q'
  loop
    if v_regex.problem is not null then
      return format('the regular expression %s is refused: %s', left(v_regex.literal, 200), v_regex.problem);
    end if;
  end loop;
  return null;
end
$$;
comment on function fsm_internal.predicate_regex_problem(text) is
  'Why the first bad pattern of like_regex in a predicate is refused (back-references raise and run without bound; some take minutes to be read); null if none is. With flag q a pattern is plain text. Raises what the cast to jsonpath raises for a malformed string.';

create function fsm_internal.predicate_survives_dump(p_path jsonpath)
returns boolean
language plpgsql
immutable
as $$
declare
  v_again jsonpath;
begin
  begin
    v_again := p_path::text::jsonpath;
  exception when data_exception or syntax_error_or_access_rule_violation then
    return false;
  end;
  -- jsonpath has no equality; records of it are compared by their bytes.
  return record_image_eq(row(v_again), row(p_path));
end
$$;
comment on function fsm_internal.predicate_survives_dump(jsonpath) is
  'Whether the text that pg_dump writes for the predicate reads back as the same predicate.';

-- internal/machines/predicate_shape.sql
create function fsm_internal.predicate_shape(p_text text)
returns table (steps bigint, factors bigint, copies bigint, digits integer)
language sql
immutable
begin atomic
  select count(*) filter (where t.part[1] !~ '^[0-9]'),
    count(*) filter (where t.part[1] in (' * ', ' / ')),
    count(*) filter (where t.part[1] in (',', '.keyvalue()')),
    coalesce(max(length(t.part[1])) filter (where t.part[1] ~ '^[0-9]'), 0)
  from regexp_matches(regexp_replace(p_text, '\.decimal\([^()]*\)', '.decimal()', 'g'),
    '(\.keyvalue\(\)|\.""|\.[a-z]|[$@]|[(\[]| [-+*/%] |[-+,]|&&|\|\||[=!<>]=|<|>| (?:starts|like_regex|is) |[0-9]+)', 'g') t (part);
end;
comment on function fsm_internal.predicate_shape(text) is
  'How large a predicate is, by its canonical text with empty string literals. steps: accessors, brackets and operators; factors: multiplications and divisions; copies: what can multiply the values at hand (commas in subscripts, keyvalue()); digits: of the longest number, on one side of its point.';

create function fsm_internal.predicate_comparisons(p_text text)
returns table (many_by_many boolean, path_by_path boolean, wildcard_in_filter boolean)
language plpgsql
immutable
as $$
declare
  v_token text;
  v_level integer := 1;
  v_filters integer := 0;
  v_opened text[] := array['('];
  -- By nesting level, of the operand before a comparison and of the one being read: 0 gives one value, 1 is a plain path
  -- (in lax mode all elements of an array), 2 gives many, 9 is arithmetic (one value, whatever follows).
  v_left integer[] := array[0];
  v_here integer[] := array[0];
begin
  select false, false, false into many_by_many, path_by_path, wildcard_in_filter;
  for v_token in
    select t.part[1] from regexp_matches(p_text,
      $re$(\?\(|exists \(|!\(|\(|\)|\[\*\]|\[|\]|,| to |\.\*|\.keyvalue\(\)|\.(?:size|type)\(\)|[$@]|&&|\|\||[=!<>]=|<|>| [-+*/%] )$re$, 'g') t (part)
  loop
    if v_token in ('(', '?(', 'exists (', '!(', '[') then
      v_level := v_level + 1;
      v_filters := v_filters + (v_token = '?(')::integer;
      v_opened[v_level] := v_token;
      v_left[v_level] := 0;
      v_here[v_level] := 0;
    elsif v_token in (')', ']', ',', ' to ', '&&', '||') then
      many_by_many := many_by_many or (v_left[v_level] = 2 and v_here[v_level] = 2);
      path_by_path := path_by_path or (v_left[v_level] in (1, 2) and v_here[v_level] in (1, 2));
      if v_token in (')', ']') then
        v_filters := v_filters - (v_opened[v_level] = '?(')::integer;
        v_level := v_level - 1;
        v_here[v_level] := greatest(v_here[v_level], case when v_opened[v_level + 1] = '(' then v_here[v_level + 1] end);
      else
        v_left[v_level] := 0;
        v_here[v_level] := 0;
        v_here[v_level - 1] := greatest(v_here[v_level - 1], case when v_opened[v_level] = '[' then 2 end);
      end if;
    elsif v_token in ('==', '!=', '<=', '>=', '<', '>') then
      v_left[v_level] := v_here[v_level];
      v_here[v_level] := 0;
    else
      v_here[v_level] := case
        when v_token like ' _ ' then 9
        when v_token in ('[*]', '.*', '.keyvalue()') then greatest(v_here[v_level], 2)
        when v_token in ('$', '@') then greatest(v_here[v_level], 1)
        else v_here[v_level] - (v_here[v_level] = 1)::integer  -- size() and type() give one value for a path
      end;
      wildcard_in_filter := wildcard_in_filter or (v_filters > 0 and v_token in ('[*]', '.*'));
    end if;
  end loop;
  return next;
end
$$;
comment on function fsm_internal.predicate_comparisons(text) is
  'What a predicate compares, by its canonical text with empty string literals. many_by_many: a comparison has wildcards, ranges, lists or keyvalue() on both sides; path_by_path: paths on both sides; wildcard_in_filter: [*] or .* stands inside a filter.';

-- internal/machines/refuse_unknown_machine.sql
create function fsm_internal.refuse_unknown_machine(p_machine text, p_machine_version integer)
returns void
language plpgsql
volatile
as $$
declare
  v_versions jsonb := (
    select jsonb_agg(jsonb_build_object('machine_version', v.machine_version, 'retired', v.retired) order by v.machine_version desc)
    from fsm_internal.machine_versions v where v.machine = p_machine);
begin
  perform fsm_internal.refuse('SM001', 'machine not found',
    jsonb_build_object('machine', p_machine, 'machine_version', p_machine_version, 'versions', coalesce(v_versions, '[]')),
    case when v_versions is null then 'Define it with fsm.define_machine, or check the name: names are compared byte for byte.'
      else 'Name one of versions that is not retired, define a new one, or bring one back with fsm.retire_machine(machine, version, false).' end);
end
$$;
comment on function fsm_internal.refuse_unknown_machine(text, integer) is
  'Raises SM001; versions in DETAIL lists what there is of the machine, the newest first.';

-- internal/machines/root_findings.sql
create function fsm_internal.root_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
immutable
as $$
declare
  v_initial text := fsm_internal.definition_text(p_definition -> 'initial');
  v_states jsonb := fsm_internal.definition_object(p_definition -> 'states');
begin
  if jsonb_typeof(p_definition) <> 'object' then
    return query select 'error', 'wrong_type', '$', format('a definition is an object, not %s', jsonb_typeof(p_definition));
    return;
  end if;
  return query
    select k.* from fsm_internal.key_findings('machine', p_definition, '$') k;
  return query
    select 'error', 'missing_key', '$', format('the definition has no "%s"', k.key)
    from unnest(array['id', 'initial', 'states']) k (key)
    where not p_definition ? k.key;
  return query
    select 'error', 'wrong_type', '$.' || k.key, format('"%s" must be a JSON %s, not %s', k.key, k.type, jsonb_typeof(p_definition -> k.key))
    from (values ('id', 'string'), ('initial', 'string'), ('states', 'object'), ('on', 'object'), ('meta', 'object')) k (key, type)
    where jsonb_typeof(p_definition -> k.key) <> k.type;
  return query
    select v.severity, v.code, v.path, v.message
    from (values
      (octet_length(fsm_internal.definition_text(p_definition -> 'id')) not between 1 and 512,
        'error', 'bad_name', '$.id', 'the name of a machine has 1 to 512 bytes'),
      (p_definition -> 'states' = '{}', 'error', 'no_states', '$.states', 'the machine has no states'),
      (not v_states ? v_initial, 'error', 'unknown_target', '$.initial', 'the initial state is not one of "states", where it stands by its plain name'),
      (v_states #>> array[v_initial, 'type'] = 'final', 'error', 'initial_is_final', '$.initial', 'the initial state is final: no session could ever move'),
      (p_definition ? 'context', 'warning', 'no_effect', '$.context',
        'an initial context has no effect: fsm.create_session is given the context')
    ) v (applies, severity, code, path, message)
    where v.applies;
end
$$;
comment on function fsm_internal.root_findings(jsonb) is 'What is wrong at the top of a definition: its type, keys, name and initial state.';

-- internal/machines/size_findings.sql
create function fsm_internal.size_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
immutable
as $$
declare
  v_states bigint := (select count(*) from jsonb_object_keys(fsm_internal.definition_object(p_definition -> 'states')));
  v_written record;
begin
  if v_states > 1000 then
    return query select 'error', 'too_many_states', '$.states', format('the machine has %s states, the limit is 1000', v_states);
    return;
  end if;
  return query
    select 'error', 'too_many_candidates', e.path, format('the event has %s candidates, the limit is 100', jsonb_array_length(e.body))
    from fsm_internal.definition_events(p_definition) e
    where case when jsonb_typeof(e.body) = 'array' then jsonb_array_length(e.body) else 0 end > 100
    union all
    select 'error', 'too_many_invariants', s.path || '.meta.invariant',
      format('the state has %s invariants, the limit is 100', jsonb_array_length(s.body #> '{meta,invariant}'))
    from fsm_internal.definition_states(p_definition) s
    where case when jsonb_typeof(s.body #> '{meta,invariant}') = 'array' then jsonb_array_length(s.body #> '{meta,invariant}') else 0 end > 100;
  if found then
    return;
  end if;
  select * into v_written from fsm_internal.definition_weight(p_definition);
  if v_written.candidates > 20000 then
    return query select 'error', 'too_many_candidates', '$',
      format('with the events of the root in every state the machine has %s candidates, the limit is 20000', v_written.candidates);
  elsif v_written.bytes > 134217728 then
    return query select 'error', 'too_large', '$',
      format('guards, invariants and schema, written out for each pair of states, have up to %s bytes, the limit is 134217728', v_written.bytes);
  end if;
end
$$;
comment on function fsm_internal.size_findings(jsonb) is
  'Errors of a definition whose compiled form would be too large: more than 1,000 states, 100 candidates of one event, 100 invariants of a state, 20,000 candidates or 128 MiB in all. What comes after may then take the rest for granted.';

create function fsm_internal.definition_weight(p_definition jsonb)
returns table (candidates bigint, bytes bigint)
language plpgsql
immutable
as $$
declare
  -- What is checked on entering a state is kept beside every pair of states that leads there: at most so many bytes.
  v_terms integer := coalesce(octet_length((p_definition #> '{meta,context_schema}')::text), 0) + (
    select coalesce(max(octet_length((s.body #> '{meta,invariant}')::text)), 0) from fsm_internal.definition_states(p_definition) s);
begin
  return query
    with open_states as (
      select count(*) as states from fsm_internal.definition_states(p_definition) s where not s.is_final
    ), naming as (
      -- In these states the root's candidates of the event do not apply.
      select e.event, count(*) as states from fsm_internal.definition_events(p_definition) e
      join fsm_internal.definition_states(p_definition) s using (state) where not s.is_final group by e.event
    ), lists as (
      -- A save reads guards by pair of states: they are written once more for each target of their list.
      select c.state, c.event, count(*) as candidates, count(distinct c.body -> 'target') as targets,
        sum(octet_length(c.event) + coalesce(octet_length(c.body ->> 'guard'), 0)) as bytes
      from fsm_internal.definition_candidates(p_definition) c group by c.state, c.event
    ), written as (
      select l.candidates, l.bytes * (1 + l.targets) + l.targets * v_terms as bytes,
        case when l.state is null then o.states - coalesce(n.states, 0) else 1 end as copies
      from lists l cross join open_states o left join naming n on n.event = l.event
    )
    select coalesce(sum(w.candidates * w.copies), 0)::bigint,
      (coalesce(sum(w.bytes * w.copies), 0)
        + 2 * v_terms * (select count(*) from fsm_internal.definition_states(p_definition)))::bigint
    from written w;
end
$$;
comment on function fsm_internal.definition_weight(jsonb) is
  'How much a definition is once the root''s events, guards, invariants and the schema stand beside each pair of states, without writing them out: candidates, and at most about how many bytes.';

-- internal/machines/state_findings.sql
create function fsm_internal.state_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
immutable
as $$
begin
  return query
    select 'error', v.code, fsm_internal.schema_path('$.states', s.key), v.message
    from jsonb_each(fsm_internal.definition_object(p_definition -> 'states')) s
    cross join lateral (values
      (octet_length(s.key) not between 1 and 128, 'bad_name', 'the name of a state has 1 to 128 bytes'),
      (s.key ~ '^[.#]', 'bad_name', 'the name of a state may not start with . or #, because no target could name it'),
      (jsonb_typeof(s.value) <> 'object', 'wrong_type', format('a state must be an object, not %s', jsonb_typeof(s.value)))
    ) v (applies, code, message)
    where v.applies;
  return query
    select k.* from fsm_internal.definition_states(p_definition) s
    cross join lateral fsm_internal.key_findings('state', s.body, s.path) k
    where s.body - fsm_internal.definition_keys('state') <> '{}'
    union all
    select k.* from fsm_internal.definition_states(p_definition) s
    cross join lateral fsm_internal.key_findings('meta of a state', s.body -> 'meta', s.path || '.meta') k
    where s.body ? 'meta';
  return query
    select 'error', 'wrong_type', format('%s.%s', s.path, k.key), format('"%s" must be a JSON object, not %s', k.key, jsonb_typeof(s.body -> k.key))
    from fsm_internal.definition_states(p_definition) s
    cross join unnest(array['on', 'after', 'meta']) k (key)
    where jsonb_typeof(s.body -> k.key) <> 'object';
  return query
    select 'error', 'final_with_exit', format('%s.%s', s.path, k.key), format('a final state has no "%s": nothing leads out of it', k.key)
    from fsm_internal.definition_states(p_definition) s
    cross join unnest(array['on', 'after']) k (key)
    where s.is_final and fsm_internal.definition_object(s.body -> k.key) <> '{}';
  return query
    select 'error', case when s.body ->> 'type' in ('parallel', 'history', 'compound') then 'unsupported' else 'bad_value' end, s.path || '.type',
      case s.body ->> 'type'
        when 'parallel' then 'parallel states are not supported: a session is in one state; make each region a machine of its own'
        when 'history' then 'history states are not supported: name the state to go back to as a target'
        when 'compound' then 'nested states are not supported: make each a state of its own under the machine''s "states"'
        else 'the type of a state is "final" or "atomic"; without one it is atomic'
      end
    from fsm_internal.definition_states(p_definition) s
    where s.body -> 'type' not in ('"final"', '"atomic"');
  return query
    select 'error', 'wrong_type', i.path, format('an invariant is a jsonpath predicate as a string, or a list of such, not %s', jsonb_typeof(i.predicate))
    from fsm_internal.definition_invariants(p_definition) i
    where jsonb_typeof(i.predicate) <> 'string';
end
$$;
comment on function fsm_internal.state_findings(jsonb) is 'What is wrong with the states themselves: names, keys, types, invariants that are no strings.';

-- internal/machines/store_machine.sql
create function fsm_internal.store_machine(p_machine text, p_machine_version integer, p_definition jsonb)
returns void
language plpgsql
volatile
as $$
declare
  v_context_version integer := coalesce((p_definition #>> '{meta,context_version}')::numeric::integer, 1);
begin
  insert into fsm_internal.machine_versions (machine, machine_version, definition, context_version, created_at, created_by)
  values (p_machine, p_machine_version, p_definition, v_context_version, fsm_internal.clock(), session_user)
  on conflict do nothing;
  if not found then
    raise exception using errcode = '40001', message = 'the machine was defined by another transaction at the same time',
      detail = jsonb_build_object('machine', p_machine, 'machine_version', p_machine_version)::text,
      hint = 'Nothing was stored. Call fsm.define_machine again.';
  end if;
  perform fsm_internal.store_states(p_machine, p_machine_version, v_context_version, p_definition);
  perform fsm_internal.store_candidates(p_machine, p_machine_version, p_definition);
  perform fsm_internal.store_moves(p_machine, p_machine_version);
  insert into fsm_internal.machine_delays (machine, machine_version, state, delay_ms, to_state, loop_limit, loop_window, loop_action, divert_to)
  select p_machine, p_machine_version, d.state, d.delay::bigint, fsm_internal.definition_target(p_machine, d.body ->> 'target'),
    r.loop_limit, r.loop_window, r.loop_action, r.divert_to
  from fsm_internal.definition_deadlines(p_definition) d
  cross join lateral fsm_internal.loop_rule(p_machine, p_definition #> '{meta,loop}') r;
end
$$;
comment on function fsm_internal.store_machine(text, integer, jsonb) is
  'Writes a machine version: the definition, which must be without findings of severity error, and its compiled form. 40001 if another transaction wrote that version without the lock of fsm.define_machine, or unseen by this one''s snapshot.';

create function fsm_internal.store_states(p_machine text, p_machine_version integer, p_context_version integer, p_definition jsonb)
returns void
language plpgsql
volatile
as $$
declare
  v_schema record;
begin
  select c.schema_check, c.schema_rest into v_schema
  from fsm_internal.compile_schema(p_definition #> '{meta,context_schema}') c
  where p_definition #> '{meta,context_schema}' is not null;
  insert into fsm_internal.machine_states (machine, machine_version, state, is_initial, is_final, context_version,
    max_context_bytes, audit_chain, first_delay_ms, invariants, schema_check, schema_rest)
  select p_machine, p_machine_version, s.state, s.state = p_definition ->> 'initial', s.is_final, p_context_version,
    coalesce((p_definition #>> '{meta,max_context_bytes}')::numeric::bigint, 8388608),
    coalesce(p_definition #>> '{meta,audit}' = 'chain', false),
    (select min(d.delay::bigint) from fsm_internal.definition_deadlines(p_definition) d where d.state = s.state),
    array(
      select (i.predicate #>> '{}')::jsonpath from fsm_internal.definition_invariants(p_definition) i
      where i.state = s.state order by i.nth),
    v_schema.schema_check, v_schema.schema_rest
  from fsm_internal.definition_states(p_definition) s;
end
$$;
comment on function fsm_internal.store_states(text, integer, integer, jsonb) is 'Writes the states of a machine version, with what is checked on entering them.';

create function fsm_internal.store_candidates(p_machine text, p_machine_version integer, p_definition jsonb)
returns void
language plpgsql
volatile
as $$
begin
  insert into fsm_internal.machine_candidates (machine, machine_version, from_state, event, candidate, to_state, guard, guard_source,
    reenter, loop_limit, loop_window, loop_action, divert_to)
  select p_machine, p_machine_version, t.from_state, t.event, t.candidate, t.to_state, t.guard::jsonpath, t.guard,
    t.reenter, r.loop_limit, r.loop_window, r.loop_action, r.divert_to
  from fsm_internal.definition_transitions(p_definition) t
  cross join lateral fsm_internal.loop_rule(p_machine, t.loop) r;
end
$$;
comment on function fsm_internal.store_candidates(text, integer, jsonb) is
  'Writes the candidates of a machine version: those of the root for every state that they apply in, each with the loop rule that applies to it.';

create function fsm_internal.store_moves(p_machine text, p_machine_version integer)
returns void
language plpgsql
volatile
as $$
begin
  insert into fsm_internal.machine_moves (machine, machine_version, from_state, to_state, events, candidates, hits, guards,
    loop_limit, loop_window, loop_action, divert_to, same_rule, target)
  with lists as (
    select c.from_state, c.event, array_agg(c.candidate order by c.candidate) as candidates, array_agg(c.to_state order by c.candidate) as targets,
      array_agg(c.guard order by c.candidate) as guards, array_agg(c.reenter order by c.candidate) as reenters,
      array_agg(c.loop_limit order by c.candidate) as limits, array_agg(c.loop_window order by c.candidate) as windows,
      array_agg(c.loop_action order by c.candidate) as actions, array_agg(c.divert_to order by c.candidate) as diverts
    from fsm_internal.machine_candidates c
    where c.machine = p_machine and c.machine_version = p_machine_version group by c.from_state, c.event
  ), tried as (
    -- Per target of a list, the list up to the last candidate that leads there.
    select l.from_state, t.to_state, l.event, u.candidate, u.target = t.to_state as hit, u.guard, u.reenter,
      u.loop_limit, u.loop_window, u.loop_action, u.divert_to
    from lists l
    cross join lateral (select n.target, max(n.nth) from unnest(l.targets) with ordinality n (target, nth) group by n.target) t (to_state, last)
    cross join lateral unnest(l.candidates, l.targets, l.guards, l.reenters, l.limits, l.windows, l.actions, l.diverts)
      u (candidate, target, guard, reenter, loop_limit, loop_window, loop_action, divert_to)
    where u.candidate <= t.last
    union all
    -- A pure update of the context: a pair that no candidate decides.
    select s.state, s.state, null, null, null, null, null, null, null, null, null from fsm_internal.machine_states s
    where s.machine = p_machine and s.machine_version = p_machine_version and not s.is_final
  ), pairs as (
    select t.from_state, t.to_state,
      array_agg(t.event order by t.event collate "C", t.candidate) filter (where t.event is not null) as events,
      array_agg(t.candidate order by t.event collate "C", t.candidate) filter (where t.event is not null) as candidates,
      array_agg(t.hit order by t.event collate "C", t.candidate) filter (where t.event is not null) as hits,
      array_agg(t.guard order by t.event collate "C", t.candidate) filter (where t.event is not null) as guards,
      count(distinct (t.loop_limit, t.loop_window, t.loop_action, t.divert_to)) filter (where t.hit) as rules,
      coalesce(bool_or(t.reenter and t.from_state = t.to_state) filter (where t.hit), false) as reenters,
      min(t.loop_limit) filter (where t.hit) as loop_limit, min(t.loop_window) filter (where t.hit) as loop_window,
      min(t.loop_action) filter (where t.hit) as loop_action, min(t.divert_to) filter (where t.hit) as divert_to
    from tried t group by t.from_state, t.to_state
  )
  select p_machine, p_machine_version, p.from_state, p.to_state, coalesce(p.events, '{}'), coalesce(p.candidates, '{}'),
    coalesce(p.hits, '{}'), coalesce(p.guards, '{}'),
    case when p.rules = 1 then p.loop_limit end, case when p.rules = 1 then p.loop_window end,
    case when p.rules = 1 then p.loop_action end, case when p.rules = 1 then p.divert_to end,
    p.rules <= 1 and not p.reenters, fsm_internal.admission_of(p_machine, p_machine_version, p.to_state)
  from pairs p;
end
$$;
comment on function fsm_internal.store_moves(text, integer) is
  'Writes what a save from one state to another has to try, put together from the candidates. Where the hits of a pair have different loop rules, the pair has none and same_rule is false.';

-- internal/machines/target_findings.sql
create function fsm_internal.target_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
immutable
as $$
begin
  return query
    with targets as (
      select c.body -> 'target' as target, c.target_path as path from fsm_internal.definition_candidates(p_definition) c
      union all
      select d.body -> 'target', d.target_path from fsm_internal.definition_deadlines(p_definition) d
      union all
      select c.body #> '{meta,loop,action,divert}', c.path || '.meta.loop.action.divert' from fsm_internal.definition_candidates(p_definition) c
      union all
      select p_definition #> '{meta,loop,action,divert}', '$.meta.loop.action.divert'
    ), named as (
      select t.path, t.target, fsm_internal.definition_target(p_definition ->> 'id', fsm_internal.definition_text(t.target)) as state
      from targets t where t.target is not null
    )
    select 'error', case when n.state is null then 'wrong_type' else 'unknown_target' end, n.path,
      case when n.state is null then format('a target is the name of a state, not %s', jsonb_typeof(n.target))
        else format('there is no state %s', to_jsonb(left(n.state, 128))) end
    from named n
    left join jsonb_object_keys(fsm_internal.definition_object(p_definition -> 'states')) s (state) on s.state = n.state
    where s.state is null;
end
$$;
comment on function fsm_internal.target_findings(jsonb) is
  'Every target of a transition, a deadline or a diverted loop that is no state of the machine.';

-- internal/schema/compile_schema.sql
create function fsm_internal.compile_schema(p_schema jsonb)
returns table (schema_check jsonpath, schema_rest jsonb)
language plpgsql
immutable
as $$
declare
  v_resolved jsonb;
begin
  if p_schema is not null then
    v_resolved := fsm_internal.schema_resolve(fsm_internal.schema_definitions(p_schema), p_schema);
    schema_check := ('strict !exists($?(' || fsm_internal.schema_violation(v_resolved) || '))')::jsonpath;
    schema_rest := nullif(fsm_internal.schema_rest_below('strict $', fsm_internal.schema_rest(v_resolved)), '[]');
  end if;
  return next;
end
$$;
comment on function fsm_internal.compile_schema(jsonb) is
  'A context_schema without schema_problems, made ready for the hot path. A context is valid when schema_check is null or jsonb_path_match(context, schema_check, ''{}'', true) is true, and schema_rest is null or schema_rest_holds(schema_rest, context). The first is false or null, never an error, for any other.';

-- internal/schema/schema_all_nodes.sql
create function fsm_internal.schema_all_nodes(p_schema jsonb)
returns table (owner text, node jsonb, path text, depth int)
language plpgsql
immutable
as $$
begin
  return query
    with units (owner, unit, path) as (
      select null, p_schema, '$'
      union all
      select d.key, d.value, fsm_internal.schema_path('$."$defs"', d.key)
      from jsonb_each(case when jsonb_typeof(p_schema -> '$defs') = 'object' then p_schema -> '$defs' end) d
    )
    select u.owner, n.node, n.path, n.depth
    from units u cross join lateral fsm_internal.schema_nodes(u.unit, u.path) n
    limit 5001;
end
$$;
comment on function fsm_internal.schema_all_nodes(jsonb) is
  'A context_schema and all its subschemas, each with the definition it stands in (null: in none). Ends at 5,001 rows, one beyond the limit.';

-- internal/schema/schema_alternative_findings.sql
create function fsm_internal.schema_alternative_findings(p_schema jsonb, p_value jsonb, p_path text, p_limit int)
returns jsonb[]
language plpgsql
immutable
as $$
declare
  v_alternatives jsonb := p_schema -> 'anyOf';
  v_found jsonb[];
  v_meant jsonb[];
  v_count int := 0;
begin
  for i in 0 .. jsonb_array_length(v_alternatives) - 1 loop
    v_found := fsm_internal.schema_node_findings(v_alternatives -> i, p_value, p_path, p_limit);
    if v_found = '{}' then
      return v_found;
    elsif not exists (
      -- One of another type, or with another constant in a member such as "kind", is not meant.
      select from unnest(v_found) f
      where f ->> 0 in ('type', 'const', 'enum', 'false_schema') and f ->> 1 = p_path
        or f ->> 0 in ('const', 'enum') and substr(f ->> 1, length(p_path) + 1) ~ E'^\\.[A-Za-z0-9_]+$') then
      v_meant := v_found;
      v_count := v_count + 1;
    end if;
  end loop;
  -- When only one is meant, what that one misses says more than that none holds.
  if v_count = 1 then
    return v_meant;
  end if;
  return array[jsonb_build_array('anyOf', p_path, format('matches none of the %s alternatives (%s), found %s',
    jsonb_array_length(v_alternatives),
    (select string_agg(fsm_internal.schema_expected(a.value), '; ' order by a.ordinality)
     from jsonb_array_elements(v_alternatives) with ordinality a where a.ordinality <= 6),
    fsm_internal.schema_sample(p_value)))];
end
$$;
comment on function fsm_internal.schema_alternative_findings(jsonb, jsonb, text, int) is 'schema_node_findings of anyOf.';

-- internal/schema/schema_children.sql
create function fsm_internal.schema_children(p_schema jsonb, p_path text)
returns table (child jsonb, path text)
language plpgsql
immutable
as $$
begin
  if jsonb_typeof(p_schema -> 'properties') = 'object' then
    return query
      select p.value, fsm_internal.schema_path(p_path || '.properties', p.key)
      from jsonb_each(p_schema -> 'properties') p;
  end if;
  if p_schema ? 'items' then
    return query select p_schema -> 'items', p_path || '.items';
  end if;
  if jsonb_typeof(p_schema -> 'anyOf') = 'array' then
    return query
      select a.value, format('%s.anyOf[%s]', p_path, a.ordinality - 1)
      from jsonb_array_elements(p_schema -> 'anyOf') with ordinality a;
  end if;
  if jsonb_typeof(p_schema -> '$ref') in ('object', 'boolean') then
    return query select p_schema -> '$ref', p_path || '."$ref"';
  end if;
end
$$;
comment on function fsm_internal.schema_children(jsonb, text) is
  'The subschemas that stand directly in a schema, with their paths; of $ref only one that schema_resolve put in place.';

-- internal/schema/schema_constant.sql
create function fsm_internal.schema_constant(p_item text, p_value jsonb)
returns text
language plpgsql
immutable
as $$
declare
  v_keys text[];
begin
  if jsonb_typeof(p_value) not in ('object', 'array') then
    return p_item || '==' || p_value::text;
  elsif p_item <> '@' then
    return format('exists(%s?(%s))', p_item, fsm_internal.schema_constant('@', p_value));
  elsif jsonb_typeof(p_value) = 'array' then
    return fsm_internal.schema_joined(format('@.size()==%s', jsonb_array_length(p_value)) || array(
      select fsm_internal.schema_constant(format('@[%s]', a.ordinality - 1), a.value)
      from jsonb_array_elements(p_value) with ordinality a
      order by a.ordinality), '&&');
  elsif p_value = '{}' then
    return '!exists(@.*)';
  end if;
  v_keys := array(select jsonb_object_keys(p_value));
  return fsm_internal.schema_joined(array(
      select fsm_internal.schema_constant('@.' || to_jsonb(k.key)::text, k.value)
      from jsonb_each(p_value) k
      order by k.key collate "C")
    || format('!exists(@.keyvalue().key?(!(%s)))', fsm_internal.schema_one_of(v_keys)), '&&');
end
$$;
comment on function fsm_internal.schema_constant(text, jsonb) is
  'A jsonpath predicate that is true exactly when the item equals the value (numbers as numbers, objects whatever the order of keys); else false or unknown.';

-- internal/schema/schema_container_terms.sql
create function fsm_internal.schema_container_terms(p_schema jsonb)
returns text[]
language plpgsql
immutable
as $$
declare
  v_required text;
  v_terms text[];
begin
  v_required := fsm_internal.schema_joined(array(
    select '(exists(@.' || r.value::text || '))is unknown'
    from jsonb_array_elements(p_schema -> 'required') r
    order by r.value #>> '{}' collate "C"), '||');
  v_terms := array[case
    when p_schema -> 'type' in ('"object"', '["object"]') then v_required
    else '@.type()=="object"&&(' || v_required || ')' end];
  v_terms := v_terms || array(
    select 'exists(@.' || to_jsonb(p.key)::text || '?(' || fsm_internal.schema_violation(p.value) || '))'
    from jsonb_each(p_schema -> 'properties') p
    order by p.key collate "C");
  if p_schema -> 'additionalProperties' = 'false' then
    v_terms := v_terms || case
      when coalesce(p_schema -> 'properties', '{}') = '{}' then 'exists(@.*)'
      else 'exists(@.keyvalue().key?(!(' || fsm_internal.schema_one_of(array(select jsonb_object_keys(p_schema -> 'properties'))) || ')))' end;
  end if;
  return v_terms || ('exists(@[*]?(' || fsm_internal.schema_violation(p_schema -> 'items') || '))');
end
$$;
comment on function fsm_internal.schema_container_terms(jsonb) is
  'The violations of required, properties, additionalProperties and items: jsonpath predicates on @, each true exactly when its keyword is violated, else false or unknown. Null terms say nothing.';

-- internal/schema/schema_definition_name.sql
create function fsm_internal.schema_definition_name(p_ref text)
returns text
language plpgsql
immutable
as $$
declare
  v_pointer text := p_ref;
begin
  if p_ref like $re$%\%%$re$ then
    if p_ref ~ '%(?![0-9A-Fa-f]{2})' then
      return null;
    end if;
    begin
      v_pointer := convert_from((
        select string_agg(case when m.part[1] like $re$\%%$re$ then decode(right(m.part[1], 2), 'hex') else convert_to(m.part[1], 'UTF8') end,
          '' order by m.position)
        from regexp_matches(p_ref, '%..|[^%]+', 'g') with ordinality m (part, position)), 'UTF8');
    exception when character_not_in_repertoire then
      return null;
    end;
  end if;
  if v_pointer !~ E'^#/\\$defs/(?:[^/~]|~[01])*$' then
    return null;
  end if;
  return replace(replace(substr(v_pointer, length('#/$defs/') + 1), '~1', '/'), '~0', '~');
end
$$;
comment on function fsm_internal.schema_definition_name(text) is
  'The key in $defs that a $ref means: a JSON pointer (~0 ~1) in a URI fragment (%-escapes). Null for any other reference.';

-- internal/schema/schema_definitions.sql
create function fsm_internal.schema_definitions(p_schema jsonb)
returns jsonb
language plpgsql
immutable
as $$
declare
  v_open jsonb := coalesce(p_schema -> '$defs', '{}');
  v_done jsonb := jsonb '{}';
  v_next jsonb;
  v_needs jsonb;
begin
  if v_open = '{}' then
    return v_done;
  end if;
  select coalesce(jsonb_object_agg(r.owner, r.targets), '{}') into v_needs
  from (select s.owner, jsonb_agg(distinct s.target) as targets
        from fsm_internal.schema_references(p_schema) s where s.owner is not null group by s.owner) r;
  -- In every pass those whose references are all done. A definition that needs itself is never done.
  for v_pass in 1 .. 64 loop
    select jsonb_object_agg(d.key, case
        when v_done @> any (select jsonb_build_object(n, null) from jsonb_array_elements_text(v_needs -> d.key) n) then 'null'
        else fsm_internal.schema_resolve(v_done, d.value) end)
      into v_next
    from jsonb_each(v_open) d
    where not exists (select from jsonb_array_elements_text(v_needs -> d.key) n where not v_done ? n);
    exit when v_next is null;
    v_open := v_open - array(select jsonb_object_keys(v_next));
    v_done := v_done || (
      select jsonb_object_agg(n.key, case when octet_length(n.value::text) <= 65536 then n.value else 'null' end) from jsonb_each(v_next) n);
  end loop;
  return v_done;
end
$$;
comment on function fsm_internal.schema_definitions(jsonb) is
  'The resolved $defs of a context_schema by name: null for one beyond 65,536 bytes, nothing for one that refers to itself or stands at the end of a chain of more than 64. Each is resolved once, so that references to references do not multiply the work.';

-- internal/schema/schema_enum_has.sql
create function fsm_internal.schema_enum_has(p_values jsonb, p_value jsonb)
returns boolean
language plpgsql
immutable
as $$
begin
  if jsonb_typeof(p_value) in ('object', 'array') then
    return exists (select from jsonb_array_elements(p_values) e where e.value = p_value);
  end if;
  return p_values @> p_value;
end
$$;
comment on function fsm_internal.schema_enum_has(jsonb, jsonb) is 'Whether a value equals one of the list, numbers as numbers.';

-- internal/schema/schema_expansion_problems.sql
create function fsm_internal.schema_expansion_problems(p_schema jsonb)
returns table (code text, path text, message text)
language plpgsql
immutable
as $$
declare
  v_definitions jsonb := fsm_internal.schema_definitions(p_schema);
  v_open text[];
  v_resolved jsonb;
  v_bytes int;
begin
  v_open := array(select d from jsonb_object_keys(coalesce(p_schema -> '$defs', '{}')) d where not v_definitions ? d);
  if v_open <> '{}' then
    return query
      select 'recursive_ref', r.path, format('%s leads back to itself: recursion is not supported', fsm_internal.schema_sample(to_jsonb(r.ref)))
      from fsm_internal.schema_references(p_schema) r
      where r.owner = any (v_open) and r.target = any (v_open) and not exists (
        -- One that waits for nothing open was cut off by the limit of schema_definitions.
        select from unnest(v_open) o (name)
        where not exists (select from fsm_internal.schema_references(p_schema) s where s.owner = o.name and s.target = any (v_open)));
    if not found then
      return query select 'schema_too_deep', '$."$defs"', 'references to references go deeper than 64 levels';
    end if;
    return;
  end if;
  return query
    select 'schema_too_large', fsm_internal.schema_path('$."$defs"', d.key), 'with its references written out it has more than 65536 bytes'
    from jsonb_each(v_definitions) d where d.value = 'null';
  if found then
    return;
  end if;
  v_resolved := fsm_internal.schema_resolve(v_definitions, p_schema);
  v_bytes := octet_length(v_resolved::text);
  if v_bytes > 65536 then
    return query select 'schema_too_large', '$', format('with its references written out it has %s bytes; the limit is 65536', v_bytes);
  elsif (select max(n.depth) from fsm_internal.schema_nodes(v_resolved, '$') n) > 64 then
    return query select 'schema_too_deep', '$', 'with its references written out it nests deeper than 64 levels';
  else
    v_bytes := greatest(octet_length(fsm_internal.schema_violation(v_resolved)), octet_length(fsm_internal.schema_rest(v_resolved)::text));
    if v_bytes > 65536 then
      return query select 'schema_too_large', '$', format('compiled to jsonpath it has %s bytes; the limit is 65536', v_bytes);
    end if;
  end if;
end
$$;
comment on function fsm_internal.schema_expansion_problems(jsonb) is
  'What is wrong with a context_schema that is sound keyword by keyword: references that lead in a circle, and limits that it exceeds when they are written out.';

-- internal/schema/schema_expected.sql
create function fsm_internal.schema_expected(p_schema jsonb)
returns text
language plpgsql
immutable
as $$
declare
  v_list jsonb := coalesce(p_schema -> 'enum', p_schema -> 'type', '[]');
begin
  if p_schema ? 'const' then
    return fsm_internal.schema_sample(p_schema -> 'const');
  elsif p_schema ? '$ref' and v_list = '[]' then
    return fsm_internal.schema_expected(p_schema -> '$ref');
  elsif jsonb_typeof(v_list) = 'string' then
    return v_list #>> '{}';
  end if;
  return coalesce((
    select string_agg(case when p_schema ? 'enum' then fsm_internal.schema_sample(e.value) else e.value #>> '{}' end, ' or ' order by e.ordinality)
      || case when jsonb_array_length(v_list) > 6 then format(' or one of %s more', jsonb_array_length(v_list) - 6) else '' end
    from jsonb_array_elements(v_list) with ordinality e
    where e.ordinality <= 6), case when p_schema ? 'enum' then 'nothing' else 'another value' end);
end
$$;
comment on function fsm_internal.schema_expected(jsonb) is 'In a few words what const, enum or type of a resolved schema ask for.';

-- internal/schema/schema_findings.sql
create function fsm_internal.schema_findings(p_schema jsonb, p_value jsonb, p_limit int default 20)
returns table (code text, path text, message text)
language plpgsql
immutable
as $$
declare
  v_schema jsonb := p_schema;
begin
  if p_schema is null or p_limit < 1 then
    return;
  elsif p_value is null then
    return query select 'type', '$', 'there is no value';
    return;
  end if;
  -- What has no $defs has no $ref to be resolved.
  if p_schema ? '$defs' then
    v_schema := fsm_internal.schema_resolve(fsm_internal.schema_definitions(p_schema), p_schema);
  end if;
  if jsonb_typeof(p_schema) = 'array' then
    return query select 'schema', '$', 'the rest of the schema does not hold' where not fsm_internal.schema_rest_holds(p_schema, p_value);
    return;
  end if;
  return query
    select f ->> 0, f ->> 1, f ->> 2
    from unnest(fsm_internal.schema_node_findings(v_schema, p_value, '$', coalesce(p_limit, 2147483647))) f;
end
$$;
comment on function fsm_internal.schema_findings(jsonb, jsonb, int) is
  'Why a value violates a context_schema that has no schema_problems: the keyword that fails, the jsonpath of the value (of a missing key: its place), and a sentence. No rows: valid. p_limit null: all. For a schema_rest there is one row, without details, unless schema_rest_holds.';

-- internal/schema/schema_ignored.sql
create function fsm_internal.schema_ignored()
returns text[]
language sql
immutable
return array['title', 'description', 'default', 'examples', 'deprecated', 'format', '$schema', '$id', '$comment'];
comment on function fsm_internal.schema_ignored() is 'The keywords of a context_schema that say nothing about validity.';

-- internal/schema/schema_item_findings.sql
create function fsm_internal.schema_item_findings(p_schema jsonb, p_value jsonb, p_path text, p_limit int)
returns jsonb[]
language plpgsql
immutable
as $$
declare
  v_found jsonb[] := array[]::jsonb[];
  v_index bigint;
  v_item jsonb;
begin
  for v_item, v_index in
    select a.value, a.ordinality - 1 from jsonb_array_elements(p_value) with ordinality a
  loop
    v_found := v_found || fsm_internal.schema_node_findings(
      p_schema -> 'items', v_item, p_path || '[' || v_index || ']', p_limit - cardinality(v_found));
    exit when cardinality(v_found) >= p_limit;
  end loop;
  return v_found;
end
$$;
comment on function fsm_internal.schema_item_findings(jsonb, jsonb, text, int) is 'schema_node_findings of the items of an array, in their order.';

-- internal/schema/schema_joined.sql
create function fsm_internal.schema_joined(p_terms text[], p_operator text)
returns text
language plpgsql
immutable
as $$
declare
  v_terms text[] := array_remove(p_terms, null);
begin
  while cardinality(v_terms) > 32 loop
    -- In groups, because jsonpath descends once per operator of a chain and the stack is finite.
    v_terms := array(
      select '(' || string_agg(t.term, p_operator order by t.ordinality) || ')'
      from unnest(v_terms) with ordinality t (term, ordinality)
      group by (t.ordinality - 1) / 32
      order by (t.ordinality - 1) / 32);
  end loop;
  return nullif(array_to_string(v_terms, p_operator), '');
end
$$;
comment on function fsm_internal.schema_joined(text[], text) is 'Jsonpath predicates joined by && or ||; null terms are left out, and null if none is left.';

-- internal/schema/schema_keyword_hint.sql
create function fsm_internal.schema_keyword_hint(p_keyword text)
returns text
language sql
immutable
return case
  when p_keyword = 'oneOf' then 'use anyOf'
  when p_keyword = 'allOf' then 'write the keywords side by side; a $ref may stand beside them'
  when p_keyword = 'discriminator' then 'leave it out; anyOf with a const in each alternative says the same'
  when p_keyword in ('prefixItems', 'additionalItems', 'unevaluatedItems', 'contains', 'minContains', 'maxContains', 'uniqueItems')
    then 'arrays have items (one schema for all), minItems and maxItems'
  when p_keyword in ('patternProperties', 'propertyNames', 'unevaluatedProperties', 'minProperties', 'maxProperties')
    then 'objects have properties, required and additionalProperties (true or false)'
  when p_keyword in ('not', 'if', 'then', 'else', 'dependentRequired', 'dependentSchemas', 'dependencies')
    then 'conditions between values belong into an invariant'
  when p_keyword = 'multipleOf' then 'use an invariant, such as $.amount % 5 == 0'
  when p_keyword = 'definitions' then 'use $defs at the top of the schema'
  when p_keyword in ('$anchor', '$dynamicRef', '$dynamicAnchor', '$recursiveRef', '$recursiveAnchor', '$vocabulary', 'id')
    then 'use $ref with #/$defs/Name'
  when p_keyword = 'nullable' then 'add "null" to type'
  when p_keyword in ('readOnly', 'writeOnly', 'contentEncoding', 'contentMediaType', 'contentSchema') then 'leave it out; it says nothing about validity'
  else 'the keywords are type, required, properties, additionalProperties, items, minItems, maxItems, enum, const, minimum, maximum, '
    'exclusiveMinimum, exclusiveMaximum, minLength, maxLength, pattern, anyOf, $ref and $defs'
end;
comment on function fsm_internal.schema_keyword_hint(text) is 'What to write instead of a keyword that is not supported.';

-- internal/schema/schema_length_limit.sql
create function fsm_internal.schema_length_limit()
returns integer
language sql
immutable
return 64;
comment on function fsm_internal.schema_length_limit() is
  'Up to this many characters a length is tested by a regular expression. Its cost rises with the square of the bound (6 us at 64, 75 us at 250), so longer ones are left to schema_rest.';

-- internal/schema/schema_length_terms.sql
create function fsm_internal.schema_length_terms(p_schema jsonb)
returns text[]
language plpgsql
immutable
as $$
declare
  v_min numeric := (p_schema -> 'minLength')::numeric;
  v_max numeric := (p_schema -> 'maxLength')::numeric;
  v_limit int := fsm_internal.schema_length_limit();
begin
  return array[
    case
      when v_min = 1 then '@==""'
      when v_min between 2 and v_limit then '@ like_regex "^.{0,' || trunc(v_min) - 1 || '}$" flag "s"'
    end,
    case
      when v_max = 0 then '@>""'
      when v_max <= v_limit then '@ like_regex "^.{' || trunc(v_max) + 1 || '}" flag "s"'
    end];
end
$$;
comment on function fsm_internal.schema_length_terms(jsonb) is
  'The violations of minLength and maxLength up to schema_length_limit: jsonpath predicates on @, true exactly for a string that is too short or too long.';

-- internal/schema/schema_member_findings.sql
create function fsm_internal.schema_member_findings(p_schema jsonb, p_value jsonb, p_path text, p_limit int)
returns jsonb[]
language plpgsql
immutable
as $$
declare
  v_found jsonb[] := array[]::jsonb[];
  v_key text;
  v_child jsonb;
begin
  if p_schema ? 'required' then
    v_found := array(
      select jsonb_build_array('required', fsm_internal.schema_path(p_path, r.key), 'required, but missing')
      from jsonb_array_elements_text(p_schema -> 'required') r (key)
      where not p_value ? r.key
      order by r.key collate "C" limit p_limit);
  end if;
  if p_schema -> 'additionalProperties' = 'false' then
    v_found := v_found || array(
      select jsonb_build_array('additionalProperties', fsm_internal.schema_path(p_path, k.key), 'not allowed: no property of this name is defined')
      from jsonb_object_keys(p_value) k (key)
      where not coalesce(p_schema -> 'properties' ? k.key, false)
      order by k.key collate "C" limit p_limit);
  end if;
  if p_schema ? 'properties' then
    for v_key, v_child in
      select p.key, p.value from jsonb_each(p_schema -> 'properties') p where p_value ? p.key order by p.key collate "C"
    loop
      exit when cardinality(v_found) >= p_limit;
      v_found := v_found || fsm_internal.schema_node_findings(
        v_child, p_value -> v_key, fsm_internal.schema_path(p_path, v_key), p_limit - cardinality(v_found));
    end loop;
  end if;
  return v_found;
end
$$;
comment on function fsm_internal.schema_member_findings(jsonb, jsonb, text, int) is 'schema_node_findings of the keywords about an object''s members.';

-- internal/schema/schema_message.sql
create function fsm_internal.schema_message(p_keyword text, p_schema jsonb, p_value jsonb)
returns text
language plpgsql
immutable
as $$
declare
  v_expected text := case
    when p_keyword in ('type', 'const', 'enum') then fsm_internal.schema_expected(jsonb_build_object(p_keyword, p_schema -> p_keyword))
    else fsm_internal.schema_sample(p_schema -> p_keyword) end;
  v_found text := fsm_internal.schema_sample(p_value);
begin
  if p_keyword = 'type' and jsonb_typeof(p_value) in ('number', 'string', 'boolean') then
    v_found := jsonb_typeof(p_value) || ' ' || v_found;
  elsif p_keyword in ('minLength', 'maxLength') then
    v_found := length(p_value #>> '{}') || ': ' || v_found;
  elsif p_keyword in ('minItems', 'maxItems') then
    v_found := jsonb_array_length(p_value)::text;
  end if;
  return format(case p_keyword
    when 'pattern' then 'expected a string that matches %s, found %s'
    when 'minLength' then 'expected at least %s characters, found %s'
    when 'maxLength' then 'expected at most %s characters, found %s'
    when 'minItems' then 'expected at least %s items, found %s'
    when 'maxItems' then 'expected at most %s items, found %s'
    when 'minimum' then 'expected at least %s, found %s'
    when 'maximum' then 'expected at most %s, found %s'
    when 'exclusiveMinimum' then 'expected more than %s, found %s'
    when 'exclusiveMaximum' then 'expected less than %s, found %s'
    else 'expected %s, found %s' end, v_expected, v_found);
end
$$;
comment on function fsm_internal.schema_message(text, jsonb, jsonb) is 'What a keyword of schema_violated_keywords asks for, and what the value is, in one sentence.';

-- internal/schema/schema_node_findings.sql
create function fsm_internal.schema_node_findings(p_schema jsonb, p_value jsonb, p_path text, p_limit int)
returns jsonb[]
language plpgsql
immutable
as $$
declare
  v_found jsonb[] := array[]::jsonb[];
  v_keyword text;
begin
  if p_schema = 'false' then
    return array[jsonb_build_array('false_schema', p_path, 'no value is allowed here, found ' || fsm_internal.schema_sample(p_value))];
  end if;
  foreach v_keyword in array fsm_internal.schema_violated_keywords(p_schema, p_value) loop
    v_found := v_found || jsonb_build_array(v_keyword, p_path, fsm_internal.schema_message(v_keyword, p_schema, p_value));
  end loop;
  if jsonb_typeof(p_value) = 'object' and cardinality(v_found) < p_limit then
    v_found := v_found || fsm_internal.schema_member_findings(p_schema, p_value, p_path, p_limit - cardinality(v_found));
  elsif p_schema ? 'items' and jsonb_typeof(p_value) = 'array' and cardinality(v_found) < p_limit then
    v_found := v_found || fsm_internal.schema_item_findings(p_schema, p_value, p_path, p_limit - cardinality(v_found));
  end if;
  if p_schema ? 'anyOf' and cardinality(v_found) < p_limit then
    v_found := v_found || fsm_internal.schema_alternative_findings(p_schema, p_value, p_path, p_limit - cardinality(v_found));
  end if;
  if p_schema ? '$ref' and cardinality(v_found) < p_limit then
    v_found := v_found || fsm_internal.schema_node_findings(p_schema -> '$ref', p_value, p_path, p_limit - cardinality(v_found));
  end if;
  return v_found[:p_limit];
end
$$;
comment on function fsm_internal.schema_node_findings(jsonb, jsonb, text, int) is
  'Why the value at p_path violates a resolved schema: arrays [code, path, message], at most p_limit, which is at least 1; empty if it does not.';

-- internal/schema/schema_node_problems.sql
create function fsm_internal.schema_node_problems(p_node jsonb, p_path text)
returns table (code text, path text, message text)
language plpgsql
immutable
as $$
begin
  if jsonb_typeof(p_node) not in ('object', 'boolean') then
    return query select 'bad_value', p_path, format('a schema must be an object, true or false, not %s', fsm_internal.schema_sample(p_node));
  elsif jsonb_typeof(p_node) = 'object' then
    return query
      select p.code, fsm_internal.schema_path(p_path, k.key), p.message
      from jsonb_each(p_node - fsm_internal.schema_ignored()) k
      cross join lateral (
        select 'bad_value' as code, format('%s %s', k.key, fsm_internal.schema_value_problem(k.key, k.value)) as message
        where fsm_internal.schema_value_problem(k.key, k.value) is not null
        union all
        select 'bad_pattern', format('pattern is refused: %s', fsm_internal.schema_pattern_problem(k.value #>> '{}'))
        where k.key = 'pattern' and fsm_internal.schema_pattern_problem(case when jsonb_typeof(k.value) = 'string' then k.value #>> '{}' end) is not null
        union all
        select 'schema_too_large', format('%s has %s bytes; the limit is 65536', k.key, octet_length(k.value::text))
        where k.key in ('enum', 'const') and octet_length(k.value::text) > 65536
        union all
        select 'unknown_keyword', format('"%s" is not supported: %s', left(k.key, 60), fsm_internal.schema_keyword_hint(k.key))
        where k.key not in ('type', 'required', 'properties', 'additionalProperties', 'items', 'minItems', 'maxItems', 'enum', 'const', 'minimum',
          'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'minLength', 'maxLength', 'pattern', 'anyOf', '$ref', '$defs')
        union all
        select 'misplaced_defs', '$defs may stand only at the top of the schema, where #/$defs/Name finds it'
        where k.key = '$defs' and p_path <> '$'
      ) p;
  end if;
end
$$;
comment on function fsm_internal.schema_node_problems(jsonb, text) is 'What is wrong with one schema, apart from its subschemas and from what its $ref leads to.';

-- internal/schema/schema_nodes.sql
create function fsm_internal.schema_nodes(p_schema jsonb, p_path text)
returns table (node jsonb, path text, depth int)
language plpgsql
immutable
as $$
begin
  return query
    with recursive nodes (node, path, depth) as (
      select p_schema, p_path, 0
      union all
      select c.child, c.path, n.depth + 1
      from nodes n cross join lateral fsm_internal.schema_children(n.node, n.path) c
      where n.depth <= 64 and jsonb_typeof(n.node) = 'object'
    )
    select n.node, n.path, n.depth from nodes n limit 5001;
end
$$;
comment on function fsm_internal.schema_nodes(jsonb, text) is
  'A schema and all its subschemas, without those in $defs. Ends one step beyond each limit: at depth 65 and at 5,001 rows.';

-- internal/schema/schema_one_of.sql
create function fsm_internal.schema_one_of(p_strings text[])
returns text
language plpgsql
immutable
as $$
declare
  v_strings text[] := array(select distinct s collate "C" from unnest(p_strings) s order by 1);
  v_half int := cardinality(v_strings) / 2;
begin
  if cardinality(v_strings) <= 6 then
    return fsm_internal.schema_joined(array(select '@==' || to_jsonb(s)::text from unnest(v_strings) s), '||');
  end if;
  return format('(@<%1$s&&(%2$s)||@>=%1$s&&(%3$s))', to_jsonb(v_strings[v_half + 1]),
    fsm_internal.schema_one_of(v_strings[:v_half]), fsm_internal.schema_one_of(v_strings[v_half + 1:]));
end
$$;
comment on function fsm_internal.schema_one_of(text[]) is
  'A jsonpath predicate on @: true for each of these strings, false for any other string, not true for anything else. Long lists are searched by halves.';

-- internal/schema/schema_pattern_problem.sql
create function fsm_internal.schema_pattern_problem(p_pattern text)
returns text
language plpgsql
immutable
as $$
declare
  v_weight record;
begin
  if p_pattern like '***%' or p_pattern ~ $re$^\(\?[a-z]*[beqx][a-z]*\)$re$ then
    return 'the directors *** and the embedded options b, e, q and x are not supported';
  elsif regexp_replace(p_pattern, $re$\\[^1-9]$re$, ' ', 'g') ~ $re$\\[1-9]$re$ then
    return 'back-references are not supported, because they can take exponential time';
  elsif length(p_pattern) > 2000 then
    return 'longer than 2,000 characters';
  end if;
  select * into v_weight from fsm_internal.schema_pattern_weight(p_pattern);
  if v_weight.anchors > 0 then
    return 'anchors and lookaround inside a repeated group are not supported, because they can take exponential time';
  elsif v_weight.atoms > 2000 or v_weight.loops > 50 then
    return format('too large: written out, its bounds give %s characters or classes (limit 2000) and %s quantifiers (limit 50)',
      v_weight.atoms, v_weight.loops);
  end if;
  begin
    perform ('strict $ like_regex ' || to_jsonb(p_pattern)::text)::jsonpath;
  exception when invalid_regular_expression then
    return sqlerrm;
  end;
  return null;
end
$$;
comment on function fsm_internal.schema_pattern_problem(text) is
  'Why a pattern is refused; null if it is not. What passes compiles in a few milliseconds (30 at worst, found by random search), matches without backtracking and does not raise; lookaround still takes time that rises with the square of the text, and can be cancelled.';

-- internal/schema/schema_pattern_weight.sql
create function fsm_internal.schema_pattern_weight(p_pattern text)
returns table (atoms numeric, loops numeric, anchors int)
language plpgsql
immutable
as $$
declare
  v_tokens text[] := array(
    select m.token[1]
    from regexp_matches(p_pattern,
      $re$(\\.|\[\^?\]?(?:\[[:.=][^\]]*\]|\\.|[^\]\\])*\]|\{[0-9]+(?:,[0-9]*)?\}\??|[*+?]\??|\((?:\?(?:[:=!]|<[=!]))?|.)$re$, 'g')
      with ordinality m (token, position)
    order by m.position);
  v_token text;
  v_factor numeric := 1.0;                  -- how often what stands here is copied
  v_outer numeric[] := array[]::numeric[];  -- the factors around the groups that are open here
  v_times numeric := 1.0;                   -- of the quantifier to the right
begin
  atoms := 0;
  loops := 0;
  anchors := 0;
  -- From right to left, because a quantifier stands behind what it repeats.
  for i in reverse cardinality(v_tokens) .. 1 loop
    v_token := v_tokens[i];
    -- What may be empty costs like a quantifier.
    if v_token like '{0%' or (v_token = '|' or v_token like '(%') and coalesce(v_tokens[i + 1], '|') in ('|', ')') then
      loops := loops + v_factor;
    end if;
    if v_token ~ $re$^\{[0-9]$re$ then
      v_times := v_times * (select max(greatest(b.bound[1]::numeric, 1)) from regexp_matches(v_token, '[0-9]+', 'g') b (bound));
    elsif v_token ~ '^[*+?]' then
      loops := loops + v_factor * v_times;
      v_times := v_times * case when v_token like '?%' then 1 else 2 end;
    else
      if v_token = ')' then
        v_outer := v_factor || v_outer;
        v_factor := v_factor * v_times;
      elsif v_token like '(%' then
        v_factor := coalesce(v_outer[1], 1);
        v_outer := v_outer[2:];
      else
        atoms := atoms + v_factor * v_times;
      end if;
      if v_factor > 1 and v_token ~ E'^(?:\\^|\\$|\\\\[AZmMyY]|\\[\\[:[<>]:\\]\\]|\\(\\?<?[=!])$' then
        anchors := anchors + 1;
      end if;
      v_times := 1;
    end if;
  end loop;
  return next;
end
$$;
comment on function fsm_internal.schema_pattern_weight(text) is
  'What a regular expression grows to when its bounds are written out: its atoms, and its quantifiers ? * +; and the anchors and lookarounds inside repeated groups. An estimate from above: the time to compile it rises with the third power of loops, and exponentially with anchors.';

-- internal/schema/schema_problems.sql
create function fsm_internal.schema_problems(p_schema jsonb)
returns table (code text, path text, message text)
language plpgsql
immutable
as $$
declare
  v_nodes bigint;
  v_depth int;
begin
  if p_schema is null then
    return;
  end if;
  select count(*), max(n.depth) into v_nodes, v_depth from fsm_internal.schema_all_nodes(p_schema) n;
  if v_nodes > 5000 or v_depth > 64 then
    return query
      select 'schema_too_large', '$', 'it has more than 5000 schemas' where v_nodes > 5000
      union all
      select 'schema_too_deep', '$', 'it nests deeper than 64 levels' where v_depth > 64;
    return;
  end if;
  return query
    select p.code, p.path, p.message
    from (
      select q.code, q.path, q.message
      from fsm_internal.schema_all_nodes(p_schema) n cross join lateral fsm_internal.schema_node_problems(n.node, n.path) q
      union all
      select r.code, r.path, r.message from fsm_internal.schema_reference_problems(p_schema) r
    ) p
    order by p.path collate "C", p.code collate "C", p.message collate "C";
  if not found then
    return query
      select e.code, e.path, e.message from fsm_internal.schema_expansion_problems(p_schema) e order by e.path collate "C";
  end if;
end
$$;
comment on function fsm_internal.schema_problems(jsonb) is
  'Everything wrong with a context_schema; no rows: it can be compiled. Paths are jsonpath within the schema. Never raises, whatever the document. Null, no schema, has no problem.';

-- internal/schema/schema_reference_problems.sql
create function fsm_internal.schema_reference_problems(p_schema jsonb)
returns table (code text, path text, message text)
language plpgsql
immutable
as $$
begin
  return query
    select
      case when r.ref = '#' then 'recursive_ref' else 'bad_ref' end,
      r.path,
      case
        when r.ref = '#' then '"#" is the schema itself: recursion is not supported'
        when r.target is null then format('%s is not of the form #/$defs/Name', fsm_internal.schema_sample(to_jsonb(r.ref)))
        else format('there is no definition %s in $defs at the top of the schema', fsm_internal.schema_sample(to_jsonb(r.target)))
      end
    from fsm_internal.schema_references(p_schema) r
    where r.target is null or not coalesce(p_schema -> '$defs' ? r.target, false);
end
$$;
comment on function fsm_internal.schema_reference_problems(jsonb) is 'Every $ref that leads nowhere.';

-- internal/schema/schema_references.sql
create function fsm_internal.schema_references(p_schema jsonb)
returns table (owner text, target text, ref text, path text)
language plpgsql
immutable
as $$
begin
  return query
    select n.owner, fsm_internal.schema_definition_name(n.node ->> '$ref'), n.node ->> '$ref', n.path || '."$ref"'
    from fsm_internal.schema_all_nodes(p_schema) n
    where jsonb_typeof(n.node -> '$ref') = 'string';
end
$$;
comment on function fsm_internal.schema_references(jsonb) is
  'Every $ref of a context_schema: the definition it stands in (null: in none), the name it means (null: not of the form #/$defs/Name), its text and path.';

-- internal/schema/schema_resolve.sql
create function fsm_internal.schema_resolve(p_definitions jsonb, p_schema jsonb)
returns jsonb
language plpgsql
immutable
as $$
declare
  v_target jsonb;
  v_resolved jsonb;
begin
  if jsonb_typeof(p_schema) = 'boolean' then
    return p_schema;
  end if;
  v_resolved := p_schema - fsm_internal.schema_ignored() - array['$defs', '$ref'];
  if p_schema ? 'properties' then
    v_resolved := jsonb_set(v_resolved, '{properties}', coalesce((
      select jsonb_object_agg(p.key, fsm_internal.schema_resolve(p_definitions, p.value))
      from jsonb_each(p_schema -> 'properties') p), '{}'));
  end if;
  if p_schema ? 'items' then
    v_resolved := jsonb_set(v_resolved, '{items}', fsm_internal.schema_resolve(p_definitions, p_schema -> 'items'));
  end if;
  if p_schema ? 'anyOf' then
    v_resolved := jsonb_set(v_resolved, '{anyOf}', (
      select jsonb_agg(fsm_internal.schema_resolve(p_definitions, a.value) order by a.ordinality)
      from jsonb_array_elements(p_schema -> 'anyOf') with ordinality a));
  end if;
  if p_schema ? '$ref' then
    v_target := p_definitions -> fsm_internal.schema_definition_name(p_schema ->> '$ref');
    if v_resolved = '{}' then
      return v_target;
    end if;
    v_resolved := jsonb_set(v_resolved, '{$ref}', v_target);
  end if;
  return v_resolved;
end
$$;
comment on function fsm_internal.schema_resolve(jsonb, jsonb) is
  'A schema without $defs and annotations: what a $ref means stands in its place, or, beside other keywords, as a schema under "$ref". p_definitions: by name, resolved themselves.';

-- internal/schema/schema_rest.sql
create function fsm_internal.schema_rest(p_schema jsonb)
returns jsonb
language plpgsql
immutable
as $$
declare
  v_rest jsonb := jsonb '[]';
  v_part jsonb;
begin
  select jsonb_object_agg(k.key, p_schema -> k.key) into v_part
  from unnest(array['minLength', 'maxLength']) k (key)
  where (p_schema -> k.key)::numeric > fsm_internal.schema_length_limit();
  if v_part is not null then
    v_rest := v_rest || jsonb_build_array(v_part || jsonb_build_object('path', '?(@.type()=="string")'));
  end if;
  for v_part in
    select fsm_internal.schema_rest_below('?(exists(@.' || to_jsonb(p.key)::text || ')).' || to_jsonb(p.key)::text, fsm_internal.schema_rest(p.value))
    from jsonb_each(p_schema -> 'properties') p
    order by p.key collate "C"
  loop
    v_rest := v_rest || v_part;
  end loop;
  if p_schema ? 'items' then
    v_rest := v_rest || fsm_internal.schema_rest_below('?(@.type()=="array")[*]', fsm_internal.schema_rest(p_schema -> 'items'));
  end if;
  if p_schema ? '$ref' then
    v_rest := v_rest || fsm_internal.schema_rest(p_schema -> '$ref');
  end if;
  if p_schema ? 'anyOf' then
    v_rest := v_rest || fsm_internal.schema_rest_of_alternatives(p_schema -> 'anyOf');
  end if;
  return v_rest;
end
$$;
comment on function fsm_internal.schema_rest(jsonb) is
  'What of a resolved schema schema_violation leaves out, lengths beyond schema_length_limit: a list of objects with "path", which leads in strict jsonpath from the value to the values concerned, and minLength, maxLength or anyOf, which each of these must satisfy.';

-- internal/schema/schema_rest_below.sql
create function fsm_internal.schema_rest_below(p_path text, p_rest jsonb)
returns jsonb
language plpgsql
immutable
as $$
begin
  return (
    select coalesce(jsonb_agg(jsonb_set(r.value, '{path}', to_jsonb(p_path || (r.value ->> 'path'))) order by r.ordinality), '[]')
    from jsonb_array_elements(p_rest) with ordinality r);
end
$$;
comment on function fsm_internal.schema_rest_below(text, jsonb) is 'A schema_rest with another path in front of its paths.';

-- internal/schema/schema_rest_holds.sql
create function fsm_internal.schema_rest_holds(p_rest jsonb, p_value jsonb)
returns boolean
language plpgsql
immutable
as $$
begin
  return not exists (
    select
    from jsonb_array_elements(p_rest) r
    cross join lateral jsonb_path_query(p_value, (r.value ->> 'path')::jsonpath, '{}', true) v (value)
    where case
      when r.value ? 'anyOf' then fsm_internal.schema_node_findings(r.value, v.value, '', 1) <> '{}'
      else length(v.value #>> '{}') > (r.value -> 'maxLength')::numeric or length(v.value #>> '{}') < (r.value -> 'minLength')::numeric
    end);
end
$$;
comment on function fsm_internal.schema_rest_holds(jsonb, jsonb) is 'Whether a value satisfies a schema_rest of compile_schema. Together with schema_check: whether it is valid.';

-- internal/schema/schema_rest_of_alternatives.sql
create function fsm_internal.schema_rest_of_alternatives(p_alternatives jsonb)
returns jsonb
language plpgsql
immutable
as $$
declare
  v_rests jsonb[] := array(
    select fsm_internal.schema_rest(a.value) from jsonb_array_elements(p_alternatives) with ordinality a order by a.ordinality);
  v_with_rest int[];
  v_others text[];
begin
  v_with_rest := array(select i from generate_subscripts(v_rests, 1) i where v_rests[i] <> '[]');
  if cardinality(v_with_rest) = 0 then
    return jsonb '[]';
  elsif cardinality(v_rests) = 1 then
    return v_rests[1];
  elsif cardinality(v_with_rest) = 1 then
    -- The rest of the one counts for values that none of the others admits.
    v_others := array(
      select '(' || fsm_internal.schema_violation(a.value) || ')'
      from jsonb_array_elements(p_alternatives) with ordinality a
      where a.ordinality <> v_with_rest[1]);
    if array_position(v_others, null) is not null then
      return jsonb '[]';
    elsif length(array_to_string(v_others, '&&')) <= 200 then
      return fsm_internal.schema_rest_below('?(' || fsm_internal.schema_joined(v_others, '&&') || ')', v_rests[v_with_rest[1]]);
    end if;
  end if;
  return jsonb_build_array(jsonb_build_object('path', '', 'anyOf', p_alternatives));
end
$$;
comment on function fsm_internal.schema_rest_of_alternatives(jsonb) is 'schema_rest of anyOf. When several alternatives have a rest, or the others are long, it is anyOf itself, to be interpreted.';

-- internal/schema/schema_sample.sql
create function fsm_internal.schema_sample(p_value jsonb)
returns text
language plpgsql
immutable
as $$
declare
  v_text text;
begin
  case jsonb_typeof(p_value)
    when 'object' then
      return 'an object';
    when 'array' then
      return format('an array of %s', jsonb_array_length(p_value));
    when 'string' then
      v_text := p_value #>> '{}';
      return to_jsonb(case when length(v_text) > 60 then left(v_text, 57) || '...' else v_text end)::text;
    else
      v_text := p_value::text;
      return case when length(v_text) > 60 then left(v_text, 57) || '...' else v_text end;
  end case;
end
$$;
comment on function fsm_internal.schema_sample(jsonb) is 'A value as a message may show it: at most 60 characters of it, and of objects and arrays nothing.';

-- internal/schema/schema_scalar_terms.sql
create function fsm_internal.schema_scalar_terms(p_schema jsonb)
returns text[]
language plpgsql
immutable
as $$
declare
  v_type jsonb := p_schema -> 'type';
  v_values jsonb;
  v_terms text[] := array[]::text[];
begin
  foreach v_values in array array[
    case when p_schema ? 'const' then jsonb_build_array(p_schema -> 'const') end,
    p_schema -> 'enum'] loop
    -- Values that the type forbids are left out, so the type need not be tested as well.
    if v_values is not null then
      v_terms := v_terms || coalesce((
        select format('!exists(@?(%s))', fsm_internal.schema_joined(array_agg(m.term), '||'))
        from (
          select fsm_internal.schema_one_of(array_agg(e.value #>> '{}')) as term
          from jsonb_array_elements(v_values) e
          where jsonb_typeof(e.value) = 'string' and fsm_internal.schema_type_fits(v_type, e.value)
          having count(*) > 0
          union all
          select '(' || fsm_internal.schema_constant('@', e.value) || ')'
          from jsonb_array_elements(v_values) e
          where jsonb_typeof(e.value) <> 'string' and fsm_internal.schema_type_fits(v_type, e.value)
        ) m
        having count(*) > 0), 'exists(@)');
    end if;
  end loop;
  if v_type is not null and v_terms = '{}' then
    v_terms := array[fsm_internal.schema_joined(array(
      select case t.type
        when 'null' then '@!=null'
        when 'integer' then '(@.type()!="number"||@.floor()!=@)'
        else format('@.type()!="%s"', t.type) end
      from jsonb_array_elements_text(case jsonb_typeof(v_type) when 'array' then v_type else jsonb_build_array(v_type) end) t (type)), '&&')];
  end if;
  return v_terms || array[
    '@<' || (p_schema ->> 'minimum'), '@>' || (p_schema ->> 'maximum'),
    '@<=' || (p_schema ->> 'exclusiveMinimum'), '@>=' || (p_schema ->> 'exclusiveMaximum'),
    '@.size()<' || nullif(p_schema ->> 'minItems', '0'), '@.size()>' || (p_schema ->> 'maxItems'),
    '!(@ like_regex ' || (p_schema -> 'pattern')::text || ')'];
end
$$;
comment on function fsm_internal.schema_scalar_terms(jsonb) is
  'The violations of the keywords that look at the value itself, apart from lengths: jsonpath predicates on @, each true exactly when its keyword is violated, else false or unknown.';

-- internal/schema/schema_type_fits.sql
create function fsm_internal.schema_type_fits(p_type jsonb, p_value jsonb)
returns boolean
language plpgsql
immutable
as $$
begin
  return p_type is null or p_type ? jsonb_typeof(p_value)
    or p_type ? 'integer' and case when jsonb_typeof(p_value) = 'number' then trunc(p_value::numeric) = p_value::numeric else false end;
end
$$;
comment on function fsm_internal.schema_type_fits(jsonb, jsonb) is 'Whether a value has the type, or one of the list of types; null: any. 2.0 is an integer.';

-- internal/schema/schema_value_problem.sql
create function fsm_internal.schema_value_problem(p_keyword text, p_value jsonb)
returns text
language plpgsql
immutable
as $$
declare
  v_kind text := jsonb_typeof(p_value);
  v_number numeric := case when v_kind = 'number' then p_value::numeric end;
  v_texts jsonb := case when v_kind = 'array' then p_value else jsonb_build_array(p_value) end;
begin
  if p_keyword in ('type', 'required') then
    if p_keyword = 'type' and not v_texts <@ '["null", "boolean", "object", "array", "number", "integer", "string"]' then
      return 'must be null, boolean, object, array, number, integer, string, or a list of these';
    elsif p_keyword = 'type' and v_texts = '[]' then
      return 'must name at least one type';
    elsif p_keyword = 'required' and (v_kind <> 'array' or v_texts @? 'strict $[*] ? (@.type() != "string")') then
      return 'must be a list of strings';
    elsif (select count(*) > count(distinct t.value) from jsonb_array_elements(v_texts) t) then
      return 'must not name anything twice';
    end if;
  elsif p_keyword in ('properties', '$defs') and v_kind <> 'object' then
    return 'must be an object of schemas';
  elsif p_keyword = 'additionalProperties' and v_kind <> 'boolean' then
    return 'must be true or false; a schema is not supported here';
  elsif p_keyword in ('minItems', 'maxItems', 'minLength', 'maxLength')
    and (v_number is null or v_number < 0 or v_number <> trunc(v_number)) then
    return 'must be a whole number, 0 or more';
  elsif p_keyword in ('minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum') and v_kind <> 'number' then
    return 'must be a number';
  elsif p_keyword = 'anyOf' and (v_kind <> 'array' or v_texts = '[]') then
    return 'must be a list of at least one schema';
  elsif p_keyword in ('pattern', '$ref') and v_kind <> 'string' then
    return 'must be a string';
  elsif p_keyword = 'enum' and v_kind <> 'array' then
    return 'must be a list of values';
  elsif p_keyword in ('enum', 'const') and jsonb_path_exists(p_value, 'strict $.**{64}', '{}', true) then
    return 'must not nest deeper than 64 levels';
  end if;
  return null;
end
$$;
comment on function fsm_internal.schema_value_problem(text, jsonb) is 'What is wrong with the value of a supported keyword, apart from subschemas, patterns and references; null if nothing.';

-- internal/schema/schema_violated_keywords.sql
create function fsm_internal.schema_violated_keywords(p_schema jsonb, p_value jsonb)
returns text[]
language plpgsql
immutable
as $$
declare
  v_kind text := jsonb_typeof(p_value);
  v_number numeric := case when v_kind = 'number' then p_value::numeric end;
  v_length int := case when v_kind = 'string' then length(p_value #>> '{}') end;
  v_items int := case when v_kind = 'array' then jsonb_array_length(p_value) end;
begin
  -- A keyword that is absent, or is not about this type, compares to null.
  return array_remove(array[
    case when not fsm_internal.schema_type_fits(p_schema -> 'type', p_value) then 'type' end,
    case when p_value <> p_schema -> 'const' then 'const' end,
    case when p_schema ? 'enum' and not fsm_internal.schema_enum_has(p_schema -> 'enum', p_value) then 'enum' end,
    case when v_length < (p_schema -> 'minLength')::numeric then 'minLength' end,
    case when v_length > (p_schema -> 'maxLength')::numeric then 'maxLength' end,
    case when v_kind = 'string' and p_schema ? 'pattern'
      and not jsonb_path_match(p_value, ('strict $ like_regex ' || (p_schema -> 'pattern')::text)::jsonpath) then 'pattern' end,
    case when v_number < (p_schema -> 'minimum')::numeric then 'minimum' end,
    case when v_number > (p_schema -> 'maximum')::numeric then 'maximum' end,
    case when v_number <= (p_schema -> 'exclusiveMinimum')::numeric then 'exclusiveMinimum' end,
    case when v_number >= (p_schema -> 'exclusiveMaximum')::numeric then 'exclusiveMaximum' end,
    case when v_items < (p_schema -> 'minItems')::numeric then 'minItems' end,
    case when v_items > (p_schema -> 'maxItems')::numeric then 'maxItems' end
  ], null);
end
$$;
comment on function fsm_internal.schema_violated_keywords(jsonb, jsonb) is
  'The keywords that a value violates, in the order in which they are reported; of those that look at the value itself, not at what it contains.';

-- internal/schema/schema_violation.sql
create function fsm_internal.schema_violation(p_schema jsonb)
returns text
language plpgsql
immutable
as $$
declare
  v_terms text[];
  v_alternatives text[];
begin
  if p_schema is null or jsonb_typeof(p_schema) = 'boolean' then
    return case when p_schema = 'false' then 'exists(@)' end;
  end if;
  v_terms := fsm_internal.schema_scalar_terms(p_schema) || fsm_internal.schema_length_terms(p_schema)
    || fsm_internal.schema_container_terms(p_schema);
  if p_schema ? 'anyOf' then
    v_alternatives := array(
      select '(' || fsm_internal.schema_violation(a.value) || ')'
      from jsonb_array_elements(p_schema -> 'anyOf') with ordinality a order by a.ordinality);
    if array_position(v_alternatives, null) is null then
      v_terms := v_terms || ('(' || fsm_internal.schema_joined(v_alternatives, '&&') || ')');
    end if;
  end if;
  if p_schema ? '$ref' then
    v_terms := v_terms || fsm_internal.schema_violation(p_schema -> '$ref');
  end if;
  return fsm_internal.schema_joined(v_terms, '||');
end
$$;
comment on function fsm_internal.schema_violation(jsonb) is
  'A resolved schema as one jsonpath predicate on @, for strict mode: true for a value that violates it (apart from what schema_rest says), false or unknown for a valid one. Null if nothing can.';

-- internal/context/admission_of.sql
create function fsm_internal.admission_of(p_machine text, p_machine_version integer, p_state text)
returns fsm_internal.admission
language plpgsql
stable
as $$
declare
  v_admission fsm_internal.admission;
begin
  select t.is_final, t.context_version, t.max_context_bytes, t.audit_chain, t.first_delay_ms, t.schema_check, t.schema_rest, t.invariants
  into v_admission
  from fsm_internal.machine_states t
  where t.machine = p_machine and t.machine_version = p_machine_version and t.state = p_state;
  return v_admission;
end
$$;
comment on function fsm_internal.admission_of(text, integer, text) is 'What entering a state of a machine version asks; all null if it has no such state.';

-- internal/context/admits.sql
create function fsm_internal.admits_the_rest(p_context jsonb, p_schema_rest jsonb, p_invariants jsonpath[])
returns boolean
language plpgsql
stable
as $$
declare
  v_invariant jsonpath;
begin
  foreach v_invariant in array p_invariants loop
    if jsonb_path_match(p_context, v_invariant, '{}', true) is not true then
      return false;
    end if;
  end loop;
  return p_schema_rest is null or fsm_internal.schema_rest_holds(p_schema_rest, p_context);
end
$$;
comment on function fsm_internal.admits_the_rest(jsonb, jsonb, jsonpath[]) is
  'What fsm_internal.admits leaves over: keywords of the schema that jsonpath cannot express, and any number of invariants.';

-- Inlined into the save: most machines have no more than one schema and one invariant a state.
create function fsm_internal.admits(p_context jsonb, p_schema_check jsonpath, p_schema_rest jsonb, p_invariants jsonpath[])
returns boolean
language sql
stable
return (p_schema_check is null or jsonb_path_match(p_context, p_schema_check, '{}', true) is true)
  and (p_invariants[1] is null or jsonb_path_match(p_context, p_invariants[1], '{}', true) is true)
  and ((p_schema_rest is null and p_invariants[2] is null)
    or fsm_internal.admits_the_rest(p_context, p_schema_rest, p_invariants));
comment on function fsm_internal.admits(jsonb, jsonpath, jsonb, jsonpath[]) is
  'True exactly when the context satisfies the schema and every invariant; null and errors of a predicate do not.';

create function fsm_internal.admission_findings(p_machine text, p_machine_version integer, p_state text, p_context jsonb)
returns table (code text, path text, message text)
language plpgsql
stable
as $$
declare
  v_schema jsonb;
  v_check jsonpath;
begin
  select v.definition #> '{meta,context_schema}', s.schema_check into v_schema, v_check
  from fsm_internal.machine_versions v
  join fsm_internal.machine_states s using (machine, machine_version)
  where v.machine = p_machine and v.machine_version = p_machine_version and s.state = p_state;
  return query select f.code, f.path, f.message from fsm_internal.schema_findings(coalesce(v_schema, 'true'), p_context) f;
  if not found and jsonb_path_match(p_context, v_check, '{}', true) is not true and v_check is not null then
    return query select 'schema', '$', 'the context does not satisfy the schema of its machine';
  end if;
  return query
    select 'invariant', '$', format('the invariant of state %s does not hold: %s', p_state, i.predicate)
    from fsm_internal.machine_states s
    cross join lateral unnest(s.invariants) with ordinality i(predicate, nth)
    where s.machine = p_machine and s.machine_version = p_machine_version and s.state = p_state
      and jsonb_path_match(p_context, i.predicate, '{}', true) is not true
    order by i.nth;
end
$$;
comment on function fsm_internal.admission_findings(text, integer, text, jsonb) is
  'Why a context is not admitted to a state: the findings of the schema, then each invariant that does not hold. No rows: it is.';

-- internal/context/apply_undo.sql
create function fsm_internal.apply_undo(p_context jsonb, p_undo jsonb)
returns jsonb
language plpgsql
stable
as $$
declare
  v_context jsonb := p_context;
begin
  if p_undo is null then
    return p_context;
  end if;
  if p_undo ? 'drop' then
    v_context := v_context - array(select d.key from jsonb_array_elements_text(p_undo -> 'drop') d(key));
  end if;
  if p_undo ? 'cut' then
    v_context := v_context || (
      select jsonb_object_agg(c.key, fsm_internal.array_head(v_context -> c.key, c.value::integer)) from jsonb_each(p_undo -> 'cut') c);
  end if;
  return v_context || coalesce(p_undo -> 'set', '{}');
end
$$;
comment on function fsm_internal.apply_undo(jsonb, jsonb) is
  'One step into the past: the context before a write, given the context after it and the write''s undo record.';

-- internal/context/array_only_grew.sql
create function fsm_internal.array_head(p_array jsonb, p_length integer)
returns jsonb
language sql
immutable
return case when p_length = 0 then jsonb '[]'
  else jsonb_path_query_array(p_array, 'strict $[0 to $last]', ('{"last": ' || (p_length - 1)::text || '}')::jsonb) end;
comment on function fsm_internal.array_head(jsonb, integer) is 'The first p_length elements of an array.';

create function fsm_internal.array_only_grew(p_before jsonb, p_after jsonb)
returns boolean
language sql
immutable
return case
  when jsonb_typeof(p_before) <> 'array' or jsonb_typeof(p_after) <> 'array' then false
  when jsonb_array_length(p_after) <= jsonb_array_length(p_before) then false
  else record_image_eq(row(fsm_internal.array_head(p_after, jsonb_array_length(p_before))), row(p_before)) end;
comment on function fsm_internal.array_only_grew(jsonb, jsonb) is
  'True when both are arrays and p_after is p_before with at least one element more at its end.';

-- internal/context/context_refusals.sql
create function fsm_internal.findings_refusal(p_session_id text, p_state text, p_findings jsonb)
returns jsonb
language sql
stable
return fsm_internal.refusal('SM021', 'context rejected',
  jsonb_build_object('session_id', p_session_id, 'state', p_state,
    'code', p_findings #> '{0,code}', 'path', p_findings #> '{0,path}', 'findings', p_findings),
  'Nothing was written. Mend what the findings in DETAIL name; fsm.validate_context tries a context without saving it.');
comment on function fsm_internal.findings_refusal(text, text, jsonb) is
  'The refusal SM021. p_findings: an array of {code, path, message}; code and path of the first stand at the top of DETAIL.';

create function fsm_internal.context_refusal(p_session_id text, p_state text, p_code text, p_path text, p_message text)
returns jsonb
language sql
stable
return fsm_internal.findings_refusal(p_session_id, p_state,
  jsonb_build_array(jsonb_build_object('code', p_code, 'path', p_path, 'message', p_message)));
comment on function fsm_internal.context_refusal(text, text, text, text, text) is 'The refusal SM021 with one finding.';

create function fsm_internal.refuse_context(p_session_id text, p_state text, p_code text, p_path text, p_message text)
returns void
language plpgsql
volatile
as $$
begin
  perform fsm_internal.refuse(fsm_internal.context_refusal(p_session_id, p_state, p_code, p_path, p_message));
end
$$;
comment on function fsm_internal.refuse_context(text, text, text, text, text) is 'Raises SM021 with one finding.';

create function fsm_internal.refuse_findings(p_session_id text, p_state text, p_findings jsonb)
returns void
language plpgsql
volatile
as $$
begin
  perform fsm_internal.refuse(fsm_internal.findings_refusal(p_session_id, p_state, p_findings));
end
$$;
comment on function fsm_internal.refuse_findings(text, text, jsonb) is 'Raises SM021 with these findings.';

-- internal/context/bare_context.sql
-- The text of a jsonb is at most 200 times its binary size (the worst is a number of 2,000 digits in 12 bytes), so small
-- contexts need not be written out to know that they fit. The empty object unpacks what came out of line or compressed.
create function fsm_internal.is_plain_context(p_context jsonb, p_max_context_bytes bigint)
returns boolean
language sql
stable
return jsonb_typeof(p_context) = 'object' and not p_context ?| array['current_state', 'session_id']
  and pg_column_size(p_context || '{}') * 200::bigint <= p_max_context_bytes;
comment on function fsm_internal.is_plain_context(jsonb, bigint) is
  'True for an object that can be stored as it is: no key that repeats a column, surely not too large. False: fsm_internal.form_refusal decides.';

create function fsm_internal.bare_context(p_context jsonb)
returns jsonb
language sql
immutable
return case when jsonb_typeof(p_context) = 'object' then p_context - array['current_state', 'session_id'] end;
comment on function fsm_internal.bare_context(jsonb) is 'A context as it is stored: without the state and the id, which have their own columns; null for what is no object.';

create function fsm_internal.form_refusal(p_session_id text, p_state text, p_context jsonb, p_max_context_bytes bigint)
returns jsonb
language plpgsql
volatile
as $$
declare
  v_bare jsonb;
  v_refusal jsonb;
begin
  if jsonb_typeof(p_context) <> 'object' then
    return fsm_internal.context_refusal(p_session_id, p_state, 'not_an_object', '$',
      format('a context is a JSON object, this is of type %s', jsonb_typeof(p_context)));
  end if;
  v_refusal := fsm_internal.agreement_refusal(p_session_id, p_state, p_context);
  if v_refusal is not null then
    return v_refusal;
  end if;
  v_bare := fsm_internal.bare_context(p_context);
  if pg_column_size(v_bare) * 200::bigint > p_max_context_bytes then
    -- What breaks a limit must not be written out: a number of 14 bytes may have a text of 131,072.
    v_refusal := fsm_internal.limit_refusal(p_session_id, p_state, v_bare, array(select jsonb_object_keys(v_bare)));
    if v_refusal is null and fsm_internal.is_too_large(v_bare, p_max_context_bytes) then
      v_refusal := fsm_internal.context_refusal(p_session_id, p_state, 'too_large', '$',
        format('the context has more than the %s bytes of text that its machine allows', p_max_context_bytes));
    end if;
  end if;
  return v_refusal;
end
$$;
comment on function fsm_internal.form_refusal(text, text, jsonb, bigint) is
  'SM021 unless this is an object whose current_state and session_id, if it has them, agree with p_session_id and the resulting p_state, and which without them has no more than p_max_context_bytes of text. Null: the form is right.';

create function fsm_internal.agreement_refusal(p_session_id text, p_state text, p_context jsonb)
returns jsonb
language sql
stable
return case
  when p_context -> 'current_state' <> to_jsonb(p_state) then
    fsm_internal.context_refusal(p_session_id, p_state, 'state_disagrees', '$.current_state',
      'current_state in the context is not the state that the session would have')
  when p_context -> 'session_id' <> to_jsonb(p_session_id) then
    fsm_internal.context_refusal(p_session_id, p_state, 'session_disagrees', '$.session_id',
      'session_id in the context is not the id of the session') end;
comment on function fsm_internal.agreement_refusal(text, text, jsonb) is
  'SM021 unless current_state and session_id, where the context or patch has them, say what the columns will say: the state is stored once. Null: they do.';

-- internal/context/context_change.sql
create function fsm_internal.context_change(p_before jsonb, p_after jsonb)
returns fsm_internal.context_change
language plpgsql
stable
as $$
declare
  v_after text[];
  v_key text;
  v_keys text[] := '{}'::text[];
  v_cut jsonb;
  v_set jsonb;
  v_gone jsonb;
  v_drop text[];
begin
  -- Sameness is of the image: jsonb holds 1 and 1.0 to be equal, but a context comes back exactly as it was saved.
  if record_image_eq(row(p_before), row(p_after)) then
    return ('{}'::text[], null::jsonb)::fsm_internal.context_change;
  end if;
  -- One small query for the keys, and expressions for each: a query over both contexts would cost more than the whole loop. Unless
  -- there are many keys: the loop writes the undo record anew for each.
  p_before := p_before || '{}';  -- out of line or compressed no more, so that it is read once, not at each use
  v_after := array(select jsonb_object_keys(p_after));
  if cardinality(v_after) > 64 then
    return fsm_internal.change_of_many_keys(p_before, p_after || '{}');
  end if;
  v_gone := p_before - v_after;
  foreach v_key in array v_after loop
    continue when record_image_eq(row(p_before -> v_key), row(p_after -> v_key));
    v_keys := v_keys || v_key;
    if not p_before ? v_key then
      v_drop := v_drop || v_key;
    elsif fsm_internal.array_only_grew(p_before -> v_key, p_after -> v_key) then
      v_cut := coalesce(v_cut, '{}') || jsonb_build_object(v_key, jsonb_array_length(p_before -> v_key));
    else
      v_set := coalesce(v_set, '{}') || jsonb_build_object(v_key, p_before -> v_key);
    end if;
  end loop;
  return (v_keys,
    case when v_set is null and v_gone = '{}' then '{}' else jsonb_build_object('set', v_gone || coalesce(v_set, '{}')) end
    || case when v_cut is null then '{}' else jsonb_build_object('cut', v_cut) end
    || case when v_drop is null then '{}' else jsonb_build_object('drop', v_drop) end)::fsm_internal.context_change;
end
$$;
comment on function fsm_internal.context_change(jsonb, jsonb) is
  'What a write changes in the context: the top-level keys that are new or different, and how to get back (undo, in the form that fsm_internal.history.undo describes).';

create function fsm_internal.change_of_many_keys(p_before jsonb, p_after jsonb)
returns fsm_internal.context_change
language plpgsql
stable
as $$
declare
  v_keys text[];
  v_set jsonb;
  v_cut jsonb;
  v_drop jsonb;
begin
  select coalesce(array_agg(d.key), '{}'),
    jsonb_object_agg(d.key, d.before) filter (where d.before is not null and not d.grew),
    jsonb_object_agg(d.key, jsonb_array_length(d.before)) filter (where d.grew),
    jsonb_agg(d.key) filter (where d.before is null)
  into v_keys, v_set, v_cut, v_drop
  from (
    select key, b.value as before, b.value is not null and fsm_internal.array_only_grew(b.value, a.value) as grew
    from jsonb_each(p_before) b full join jsonb_each(p_after) a using (key)
    where not record_image_eq(row(b.value), row(a.value))) d;
  return (v_keys,
    case when v_set is null then '{}' else jsonb_build_object('set', v_set) end
    || case when v_cut is null then '{}' else jsonb_build_object('cut', v_cut) end
    || case when v_drop is null then '{}' else jsonb_build_object('drop', v_drop) end)::fsm_internal.context_change;
end
$$;
comment on function fsm_internal.change_of_many_keys(jsonb, jsonb) is
  'fsm_internal.context_change in one query, whose cost grows with the number of keys and not with its square.';

-- internal/context/context_findings.sql
create function fsm_internal.context_findings(p_machine text, p_machine_version integer, p_state text, p_context jsonb)
returns table (code text, path text, message text)
language plpgsql
stable
as $$
declare
  v_max_bytes bigint;
  v_bare jsonb;
begin
  select t.max_context_bytes into v_max_bytes from fsm_internal.machine_states t
  where t.machine = p_machine and t.machine_version = p_machine_version and t.state = p_state;
  if v_max_bytes is null then
    return query select 'unknown_state', '$', format('machine %s version %s has no state %s', p_machine, p_machine_version, p_state);
    return;
  end if;
  if jsonb_typeof(p_context) <> 'object' then
    return query select 'not_an_object', '$', format('a context is a JSON object, this is of type %s', jsonb_typeof(p_context));
    return;
  end if;
  if p_context -> 'current_state' <> to_jsonb(p_state) then
    return query select 'state_disagrees', '$.current_state',
      'current_state in the context is not the state that the session would have';
  end if;
  v_bare := p_context - array['current_state', 'session_id'];
  return query select f.code, f.path, f.message from fsm_internal.limit_findings(v_bare) f;
  if found then
    return;  -- neither the size nor the schema is tried on what breaks a limit
  end if;
  if fsm_internal.is_too_large(v_bare, v_max_bytes) then
    return query select 'too_large', '$', format('the context has more than the %s bytes of text that its machine allows', v_max_bytes);
  end if;
  return query select * from fsm_internal.admission_findings(p_machine, p_machine_version, p_state, v_bare);
end
$$;
comment on function fsm_internal.context_findings(text, integer, text, jsonb) is
  'Everything that a save of this context in this state would be refused for: form, size, limits, schema, invariants.';

-- internal/context/limits.sql
-- On the hot path one test that most contexts pass, inlined: small, flat enough, and the text of all numbers together no longer than that
-- of one may be. Small comes first: a few bytes of jsonb can be a number of 131,072 digits, so its text may be ten thousand times as long.
create function fsm_internal.surely_keeps_limits(p_context jsonb)
returns boolean
language sql
stable
return case
  when pg_column_size(p_context) > 4096 then false
  -- Asked again in each branch: of a value that is known when the expression is planned, all of them are worked out beforehand.
  when jsonb_path_exists(case when pg_column_size(p_context) <= 4096 then p_context end, 'strict $.**{100}') then false
  else octet_length(jsonb_path_query_array(
    case when pg_column_size(p_context) <= 4096 then p_context end, 'strict $.** ? (@.type() == "number")')::text) <= 1000 end;
comment on function fsm_internal.surely_keeps_limits(jsonb) is
  'True for a small context without anything too deep or any number too long. False: fsm_internal.limit_refusal looks closer.';

create function fsm_internal.limit_refusal(p_session_id text, p_state text, p_context jsonb, p_keys text[])
returns jsonb
language plpgsql
volatile
as $$
declare
  v_finding record;
begin
  select f.code, f.path, f.message into v_finding
  from (select jsonb_object_agg(e.key, e.value) from jsonb_each(p_context) e where e.key in (select k from unnest(p_keys) k)) changed(delta)
  cross join lateral fsm_internal.limit_findings(changed.delta) f
  limit 1;
  if found then
    return fsm_internal.context_refusal(p_session_id, p_state, v_finding.code, v_finding.path, v_finding.message);
  end if;
  return null;
end
$$;
comment on function fsm_internal.limit_refusal(text, text, jsonb, text[]) is
  'SM021 unless the values of these keys of a context keep the limits: at most 100 objects and arrays in one another, the context counted, and numbers of at most 1,000 digits on either side. What a write leaves alone was checked when it came in. Null: they do.';

create function fsm_internal.change_refusal(p_session_id text, p_state text, p_context jsonb, p_change fsm_internal.context_change)
returns jsonb
language sql
volatile
return case when p_change.undo is not null and not fsm_internal.surely_keeps_limits(p_context)
  then fsm_internal.limit_refusal(p_session_id, p_state, p_context, p_change.keys) end;
comment on function fsm_internal.change_refusal(text, text, jsonb, fsm_internal.context_change) is
  'fsm_internal.limit_refusal of what a write changes. Null: it keeps the limits.';

create function fsm_internal.limit_findings(p_context jsonb)
returns table (code text, path text, message text)
language plpgsql
stable
as $$
begin
  return query
    select l.code, fsm_internal.schema_path('$', e.key), case l.code
      when 'too_deep' then 'objects and arrays are nested more than 100 deep'
      else 'a number has more than 1,000 digits before or after its decimal point' end
    from jsonb_each(p_context) e
    cross join lateral (select case
      when jsonb_path_exists(e.value, 'strict $.**{99} ? (@.type() == "object" || @.type() == "array")') then 'too_deep'
      when exists (
        select from jsonb_array_elements(jsonb_path_query_array(e.value, 'strict $.** ? (@.type() == "number")')) n(v)
        where scale(n.v::numeric) > 1000 or abs(n.v::numeric) >= 1e1000) then 'number_too_long' end) l(code)
    where l.code is not null
    order by e.key collate "C";
end
$$;
comment on function fsm_internal.limit_findings(jsonb) is
  'The top-level keys of a context that break a limit: too_deep (more than 100 objects and arrays in one another, the context counted), number_too_long (more than 1,000 digits before or after the decimal point).';

create function fsm_internal.is_too_large(p_value jsonb, p_max_bytes bigint)
returns boolean
language plpgsql
immutable
as $$
begin
  -- Numbers alone first: each may be 167 times as long in text as in jsonb, and the text of the whole must fit into memory.
  -- Through an array, because jsonb_path_query moves all that is left at every row: 600,000 numbers took minutes.
  if (
    select sum(octet_length(n.v::text))
    from jsonb_array_elements(jsonb_path_query_array(p_value, 'strict $.** ? (@.type() == "number")')) n(v)) > p_max_bytes
  then
    return true;
  end if;
  return octet_length(p_value::text) > p_max_bytes;
end
$$;
comment on function fsm_internal.is_too_large(jsonb, bigint) is
  'True when the text of a value whose numbers keep the limits has more than p_max_bytes bytes.';

-- internal/context/patch.sql
create function fsm_internal.merge_patch(p_target jsonb, p_patch jsonb)
returns jsonb
language plpgsql
stable
as $$
declare
  v_target jsonb := case when jsonb_typeof(p_target) = 'object' then p_target else '{}' end;
  v_gone text[];
  v_new jsonb;
begin
  -- All keys at once: key by key the whole target would be written as often as there are keys.
  select array_agg(e.key) filter (where e.value = 'null'),
    jsonb_object_agg(e.key, case jsonb_typeof(e.value)
      when 'object' then fsm_internal.merge_patch(v_target -> e.key, e.value) else e.value end) filter (where e.value <> 'null')
  into v_gone, v_new
  from jsonb_each(p_patch) e;
  return (v_target - coalesce(v_gone, '{}')) || coalesce(v_new, '{}');
end
$$;
comment on function fsm_internal.merge_patch(jsonb, jsonb) is
  'RFC 7396: null removes a key, an object is merged into the one there, anything else replaces. p_patch: an object, at most 100 deep.';

create function fsm_internal.patched_context(p_session_id text, p_state text, p_context jsonb, p_patch jsonb, p_append jsonb)
returns jsonb
language plpgsql
volatile
as $$
declare
  v_context jsonb := p_context;
  v_key text;
begin
  if jsonb_typeof(p_patch) <> 'object' or jsonb_typeof(p_append) <> 'object' then
    perform fsm_internal.refuse_context(p_session_id, p_state, 'not_an_object', '$',
      format('patch and append are JSON objects, these are of type %s and %s', jsonb_typeof(p_patch), jsonb_typeof(p_append)));
  end if;
  if jsonb_path_exists(p_patch, 'strict $.**{100} ? (@.type() == "object" || @.type() == "array")') then
    perform fsm_internal.refuse_context(p_session_id, p_state, 'too_deep', '$', 'the patch is nested more than 100 deep');
  end if;
  if p_patch <> '{}' then
    v_context := fsm_internal.merge_patch(v_context, p_patch - array['current_state', 'session_id']);
  end if;
  if p_append <> '{}' then
    select e.key into v_key from jsonb_each(p_append) e
    where jsonb_typeof(e.value) <> 'array' or jsonb_typeof(v_context -> e.key) <> 'array' or e.key in ('current_state', 'session_id')
    order by e.key collate "C" limit 1;
    if found then
      perform fsm_internal.refuse_context(p_session_id, p_state, 'not_an_array', fsm_internal.schema_path('$', v_key),
        'append takes arrays and adds them to arrays of the context');
    end if;
    v_context := v_context || (select jsonb_object_agg(e.key, coalesce(v_context -> e.key, '[]') || e.value) from jsonb_each(p_append) e);
  end if;
  return v_context;
end
$$;
comment on function fsm_internal.patched_context(text, text, jsonb, jsonb, jsonb) is
  'The context after the merge patch and then the append, current_state and session_id of the patch left out. SM021 for what is no object, no array or too deep.';

-- internal/context/storage.sql
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

-- internal/loops/window_text.sql
create function fsm_internal.window_text(p_window interval)
returns text
language sql
immutable
return trim_scale(extract(epoch from p_window))::text || ' seconds';
comment on function fsm_internal.window_text(interval) is
  'A loop window for DETAIL, the log and reasons: an interval''s own text would follow the caller''s IntervalStyle.';

-- internal/loops/loop_refusal.sql
create function fsm_internal.loop_refusal(
  p_session fsm_internal.locked_session, p_write fsm_internal.pending_write, p_rule fsm_internal.passage_rule)
returns jsonb
language plpgsql
volatile
as $$
declare
  v_detail jsonb := fsm_internal.loop_detail(p_session, p_write.to_state, p_write.event, p_rule) || jsonb_build_object(
    'machine', p_session.machine, 'machine_version', p_session.machine_version);
begin
  raise log 'fsm.loop %', v_detail;
  if p_rule.loop_action = 'block' then
    return fsm_internal.refusal('SM040', 'loop blocked', v_detail,
      'Nothing was written. The session went this way too often within the window: take another transition, or wait until the window has passed.');
  end if;
  return null;
end
$$;
comment on function fsm_internal.loop_refusal(fsm_internal.locked_session, fsm_internal.pending_write, fsm_internal.passage_rule) is
  'For a transition that closes a loop: writes the line fsm.loop to the server log. SM040 when its rule is block, else null.';

create function fsm_internal.loop_detail(
  p_session fsm_internal.locked_session, p_to_state text, p_event text, p_rule fsm_internal.passage_rule)
returns jsonb
language sql
stable
return jsonb_build_object('session_id', p_session.session_id, 'from_state', p_session.state, 'to_state', p_to_state,
  'event', p_event, 'version', p_session.version, 'loop_limit', p_rule.loop_limit,
  'loop_window', fsm_internal.window_text(p_rule.loop_window), 'action', p_rule.loop_action, 'divert_to', p_rule.divert_to);
comment on function fsm_internal.loop_detail(fsm_internal.locked_session, text, text, fsm_internal.passage_rule) is
  'What the log and DETAIL say of a loop.';

-- internal/loops/loop_windows.sql
create function fsm_internal.loop_windows()
returns table (machine text, longest interval, smallest_limit integer)
language sql
stable
begin atomic
  select r.machine, max(r.loop_window), min(r.loop_limit)
  from (
    select c.machine, c.loop_window, c.loop_limit from fsm_internal.machine_candidates c where c.loop_limit is not null
    union all
    select d.machine, d.loop_window, d.loop_limit from fsm_internal.machine_delays d where d.loop_limit is not null) r
  group by r.machine;
end;
comment on function fsm_internal.loop_windows() is
  'Of each machine with a loop rule the longest window and the smallest limit, over all its versions: whoever was not written within that window, or has no more versions than that, is in no loop.';

-- internal/loops/loops_of.sql
create function fsm_internal.loops_of(p_session_id text, p_at timestamptz)
returns table (
  from_state text, to_state text, occurrences integer, loop_limit integer, loop_window interval,
  first_at timestamptz, last_at timestamptz)
language plpgsql
stable
as $$
begin
  return query
    with pairs as (
      select distinct on (h.from_state, h.to_state)
        h.from_state, h.to_state, h.event, h.machine_version
      from fsm_internal.history h
      where h.session_id = p_session_id and h.kind in ('transition', 'deadline')
      order by h.from_state, h.to_state, h.version desc
    ), rules as (
      select p.from_state, p.to_state, r.loop_limit, r.loop_window
      from pairs p
      join fsm_internal.sessions s on s.session_id = p_session_id
      cross join lateral (
        (select c.loop_limit, c.loop_window from fsm_internal.machine_candidates c
        where c.machine = s.machine and c.machine_version = p.machine_version and c.from_state = p.from_state
          and c.event = p.event and c.to_state = p.to_state
        order by c.candidate limit 1)
        union all
        -- A passage without an event is one of a deadline.
        (select d.loop_limit, d.loop_window from fsm_internal.machine_delays d
        where p.event is null and d.machine = s.machine and d.machine_version = p.machine_version and d.state = p.from_state
          and d.to_state = p.to_state
        order by d.delay_ms limit 1)) r
      where r.loop_limit is not null
    )
    select r.from_state, r.to_state, count(*)::integer, r.loop_limit, r.loop_window, min(h.at), max(h.at)
    from rules r
    join fsm_internal.history h on h.session_id = p_session_id and h.from_state = r.from_state and h.to_state = r.to_state
      and h.kind in ('transition', 'deadline') and h.at >= p_at - r.loop_window
    group by r.from_state, r.to_state, r.loop_limit, r.loop_window
    having count(*) > r.loop_limit
    order by max(h.version) desc;
end
$$;
comment on function fsm_internal.loops_of(text, timestamptz) is
  'The loops of one session at a moment, the newest first, by its history and the rules of its machine.';

-- internal/loops/passage_at.sql
create function fsm_internal.passage_at(p_session_id text, p_from_state text, p_to_state text, p_limit integer)
returns timestamptz
language plpgsql
volatile
as $$
begin
  return (
    select h.at
    from fsm_internal.history h
    where h.session_id = p_session_id and h.from_state = p_from_state and h.to_state = p_to_state
      and h.kind in ('transition', 'deadline')
    order by h.version desc
    offset p_limit - 1 limit 1);
end
$$;
comment on function fsm_internal.passage_at(text, text, text, integer) is
  'When the p_limit-th last passage of a transition was, null if there were fewer. One more than the limit is a loop, the present one included: so this one decides.';

create function fsm_internal.may_loop(p_version bigint, p_is_self boolean, p_limit integer)
returns boolean
language sql
immutable
return p_version > case when p_is_self then p_limit else 2 * p_limit::bigint end;
comment on function fsm_internal.may_loop(bigint, boolean, integer) is
  'False when a session of p_version versions cannot have made a transition p_limit times: each passage takes a version, and the way back another. Saves young sessions the look into history; null without a limit.';

-- internal/turns/turn_refusal.sql
create function fsm_internal.turn_refusal(p_session_id text, p_turn bigint)
returns jsonb
language plpgsql
volatile
as $$
declare
  v_begun fsm_internal.turns := fsm_internal.begun_turn(p_session_id);
  v_is_held boolean := (v_begun.expires_at > fsm_internal.clock()) is true;
begin
  if p_turn is not null and not (v_is_held and p_turn = v_begun.turn) then
    return fsm_internal.stale_turn_refusal(p_session_id, p_turn, case when v_is_held then v_begun.turn end);
  end if;
  if p_turn is null and v_is_held then
    return fsm_internal.held_turn_refusal(v_begun);
  end if;
  return null;
end
$$;
comment on function fsm_internal.turn_refusal(text, bigint) is
  'SM050 when a turn is held and p_turn is null, SM051 when p_turn is not the held one; null: the write may go on. Asked under the session''s lock.';

create function fsm_internal.begun_turn(p_session_id text)
returns fsm_internal.turns
language plpgsql
volatile
as $$
declare
  v_begun fsm_internal.turns;
begin
  -- Locked, so that under REPEATABLE READ a turn that was extended or ended since the snapshot is 40001 and not believed.
  select t.* into v_begun from fsm_internal.turns t where t.session_id = p_session_id for no key update;
  return v_begun;
end
$$;
comment on function fsm_internal.begun_turn(text) is 'The turn of a session that was begun last, held or not; all null if there is none.';

create function fsm_internal.held_turn_refusal(p_begun fsm_internal.turns)
returns jsonb
language sql
stable
return fsm_internal.refusal('SM050', 'turn held by another',
  jsonb_build_object('session_id', p_begun.session_id, 'holder', p_begun.holder, 'expires_at', p_begun.expires_at),
  'Nothing was written. Wait until the turn is ended or expires, then load the session anew; whoever holds it gives its token as p_turn.');
comment on function fsm_internal.held_turn_refusal(fsm_internal.turns) is 'The refusal SM050.';

create function fsm_internal.stale_turn_refusal(p_session_id text, p_turn bigint, p_held_turn bigint)
returns jsonb
language sql
stable
return fsm_internal.refusal('SM051', 'turn token stale',
  jsonb_build_object('session_id', p_session_id, 'turn', p_turn, 'held_turn', p_held_turn),
  'Nothing was written. The turn has expired or was ended, or the server was restarted after a crash: begin a new one, load the session, and decide anew.');
comment on function fsm_internal.stale_turn_refusal(text, bigint, bigint) is 'The refusal SM051. p_held_turn: the token that is held, null if none is.';

-- internal/turns/turns.sql
create function fsm_internal.begin_turn(p_session_id text, p_holder text, p_ttl_seconds numeric, p_request_id uuid)
returns fsm_internal.turns
language plpgsql
volatile
as $$
declare
  v_session fsm_internal.locked_session := fsm_internal.read_locked_session(p_session_id);
  v_begun fsm_internal.turns := fsm_internal.begun_turn(p_session_id);
  v_now timestamptz := fsm_internal.clock();
  v_last bigint := v_session.turn;
begin
  if v_begun.request_id = p_request_id then
    return v_begun;
  end if;
  if v_begun.expires_at > v_now then
    perform fsm_internal.refuse(fsm_internal.held_turn_refusal(v_begun));
  end if;
  if v_last is null then
    -- Above every token of a session that had this id before: by what its erasure left, and by the clock if that is gone.
    v_last := greatest(extract(epoch from v_session.created_at) * 1000000, (
      select max(d.turn) from fsm_internal.deleted_sessions d where d.session_id = p_session_id))::bigint;
  end if;
  v_begun := (p_session_id, v_last + 1, p_holder, p_request_id, v_now, v_now + p_ttl_seconds * interval '1 second');
  -- In the session's own row, so that a crash cannot lose it, and so that a writer with an older snapshot gets 40001.
  update fsm_internal.sessions s set turn = v_begun.turn where s.session_id = p_session_id;
  insert into fsm_internal.turns (session_id, turn, holder, request_id, begun_at, expires_at)
  values (v_begun.session_id, v_begun.turn, v_begun.holder, v_begun.request_id, v_begun.begun_at, v_begun.expires_at)
  on conflict on constraint turns_pkey do update
  set turn = excluded.turn, holder = excluded.holder, request_id = excluded.request_id, begun_at = excluded.begun_at, expires_at = excluded.expires_at;
  return v_begun;
end
$$;
comment on function fsm_internal.begin_turn(text, text, numeric, uuid) is
  'fsm.begin_turn behind its argument checks: everything it touches belongs to p_session_id.';

create function fsm_internal.extend_turn(p_session_id text, p_turn bigint, p_ttl_seconds numeric)
returns timestamptz
language plpgsql
volatile
as $$
declare
  v_begun fsm_internal.turns;
  v_now timestamptz;
begin
  perform fsm_internal.read_locked_session(p_session_id);
  v_begun := fsm_internal.begun_turn(p_session_id);
  v_now := fsm_internal.clock();
  if v_begun.turn is distinct from p_turn or v_begun.expires_at <= v_now then
    perform fsm_internal.refuse(fsm_internal.stale_turn_refusal(p_session_id, p_turn, case when v_begun.expires_at > v_now then v_begun.turn end));
  end if;
  update fsm_internal.turns t set expires_at = v_now + p_ttl_seconds * interval '1 second' where t.session_id = p_session_id
  returning t.expires_at into v_begun.expires_at;
  return v_begun.expires_at;
end
$$;
comment on function fsm_internal.extend_turn(text, bigint, numeric) is
  'fsm.extend_turn behind its argument checks: everything it touches belongs to p_session_id.';

create function fsm_internal.end_turn(p_session_id text, p_turn bigint)
returns boolean
language plpgsql
volatile
as $$
declare
  v_begun fsm_internal.turns;
begin
  perform fsm_internal.read_locked_session(p_session_id);
  v_begun := fsm_internal.begun_turn(p_session_id);
  if v_begun.turn is distinct from p_turn or v_begun.expires_at <= fsm_internal.clock() then
    return false;
  end if;
  -- The row stays, so that the request that began the turn does not begin another when it is repeated.
  update fsm_internal.turns t set expires_at = '-infinity' where t.session_id = p_session_id;
  perform fsm_internal.wake_now(p_session_id);
  return true;
end
$$;
comment on function fsm_internal.end_turn(text, bigint) is
  'fsm.end_turn behind its argument checks: everything it touches belongs to p_session_id.';

-- internal/deadlines/after_firing.sql
create function fsm_internal.settle_deadline(
  p_session fsm_internal.locked_session, p_outcome fsm_internal.outcome, p_hint fsm_internal.deadlines, p_delay_ms bigint)
returns void
language plpgsql
volatile
as $$
declare
  v_state text := coalesce(p_outcome.state, p_session.state);
  v_entered_at timestamptz := coalesce(p_outcome.entered_at, p_session.entered_at);
  v_fired_ms bigint := case
    when v_state <> p_session.state then null
    when p_delay_ms is not null then p_delay_ms
    when p_hint.fired_entered_at = v_entered_at then p_hint.fired_ms end;
  v_wake_at timestamptz := fsm_internal.next_deadline(p_session.machine, p_session.machine_version, v_state, v_entered_at, v_fired_ms);
begin
  if v_wake_at = 'infinity' and v_fired_ms is null then
    delete from fsm_internal.deadlines d where d.session_id = p_session.session_id;
    v_wake_at := null;
  else
    update fsm_internal.deadlines d
    set wake_at = v_wake_at, refusals = 0, fired_ms = v_fired_ms, fired_entered_at = case when v_fired_ms is not null then v_entered_at end
    where d.session_id = p_session.session_id;
  end if;
  update fsm_internal.sessions s set wake_at = v_wake_at where s.session_id = p_session.session_id;
end
$$;
comment on function fsm_internal.settle_deadline(fsm_internal.locked_session, fsm_internal.outcome, fsm_internal.deadlines, bigint) is
  'After a deadline was taken, or found not to be due: when to look at the session next. p_delay_ms: the one that was taken, to be remembered when the session stayed where it was.';

create function fsm_internal.postpone_deadline(
  p_session fsm_internal.locked_session, p_refusals integer, p_now timestamptz, p_refusal jsonb)
returns void
language plpgsql
volatile
as $$
declare
  v_refusals integer := least(p_refusals + 1, 20);
  -- 30 seconds, then twice as long each time, up to an hour. A held turn is waited for, and no longer.
  v_wake_at timestamptz := least(p_now + least(15 * 2 ^ v_refusals, 3600) * interval '1 second', (
    select t.expires_at from fsm_internal.turns t where t.session_id = p_session.session_id and t.expires_at > p_now));
begin
  perform fsm_internal.log_refusal(p_refusal);
  update fsm_internal.deadlines d set wake_at = v_wake_at, refusals = v_refusals where d.session_id = p_session.session_id;
  update fsm_internal.sessions s set wake_at = v_wake_at where s.session_id = p_session.session_id;
end
$$;
comment on function fsm_internal.postpone_deadline(fsm_internal.locked_session, integer, timestamptz, jsonb) is
  'After a deadline was refused: logs it, and puts the next try off, so that it does not hold up the others.';

-- internal/deadlines/fire_deadline.sql
create function fsm_internal.fire_deadline(p_session_id text)
returns table (from_state text, to_state text, version bigint, refusal jsonb)
language plpgsql
volatile
as $$
declare
  v_hint fsm_internal.deadlines;
  v_session fsm_internal.locked_session;
  v_delay fsm_internal.machine_delays;
  v_outcome fsm_internal.outcome;
  v_taken_ms bigint;
  v_now timestamptz := fsm_internal.clock();
begin
  select d.* into v_hint from fsm_internal.deadlines d
  where d.session_id = p_session_id and d.wake_at <= v_now
    and exists (select from fsm_internal.sessions s where s.session_id = p_session_id);
  if v_hint.session_id is null then
    return;  -- another caller was here since
  end if;
  v_session := fsm_internal.read_locked_session(p_session_id);
  from_state := v_session.state;
  if (fsm_internal.admission_of(v_session.machine, v_session.machine_version, v_session.state)).is_final is null then
    refusal := fsm_internal.unknown_state_refusal(p_session_id, v_session.machine, v_session.machine_version, v_session.state);
  end if;
  -- In the order of their delays; when one is refused, the next that is due may still be taken.
  for v_delay in
    select d.* from fsm_internal.machine_delays d
    where d.machine = v_session.machine and d.machine_version = v_session.machine_version and d.state = v_session.state
      and d.delay_ms > coalesce(case when v_hint.fired_entered_at = v_session.entered_at then v_hint.fired_ms end, 0)
      and v_session.entered_at + d.delay_ms * interval '1 millisecond' <= v_now
    order by d.delay_ms
  loop
    v_outcome := fsm_internal.take_deadline(v_session, v_delay);
    if v_outcome.refusal is null then
      to_state := v_outcome.state; version := v_outcome.version; refusal := null; v_taken_ms := v_delay.delay_ms;
      exit;
    elsif refusal is null then
      to_state := v_delay.to_state; refusal := v_outcome.refusal;
    end if;
  end loop;
  if refusal is not null then
    perform fsm_internal.postpone_deadline(v_session, v_hint.refusals, v_now, refusal);
  else
    perform fsm_internal.settle_deadline(v_session, v_outcome, v_hint, v_taken_ms);
  end if;
  if version is not null or refusal is not null then
    return next;
  end if;
end
$$;
comment on function fsm_internal.fire_deadline(text) is
  'Takes the deadline of one session if one is due now: a row with the version it made, or with what refused it. No row: nothing is due (the session went on meanwhile). Its lock must be held; afterwards wake_at is the time of its next deadline, or of the next try.';

create function fsm_internal.take_deadline(p_session fsm_internal.locked_session, p_delay fsm_internal.machine_delays)
returns fsm_internal.outcome
language plpgsql
volatile
as $$
declare
  v_refusal jsonb := coalesce(
    fsm_internal.ahead_refusal(p_session), case when p_session.turn is not null then fsm_internal.turn_refusal(p_session.session_id, null) end);
begin
  if v_refusal is not null then
    return fsm_internal.refused(v_refusal);
  end if;
  return fsm_internal.settle_write(p_session,
    ('deadline', p_delay.to_state, null, p_session.context, null, false, null, null, jsonb_build_object('delay_ms', p_delay.delay_ms))::fsm_internal.pending_write,
    (p_delay.loop_limit, p_delay.loop_window, p_delay.loop_action, p_delay.divert_to,
      case when fsm_internal.may_loop(p_session.version, p_session.state = p_delay.to_state, p_delay.loop_limit)
        then fsm_internal.passage_at(p_session.session_id, p_session.state, p_delay.to_state, p_delay.loop_limit) end, false)::fsm_internal.passage_rule,
    fsm_internal.admission_of(p_session.machine, p_session.machine_version, p_delay.to_state));
end
$$;
comment on function fsm_internal.take_deadline(fsm_internal.locked_session, fsm_internal.machine_delays) is
  'Writes the transition of a deadline, unless a turn is held (SM050) or history runs ahead of the session (SM060): loop rule, schema and invariants of its target decide as for every write.';

-- internal/deadlines/wake.sql
create function fsm_internal.wake(
  p_session_id text, p_machine text, p_machine_version integer, p_state text, p_entered_at timestamptz, p_first_at timestamptz,
  p_wake_at timestamptz)
returns timestamptz
language plpgsql
volatile
as $$
declare
  v_wake_at timestamptz := p_first_at;
begin
  if p_wake_at is not null then  -- it had deadlines before, and may have taken some of this stay already
    v_wake_at := fsm_internal.next_deadline(p_machine, p_machine_version, p_state, p_entered_at, (
      select d.fired_ms from fsm_internal.deadlines d where d.session_id = p_session_id and d.fired_entered_at = p_entered_at));
  end if;
  perform fsm_internal.put_wake(p_session_id, v_wake_at);
  return v_wake_at;
end
$$;
comment on function fsm_internal.wake(text, text, integer, text, timestamptz, timestamptz, timestamptz) is
  'Sees to it that fsm.fire_deadlines looks at a session when its next deadline in this state is due, and says when that is (infinity: all were fired). p_first_at: when the state''s first one is due; p_wake_at: sessions.wake_at as it was. The caller writes it into sessions.wake_at.';

create function fsm_internal.next_deadline(
  p_machine text, p_machine_version integer, p_state text, p_entered_at timestamptz, p_fired_ms bigint)
returns timestamptz
language plpgsql
volatile
as $$
begin
  return coalesce(p_entered_at + (
    select min(d.delay_ms) from fsm_internal.machine_delays d
    where d.machine = p_machine and d.machine_version = p_machine_version and d.state = p_state
      and d.delay_ms > coalesce(p_fired_ms, 0)) * interval '1 millisecond', 'infinity');
end
$$;
comment on function fsm_internal.next_deadline(text, integer, text, timestamptz, bigint) is
  'When the next deadline of a stay in a state is due, those of up to p_fired_ms having been fired; infinity: there is none.';

create function fsm_internal.put_wake(p_session_id text, p_wake_at timestamptz)
returns void
language plpgsql
volatile
as $$
begin
  insert into fsm_internal.deadlines as d (session_id, wake_at) values (p_session_id, p_wake_at)
  on conflict on constraint deadlines_pkey do update set wake_at = excluded.wake_at, refusals = 0
  where (d.wake_at, d.refusals) is distinct from (excluded.wake_at, 0);
end
$$;
comment on function fsm_internal.put_wake(text, timestamptz) is 'Writes when to look at a session. The same has to go into sessions.wake_at.';

create function fsm_internal.wake_now(p_session_id text)
returns void
language plpgsql
volatile
as $$
declare
  v_now timestamptz := fsm_internal.clock();
begin
  update fsm_internal.deadlines d set wake_at = v_now, refusals = 0
  where d.session_id = p_session_id and d.refusals > 0 and d.wake_at > v_now;
  if found then
    update fsm_internal.sessions s set wake_at = v_now where s.session_id = p_session_id;
  end if;
end
$$;
comment on function fsm_internal.wake_now(text) is 'Ends the pause after a refused deadline: what it was refused for may be gone.';

-- internal/sessions/admission_refusal.sql
create function fsm_internal.admission_refusal(
  p_session fsm_internal.locked_session, p_write fsm_internal.pending_write, p_rule fsm_internal.passage_rule, p_wanted_state text)
returns jsonb
language plpgsql
volatile
as $$
declare
  v_findings jsonb := (
    select jsonb_agg(jsonb_build_object('code', f.code, 'path', f.path, 'message', f.message))
    from fsm_internal.admission_findings(p_session.machine, p_session.machine_version, p_write.to_state, p_write.context) f);
begin
  if p_write.kind = 'divert' then
    return fsm_internal.refusal('SM040', 'loop blocked',
      fsm_internal.loop_detail(p_session, p_wanted_state, p_write.event, p_rule) || jsonb_build_object('findings', v_findings),
      'Nothing was written. The loop should have been left for divert_to, which refuses this context as the findings say.');
  end if;
  return fsm_internal.findings_refusal(p_session.session_id, p_write.to_state, v_findings);
end
$$;
comment on function fsm_internal.admission_refusal(fsm_internal.locked_session, fsm_internal.pending_write, fsm_internal.passage_rule, text) is
  'The refusal SM021 with the findings, or SM040 when the state that refuses is the one a loop was diverted to.';

-- internal/sessions/candidate_rule.sql
create function fsm_internal.candidate_rule(p_session fsm_internal.locked_session, p_event text, p_candidate integer)
returns fsm_internal.passage_rule
language plpgsql
volatile
as $$
declare
  v_rule fsm_internal.passage_rule;
begin
  select c.loop_limit, c.loop_window, c.loop_action, c.divert_to,
    case when fsm_internal.may_loop(p_session.version, c.from_state = c.to_state, c.loop_limit)
      then fsm_internal.passage_at(p_session.session_id, p_session.state, c.to_state, c.loop_limit) end, c.reenter
  into v_rule
  from fsm_internal.machine_candidates c
  where c.machine = p_session.machine and c.machine_version = p_session.machine_version
    and c.from_state = p_session.state and c.event = p_event and c.candidate = p_candidate;
  return v_rule;
end
$$;
comment on function fsm_internal.candidate_rule(fsm_internal.locked_session, text, integer) is
  'The loop rule of one candidate of an event of the session''s state, with the passage that decides.';

-- internal/sessions/choose_move.sql
create function fsm_internal.choose_move(
  p_events text[], p_hits boolean[], p_guards jsonpath[], p_event text, p_context jsonb)
returns integer
language plpgsql
immutable
as $$
declare
  v_settled text;  -- the event of which a candidate that goes elsewhere has won
begin
  for v_index in 1 .. cardinality(p_events) loop
    continue when p_events[v_index] = v_settled or p_events[v_index] <> p_event;
    -- Anything but true, null included, does not hold.
    if p_guards[v_index] is null or jsonb_path_match(p_context, p_guards[v_index], '{}', true) is true then
      if p_hits[v_index] then
        return v_index;
      end if;
      v_settled := p_events[v_index];
    end if;
  end loop;
  return null;
end
$$;
comment on function fsm_internal.choose_move(text[], boolean[], jsonpath[], text, jsonb) is
  'Which candidate of a pair of states a save takes: the first hit, by event name, that is also the first candidate of its event whose guard holds. p_event null: any event. Null: none does.';

-- internal/sessions/context_at.sql
create function fsm_internal.context_at(p_session_id text, p_version bigint)
returns jsonb
language plpgsql
stable
as $$
declare
  v_context jsonb;
  v_expected bigint;
  v_version bigint;
  v_undo jsonb;
begin
  select fsm_internal.read_context(s.session_id, s.context), s.version into v_context, v_expected
  from fsm_internal.sessions s
  where s.session_id = p_session_id and p_version <= s.version
    and exists (select from fsm_internal.history h where h.session_id = s.session_id and h.version = p_version);
  if v_context is null then
    return null;
  end if;
  for v_version, v_undo in
    select h.version, h.undo from fsm_internal.history h
    where h.session_id = p_session_id and h.version > p_version order by h.version desc
  loop
    exit when v_version <> v_expected;
    v_context := fsm_internal.apply_undo(v_context, v_undo);
    v_expected := v_expected - 1;
  end loop;
  if v_expected <> p_version then
    perform fsm_internal.report_corrupt_session(p_session_id, 'history_gap', jsonb_build_object('version', v_expected));
  end if;
  return v_context;
end
$$;
comment on function fsm_internal.context_at(text, bigint) is
  'The context exactly as that version saved it, rebuilt backwards from the present; null if there is no such version or it is no longer retained. SM060 when a row of history between is missing. Stable, so that all of it reads one snapshot.';

-- internal/sessions/create_session.sql
create function fsm_internal.create_session(
  p_session_id text, p_machine text, p_context jsonb, p_machine_version integer, p_request_id uuid, p_actor text, p_note jsonb)
returns fsm_internal.outcome
language plpgsql
volatile
as $$
declare
  v_replay fsm_internal.outcome := fsm_internal.claim_id(p_session_id, p_request_id);
  v_initial fsm_internal.machine_states;
begin
  if v_replay.session_id is not null then
    return v_replay;
  end if;
  v_initial := fsm_internal.initial_state(p_machine, p_machine_version);
  perform fsm_internal.refuse(fsm_internal.form_refusal(p_session_id, v_initial.state, p_context, v_initial.max_context_bytes));
  p_context := fsm_internal.bare_context(p_context);
  perform fsm_internal.refuse(fsm_internal.limit_refusal(p_session_id, v_initial.state, p_context, array(select jsonb_object_keys(p_context))));
  if not fsm_internal.admits(p_context, v_initial.schema_check, v_initial.schema_rest, v_initial.invariants) then
    perform fsm_internal.refuse_findings(p_session_id, v_initial.state, (
      select jsonb_agg(jsonb_build_object('code', f.code, 'path', f.path, 'message', f.message))
      from fsm_internal.admission_findings(p_machine, v_initial.machine_version, v_initial.state, p_context) f));
  end if;
  return fsm_internal.insert_session(p_session_id, v_initial,
    ('create', v_initial.state, null, p_context, null, false, p_request_id, p_actor, p_note)::fsm_internal.pending_write);
end
$$;
comment on function fsm_internal.create_session(text, text, jsonb, integer, uuid, text, jsonb) is
  'fsm.create_session behind its argument checks: everything it touches belongs to p_session_id or to the definitions.';

create function fsm_internal.claim_id(p_session_id text, p_request_id uuid)
returns fsm_internal.outcome
language plpgsql
volatile
as $$
declare
  v_existing record;
begin
  perform fsm_internal.make_durable();
  perform fsm_internal.lock_session(p_session_id);
  select s.machine, s.state, s.version, h.version as replayed_version into v_existing
  from fsm_internal.sessions s
  left join fsm_internal.history h on h.session_id = s.session_id and h.request_id = p_request_id
  where s.session_id = p_session_id
  -- A row lock makes this a writing transaction, whose end waits for the standby: so a replay, too, is not answered before what it tells is safe.
  for no key update of s;
  if v_existing.replayed_version is not null then
    return fsm_internal.replay_result(p_session_id, v_existing.replayed_version);
  end if;
  if v_existing.version is not null then
    perform fsm_internal.refuse_existing_session(p_session_id, v_existing.machine, v_existing.state, v_existing.version);
  end if;
  return null;
end
$$;
comment on function fsm_internal.claim_id(text, uuid) is
  'Locks an id that a new session is to have. Null: it is free; the first answer if this request made the session; SM011 if it exists otherwise.';

create function fsm_internal.refuse_existing_session(p_session_id text, p_machine text, p_state text, p_version bigint)
returns void
language plpgsql
volatile
as $$
begin
  perform fsm_internal.refuse('SM011', 'session exists',
    jsonb_build_object('session_id', p_session_id, 'machine', p_machine, 'state', p_state, 'version', p_version),
    'Load it and go on from there, or choose another id. A retry of the same creation gives the same p_request_id.');
end
$$;
comment on function fsm_internal.refuse_existing_session(text, text, text, bigint) is 'Raises SM011.';

-- internal/sessions/delete_session.sql
create function fsm_internal.delete_session(p_session_id text)
returns boolean
language plpgsql
volatile
as $$
begin
  perform fsm_internal.make_durable();
  perform fsm_internal.lock_session(p_session_id);
  -- Also without a session: what was quarantined never became one.
  delete from fsm_internal.import_items i
  where (i.batch, i.digest) in (
    select o.batch, o.digest from fsm_internal.import_items o
    where o.target = p_session_id or left(o.session_id, 600) = p_session_id order by o.batch, o.digest for update);
  return fsm_internal.erase_sessions(array[p_session_id]) = 1;
end
$$;
comment on function fsm_internal.delete_session(text) is
  'Erases a session under its lock with all that belongs to it, the originals that it was imported from too, and leaves a row of deleted_sessions; false if there is none.';

create function fsm_internal.erase_sessions(p_session_ids text[])
returns bigint
language plpgsql
volatile
as $$
declare
  v_erased bigint;
begin
  with gone as (
    delete from fsm_internal.sessions s where s.session_id = any (p_session_ids)
    returning s.session_id, s.version, s.state, s.updated_at, s.turn)
  insert into fsm_internal.deleted_sessions (session_id, at, version, state, turn)
  select g.session_id, greatest(fsm_internal.clock(), g.updated_at + interval '1 microsecond', (
      select max(d.at) + interval '1 microsecond' from fsm_internal.deleted_sessions d where d.session_id = g.session_id)),
    g.version, g.state, g.turn
  from gone g;
  get diagnostics v_erased = row_count;
  if v_erased > 0 then
    delete from fsm_internal.history h where h.session_id = any (p_session_ids);
    delete from fsm_internal.history_cuts c where c.session_id = any (p_session_ids);
    delete from fsm_internal.turns t where t.session_id = any (p_session_ids);
    delete from fsm_internal.deadlines d where d.session_id = any (p_session_ids);
  end if;
  return v_erased;
end
$$;
comment on function fsm_internal.erase_sessions(text[]) is
  'Removes sessions whose locks are held, with all that belongs to them but their originals, and leaves a row of deleted_sessions for each; returns how many there were.';

-- internal/sessions/entry_obstacle.sql
create function fsm_internal.entry_obstacle(
  p_session_id text, p_context jsonb, p_machine text, p_machine_version integer, p_from_state text, p_event text, p_candidate integer)
returns text
language plpgsql
volatile
as $$
declare
  v_candidate fsm_internal.machine_candidates;
  v_loop boolean;
  v_finding text;
begin
  select c.* into v_candidate from fsm_internal.machine_candidates c
  where c.machine = p_machine and c.machine_version = p_machine_version and c.from_state = p_from_state
    and c.event = p_event and c.candidate = p_candidate;
  v_loop := fsm_internal.passage_at(p_session_id, p_from_state, v_candidate.to_state, v_candidate.loop_limit)
    >= fsm_internal.clock() - v_candidate.loop_window;
  if v_loop and v_candidate.loop_action in ('block', 'divert') then
    return format('loop: more than %s passages within %s are %s', v_candidate.loop_limit, fsm_internal.window_text(v_candidate.loop_window),
      case v_candidate.loop_action when 'block' then 'blocked' else 'diverted to state ' || v_candidate.divert_to end);
  end if;
  select format('state %s refuses the present context: %s %s', v_candidate.to_state, f.path, f.message) into v_finding
  from fsm_internal.admission_findings(p_machine, p_machine_version, v_candidate.to_state, p_context) f limit 1;
  return v_finding;
end
$$;
comment on function fsm_internal.entry_obstacle(text, jsonb, text, integer, text, text, integer) is
  'Why a candidate whose guard holds would not lead to its target now: a loop that is blocked or diverted, or a target that does not admit the context. Null: it would.';

-- internal/sessions/fork_session.sql
create function fsm_internal.fork_session(
  p_session_id text, p_source_session_id text, p_version bigint, p_request_id uuid, p_actor text)
returns fsm_internal.outcome
language plpgsql
volatile
as $$
declare
  v_replay fsm_internal.outcome := fsm_internal.claim_id(p_session_id, p_request_id);
  v_source record;
  v_state fsm_internal.machine_states;
begin
  if v_replay.session_id is not null then
    return v_replay;
  end if;
  -- The source is not locked: whatever is told of it is read here, at one moment.
  select s.machine, h.machine_version, h.to_state, v.retired, fsm_internal.context_at(s.session_id, p_version) as context,
    fsm_internal.retained_versions(s.session_id) as retained
  into v_source
  from fsm_internal.sessions s
  left join fsm_internal.history h on h.session_id = s.session_id and h.version = p_version
  left join fsm_internal.machine_versions v on v.machine = s.machine and v.machine_version = h.machine_version
  where s.session_id = p_source_session_id;
  if v_source.machine is null then
    perform fsm_internal.refuse_unknown_session(p_source_session_id);
  elsif v_source.to_state is null then
    perform fsm_internal.refuse_version_not_retained(p_source_session_id, 'p_version', p_version, v_source.retained);
  end if;
  if v_source.context is null then
    perform fsm_internal.report_corrupt_session(p_source_session_id, 'row_disagrees_with_history', jsonb_build_object('version', p_version));
  end if;
  select t.* into v_state from fsm_internal.machine_states t
  where t.machine = v_source.machine and t.machine_version = v_source.machine_version and t.state = v_source.to_state;
  if v_state.state is null then
    perform fsm_internal.refuse_unknown_state(p_source_session_id, v_source.machine, v_source.machine_version, v_source.to_state);
  end if;
  if v_source.retired then
    perform fsm_internal.refuse_unknown_machine(v_source.machine, v_source.machine_version);
  end if;
  return fsm_internal.insert_session(p_session_id, v_state,
    ('fork', v_source.to_state, null, v_source.context, null, false, p_request_id, p_actor,
      jsonb_build_object('session_id', p_source_session_id, 'version', p_version))::fsm_internal.pending_write);
end
$$;
comment on function fsm_internal.fork_session(text, text, bigint, uuid, text) is
  'fsm.fork_session behind its argument checks. It locks and writes the new session only; the version of the source that it copies can no longer change.';

create function fsm_internal.retained_versions(p_session_id text)
returns jsonb
language plpgsql
stable
as $$
begin
  return (
    select jsonb_build_object('oldest_version', min(h.version), 'newest_version', max(h.version))
    from fsm_internal.history h where h.session_id = p_session_id);
end
$$;
comment on function fsm_internal.retained_versions(text) is 'The first and the last version of a session that its history has.';

create function fsm_internal.refuse_version_not_retained(p_session_id text, p_argument text, p_version bigint, p_retained jsonb)
returns void
language plpgsql
volatile
as $$
begin
  perform fsm_internal.refuse(fsm_internal.argument_refusal(p_argument, 'version never made or no longer retained',
    jsonb_build_object('session_id', p_session_id, 'version', p_version) || p_retained,
    'Give a version from oldest_version to newest_version; fsm.history lists them.'));
end
$$;
comment on function fsm_internal.refuse_version_not_retained(text, text, bigint, jsonb) is 'Raises 22023 for a version that a session does not have.';

-- internal/sessions/insert_session.sql
create function fsm_internal.insert_session(
  p_session_id text, p_state fsm_internal.machine_states, p_write fsm_internal.pending_write)
returns fsm_internal.outcome
language plpgsql
volatile
as $$
declare
  v_at timestamptz := fsm_internal.clock();
  v_wake_at timestamptz;
begin
  if p_state.first_delay_ms is not null then
    v_wake_at := fsm_internal.wake(p_session_id, p_state.machine, p_state.machine_version, p_state.state, v_at,
      v_at + p_state.first_delay_ms * interval '1 millisecond', null);
  end if;
  insert into fsm_internal.sessions (session_id, machine, machine_version, state, version, context, entered_at, created_at, updated_at, wake_at)
  values (p_session_id, p_state.machine, p_state.machine_version, p_state.state, 1,
    fsm_internal.write_context(p_session_id, p_write.context), v_at, v_at, v_at, v_wake_at)
  on conflict do nothing;
  if not found then
    perform fsm_internal.refuse_existing_session(p_session_id, p_state.machine, null, null);
  end if;
  perform fsm_internal.insert_first_history(p_session_id, p_state, p_write, v_at);
  return (p_session_id, p_state.machine, p_state.machine_version, 1, p_state.state, null, true, false, false, p_state.is_final,
    p_state.context_version, v_at, v_at, v_at, null, null)::fsm_internal.outcome;
end
$$;
comment on function fsm_internal.insert_session(text, fsm_internal.machine_states, fsm_internal.pending_write) is
  'Version 1 of a session in a state, and its first row of history. SM011 when another transaction made it first.';

create function fsm_internal.insert_first_history(
  p_session_id text, p_state fsm_internal.machine_states, p_write fsm_internal.pending_write, p_at timestamptz)
returns void
language plpgsql
volatile
as $$
declare
  v_nothing fsm_internal.locked_session;  -- what was there before: no version, no state, no hash
  v_hash bytea;
begin
  if p_state.audit_chain then
    v_nothing.session_id := p_session_id;
    v_nothing.version := 0;
    v_nothing.machine_version := p_state.machine_version;
    v_hash := fsm_internal.next_chain_hash(v_nothing, p_write, false, p_at, p_at);
  end if;
  insert into fsm_internal.history (session_id, version, kind, machine_version, from_state, to_state, actor, db_user, note,
    request_id, loop_detected, at, entered_at, chain_hash)
  values (p_session_id, 1, p_write.kind, p_state.machine_version, null, p_state.state, p_write.actor, session_user, p_write.note,
    p_write.request_id, false, p_at, p_at, v_hash)
  on conflict on constraint history_pkey do nothing;
  if not found then
    perform fsm_internal.report_corrupt_session(p_session_id, 'history_without_session', jsonb_build_object('version', 1));
  end if;
end
$$;
comment on function fsm_internal.insert_first_history(text, fsm_internal.machine_states, fsm_internal.pending_write, timestamptz) is
  'The row of history of version 1. SM060 when history has rows of a session that is gone.';

-- internal/sessions/lock_session.sql
create function fsm_internal.lock_session(p_session_id text)
returns boolean
language sql
volatile
return pg_advisory_xact_lock(hashtextextended('fsm:session:' || p_session_id, 0)) is not null;
comment on function fsm_internal.lock_session(text) is
  'Takes the session''s advisory lock to the end of the transaction; true. The first step of every write: nothing that a decision rests on may be read before.';

create function fsm_internal.make_durable()
returns boolean
language sql
volatile
return current_setting('synchronous_commit') not in ('off', 'local', 'remote_write')
  or set_config('synchronous_commit', 'on', true) = 'on';
comment on function fsm_internal.make_durable() is
  'Sees to it that the commit of this transaction waits until it is durable, whatever the caller''s session is set to; true. It only raises: remote_apply stays.';

create function fsm_internal.try_lock_session(p_session_id text)
returns boolean
language sql
volatile
return pg_try_advisory_xact_lock(hashtextextended('fsm:session:' || p_session_id, 0));
comment on function fsm_internal.try_lock_session(text) is
  'As fsm_internal.lock_session, but false at once if another transaction has the lock. For those that write to many sessions in an order of their own: they never wait, so they never deadlock.';

create function fsm_internal.lock_sessions(p_session_ids text[])
returns void
language plpgsql
volatile
as $$
declare
  v_key bigint;
begin
  for v_key in
    select distinct hashtextextended('fsm:session:' || i.id, 0) as key from unnest(p_session_ids) i(id) where i.id is not null order by key
  loop
    perform pg_advisory_xact_lock(v_key);
  end loop;
end
$$;
comment on function fsm_internal.lock_sessions(text[]) is
  'Takes the locks of many sessions, waiting for each, in the order of their keys: the order is the same for every caller, so batches never deadlock with each other.';

-- internal/sessions/move_refusal.sql
create function fsm_internal.move_refusal(
  p_session fsm_internal.locked_session, p_to_state text, p_event text, p_context jsonb)
returns jsonb
language plpgsql
volatile
as $$
declare
  v_allowed jsonb;
  v_tried jsonb;
  v_detail jsonb;
begin
  select coalesce(jsonb_agg(distinct c.event), '[]'),
    jsonb_agg(jsonb_build_object('event', c.event, 'candidate', c.candidate, 'to_state', c.to_state, 'guard', c.guard_source,
        'holds', c.guard is null or jsonb_path_match(p_context, c.guard, '{}', true) is true)
      order by c.event collate "C", c.candidate)
      filter (where c.event = p_event or (p_event is null and exists (
        select from fsm_internal.machine_candidates o
        where o.machine = c.machine and o.machine_version = c.machine_version and o.from_state = c.from_state
          and o.event = c.event and o.to_state = p_to_state)))
  into v_allowed, v_tried
  from fsm_internal.machine_candidates c
  where c.machine = p_session.machine and c.machine_version = p_session.machine_version and c.from_state = p_session.state;

  v_detail := jsonb_build_object('session_id', p_session.session_id, 'machine', p_session.machine,
    'machine_version', p_session.machine_version, 'state', p_session.state, 'to_state', p_to_state, 'event', p_event,
    'version', p_session.version, 'allowed_events', v_allowed);
  if v_tried is null
    or (p_to_state is not null and not jsonb_path_exists(v_tried, '$[*] ? (@.to_state == $to)', jsonb_build_object('to', p_to_state))) then
    return fsm_internal.refusal('SM020', 'no such transition from this state', v_detail,
      'Nothing was written. Send one of allowed_events, or save in a state that one of them leads to; fsm.allowed_events says where each goes.');
  end if;
  return fsm_internal.refusal('SM022', 'guard does not hold', v_detail || jsonb_build_object('candidates', v_tried),
    'Nothing was written. candidates says which guards held for this context, in the order tried: change the context, or go where the first that holds leads.');
end
$$;
comment on function fsm_internal.move_refusal(fsm_internal.locked_session, text, text, jsonb) is
  'The refusal SM020 when no event (p_event given: not that one) has a candidate for p_to_state (null: any), SM022 when one has but a guard keeps it from it.';

-- internal/sessions/next_chain_hash.sql
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

-- internal/sessions/open_session.sql
create function fsm_internal.open_session(
  p_session fsm_internal.locked_session, p_expected_version bigint, p_turn bigint)
returns fsm_internal.admission
language plpgsql
volatile
as $$
declare
  v_terms fsm_internal.admission := fsm_internal.admission_of(p_session.machine, p_session.machine_version, p_session.state);
begin
  perform fsm_internal.refuse(fsm_internal.precondition_refusal(p_session, v_terms.is_final, p_expected_version, p_turn));
  return v_terms;
end
$$;
comment on function fsm_internal.open_session(fsm_internal.locked_session, bigint, bigint) is
  'The terms of the present state of a session that takes writes. Raises what fsm_internal.precondition_refusal finds.';

create function fsm_internal.changed_context(
  p_session fsm_internal.locked_session, p_patch jsonb, p_append jsonb, p_max_context_bytes bigint)
returns jsonb
language plpgsql
volatile
as $$
declare
  v_context jsonb := fsm_internal.patched_context(p_session.session_id, p_session.state, p_session.context, p_patch, p_append);
begin
  perform fsm_internal.refuse(fsm_internal.form_refusal(p_session.session_id, p_session.state, v_context, p_max_context_bytes));
  return v_context || '{}';
end
$$;
comment on function fsm_internal.changed_context(fsm_internal.locked_session, jsonb, jsonb, bigint) is
  'The context of a session after a merge patch and an append, in the form that is stored. SM021 for the form of patch, append or result.';

-- internal/sessions/precondition_refusal.sql
create function fsm_internal.precondition_refusal(
  p_session fsm_internal.locked_session, p_is_final boolean, p_expected_version bigint, p_turn bigint)
returns jsonb
language plpgsql
volatile
as $$
declare
  v_refusal jsonb;
begin
  if p_is_final is null then
    return fsm_internal.unknown_state_refusal(p_session.session_id, p_session.machine, p_session.machine_version, p_session.state);
  end if;
  if p_turn is not null or p_session.turn is not null then
    v_refusal := fsm_internal.turn_refusal(p_session.session_id, p_turn);
    if v_refusal is not null then
      return v_refusal;
    end if;
  end if;
  return case
    when p_session.version <> p_expected_version then
      fsm_internal.version_refusal(p_session.session_id, p_session.version, p_expected_version, p_session.state)
    when p_is_final then fsm_internal.final_refusal(p_session) end;
end
$$;
comment on function fsm_internal.precondition_refusal(fsm_internal.locked_session, boolean, bigint, bigint) is
  'What holds for every write once the session is read: SM060 a state its machine does not have (p_is_final null), SM050 and SM051 turn, SM030 version (p_expected_version null: any), SM012 final state, in this order. Null: nothing against it.';

-- internal/sessions/read_locked_session.sql
create function fsm_internal.read_locked_session(p_session_id text)
returns fsm_internal.locked_session
language plpgsql
volatile
as $$
declare
  v_session fsm_internal.locked_session;
begin
  perform fsm_internal.make_durable();
  perform fsm_internal.lock_session(p_session_id);
  -- The empty object unpacks a context that is stored compressed or out of line: once, not at each use.
  select s.session_id, s.machine, s.machine_version, s.state, s.version, fsm_internal.read_context(s.session_id, s.context) || '{}',
    s.entered_at, s.created_at, s.updated_at, s.turn, s.wake_at
  into v_session
  from fsm_internal.sessions s
  where s.session_id = p_session_id
  for no key update;
  if v_session.session_id is null then
    perform fsm_internal.refuse_unknown_session(p_session_id);
  end if;
  return v_session;
end
$$;
comment on function fsm_internal.read_locked_session(text) is
  'Locks the session and reads it as last committed. SM010 unknown session; 40001 under REPEATABLE READ and SERIALIZABLE when it changed since the snapshot.';

create function fsm_internal.replayed_version(p_session_id text, p_request_id uuid)
returns bigint
language plpgsql
volatile
as $$
begin
  if p_request_id is null then
    return null;
  end if;
  return (select h.version from fsm_internal.history h where h.session_id = p_session_id and h.request_id = p_request_id);
end
$$;
comment on function fsm_internal.replayed_version(text, uuid) is
  'The version that a request id made of this session, null if none. Asked under the session''s lock.';

-- internal/sessions/refusals.sql
create function fsm_internal.unknown_session_refusal(p_session_id text)
returns jsonb
language sql
stable
return fsm_internal.refusal('SM010', 'session not found', jsonb_build_object('session_id', p_session_id),
  'Create it with fsm.create_session, or check the id: ids are compared byte for byte.');
comment on function fsm_internal.unknown_session_refusal(text) is 'The refusal SM010.';

create function fsm_internal.refuse_unknown_session(p_session_id text)
returns void
language plpgsql
volatile
as $$
begin
  perform fsm_internal.refuse(fsm_internal.unknown_session_refusal(p_session_id));
end
$$;
comment on function fsm_internal.refuse_unknown_session(text) is 'Raises SM010.';

create function fsm_internal.check_session_exists(p_session_id text)
returns void
language plpgsql
stable
as $$
begin
  if not exists (select from fsm_internal.sessions s where s.session_id = p_session_id) then
    perform fsm_internal.refuse_unknown_session(p_session_id);
  end if;
end
$$;
comment on function fsm_internal.check_session_exists(text) is 'Raises SM010 unless there is such a session.';

create function fsm_internal.version_refusal(p_session_id text, p_version bigint, p_expected_version bigint, p_state text)
returns jsonb
language sql
stable
return fsm_internal.refusal('SM030', 'version conflict',
  jsonb_build_object('session_id', p_session_id, 'version', p_version, 'expected_version', p_expected_version, 'state', p_state),
  'Another writer was faster and nothing was written. Load the session, decide anew on what it says, and save with its version.');
comment on function fsm_internal.version_refusal(text, bigint, bigint, text) is 'The refusal SM030; version is what is stored.';

create function fsm_internal.final_refusal(p_session fsm_internal.locked_session)
returns jsonb
language sql
stable
return fsm_internal.refusal('SM012', 'session is in a final state',
  jsonb_build_object('session_id', p_session.session_id, 'state', p_session.state, 'version', p_session.version),
  'A finished session takes no more saves or events. Start a new session, or roll this one back to an open state.');
comment on function fsm_internal.final_refusal(fsm_internal.locked_session) is 'The refusal SM012.';

create function fsm_internal.refuse_lost_write(p_session fsm_internal.locked_session)
returns void
language plpgsql
volatile
as $$
begin
  perform fsm_internal.refuse(fsm_internal.version_refusal(p_session.session_id, p_session.version + 1, p_session.version, p_session.state));
end
$$;
comment on function fsm_internal.refuse_lost_write(fsm_internal.locked_session) is
  'Raises SM030 when the version that a write was based on was taken in spite of the lock. Never answered as a row: half of the write may be done, and only an error undoes it.';

create function fsm_internal.corrupt_refusal(p_session_id text, p_code text, p_facts jsonb)
returns jsonb
language sql
stable
return fsm_internal.refusal('SM060', 'stored session corrupt', jsonb_build_object('session_id', p_session_id, 'code', p_code) || p_facts,
  'Nothing was written. Somebody changed the tables by hand, or storage failed: compare with a backup before you repair the row. fsm.verify_sessions lists all that is wrong.');
comment on function fsm_internal.corrupt_refusal(text, text, jsonb) is
  'The refusal SM060. p_code: what is wrong, a slug; p_facts: more of the DETAIL object.';

create function fsm_internal.unknown_state_refusal(p_session_id text, p_machine text, p_machine_version integer, p_state text)
returns jsonb
language sql
stable
return fsm_internal.corrupt_refusal(p_session_id, 'unknown_state',
  jsonb_build_object('machine', p_machine, 'machine_version', p_machine_version, 'state', p_state));
comment on function fsm_internal.unknown_state_refusal(text, text, integer, text) is
  'The refusal SM060 of a session in a state that its machine version does not have.';

create function fsm_internal.ahead_refusal(p_session fsm_internal.locked_session)
returns jsonb
language plpgsql
volatile
as $$
begin
  if exists (select from fsm_internal.history h where h.session_id = p_session.session_id and h.version > p_session.version) then
    return fsm_internal.corrupt_refusal(p_session.session_id, 'row_disagrees_with_history', jsonb_build_object('version', p_session.version));
  end if;
  return null;
end
$$;
comment on function fsm_internal.ahead_refusal(fsm_internal.locked_session) is
  'The refusal SM060 of a session whose history has newer versions than its row; null: it has none. A write over it is an error, which would take the other sessions of the same call back with it.';

create function fsm_internal.ahead_refusal(p_session_id text)
returns jsonb
language plpgsql
volatile
as $$
declare
  v_session fsm_internal.locked_session;
begin
  select s.session_id, s.version into v_session.session_id, v_session.version
  from fsm_internal.sessions s where s.session_id = p_session_id;
  return fsm_internal.ahead_refusal(v_session);
end
$$;
comment on function fsm_internal.ahead_refusal(text) is 'The same of a session that is not read yet; its lock is held.';

create function fsm_internal.report_corrupt_session(p_session_id text, p_code text, p_facts jsonb)
returns void
language plpgsql
volatile
as $$
begin
  perform fsm_internal.refuse(fsm_internal.corrupt_refusal(p_session_id, p_code, p_facts));
end
$$;
comment on function fsm_internal.report_corrupt_session(text, text, jsonb) is
  'Writes the line fsm.corrupt to the server log and raises SM060.';

create function fsm_internal.refuse_unknown_state(p_session_id text, p_machine text, p_machine_version integer, p_state text)
returns boolean
language plpgsql
volatile
as $$
begin
  perform fsm_internal.refuse(fsm_internal.unknown_state_refusal(p_session_id, p_machine, p_machine_version, p_state));
  return null;
end
$$;
comment on function fsm_internal.refuse_unknown_state(text, text, integer, text) is
  'Raises SM060 for a session in a state that its machine version does not have. Boolean only so that it can stand where is_final is missing.';

create function fsm_internal.refused(p_refusal jsonb)
returns fsm_internal.outcome
language plpgsql
immutable
as $$
declare
  v_outcome fsm_internal.outcome;
begin
  v_outcome.refusal := p_refusal;
  return v_outcome;
end
$$;
comment on function fsm_internal.refused(jsonb) is 'The outcome of a write that was refused.';

-- internal/sessions/replay_result.sql
create function fsm_internal.replay_result(p_session_id text, p_version bigint)
returns fsm_internal.outcome
language plpgsql
stable
as $$
declare
  v_result fsm_internal.outcome;
begin
  select h.session_id, s.machine, h.machine_version, h.version, h.to_state, h.from_state,
    h.to_state is distinct from h.from_state, h.loop_detected, true, t.is_final, t.context_version,
    h.entered_at, s.created_at, h.at, null::jsonb, null::jsonb
  into v_result
  from fsm_internal.history h
  join fsm_internal.sessions s using (session_id)
  left join fsm_internal.machine_states t
    on t.machine = s.machine and t.machine_version = h.machine_version and t.state = h.to_state
  where h.session_id = p_session_id and h.version = p_version;
  return v_result;
end
$$;
comment on function fsm_internal.replay_result(text, bigint) is
  'What the write that made this version answered, with replayed true.';

-- internal/sessions/rollback_session.sql
create function fsm_internal.rollback_session(
  p_session_id text, p_to_version bigint, p_expected_version bigint, p_reason text, p_request_id uuid, p_turn bigint, p_actor text)
returns fsm_internal.outcome
language plpgsql
volatile
as $$
declare
  v_session fsm_internal.locked_session;
  v_replayed bigint;
  v_context jsonb;
  v_state text;
  v_terms fsm_internal.admission;
  v_outcome fsm_internal.outcome;
begin
  v_session := fsm_internal.read_locked_session(p_session_id);
  v_replayed := fsm_internal.replayed_version(p_session_id, p_request_id);
  if v_replayed is not null then
    v_outcome := fsm_internal.replay_result(p_session_id, v_replayed);
    v_outcome.context := fsm_internal.context_at(p_session_id, v_replayed);
    return v_outcome;
  end if;
  -- A final state may be left by a rollback, and a state that its machine does not have may be mended by one.
  perform fsm_internal.refuse(fsm_internal.precondition_refusal(v_session, false, p_expected_version, p_turn));
  select h.to_state into v_state from fsm_internal.history h where h.session_id = p_session_id and h.version = p_to_version;
  if v_state is null then
    perform fsm_internal.refuse_version_not_retained(p_session_id, 'p_to_version', p_to_version, fsm_internal.retained_versions(p_session_id));
  end if;
  v_context := fsm_internal.context_at(p_session_id, p_to_version) || '{}';
  if v_context is null then
    perform fsm_internal.report_corrupt_session(p_session_id, 'row_disagrees_with_history', jsonb_build_object('version', p_to_version));
  end if;
  v_terms := fsm_internal.admission_of(v_session.machine, v_session.machine_version, v_state);
  if v_terms.is_final is null then
    perform fsm_internal.refuse('SM020', 'no such transition from this state',
      jsonb_build_object('session_id', p_session_id, 'machine', v_session.machine, 'machine_version', v_session.machine_version,
        'state', v_session.state, 'to_state', v_state, 'version', v_session.version, 'to_version', p_to_version),
      'Nothing was written. The machine version that the session is on now does not have the state of that version: choose a version with a state that it has.');
  end if;
  perform fsm_internal.refuse(fsm_internal.form_refusal(p_session_id, v_state, v_context, v_terms.max_context_bytes));
  v_outcome := fsm_internal.settle_write(v_session,
    ('rollback', v_state, null, v_context, (fsm_internal.context_change(v_session.context, v_context)).undo, false, p_request_id, p_actor,
      jsonb_build_object('to_version', p_to_version, 'reason', p_reason))::fsm_internal.pending_write,
    null, v_terms);
  v_outcome.context := v_context;
  return v_outcome;
end
$$;
comment on function fsm_internal.rollback_session(text, bigint, bigint, text, uuid, bigint, text) is
  'fsm.rollback_session behind its argument checks: everything it touches belongs to p_session_id or to the definitions.';

-- internal/sessions/save_refusal.sql
create function fsm_internal.save_refusal(
  p_session_id text, p_session fsm_internal.locked_session, p_has_move boolean, p_to_state text, p_context jsonb, p_expected_version bigint, p_event text,
  p_turn bigint)
returns jsonb
language plpgsql
volatile
as $$
declare
  v_terms fsm_internal.admission;
  v_refusal jsonb;
begin
  if p_session.machine is null then
    return fsm_internal.unknown_session_refusal(p_session_id);
  end if;
  v_terms := fsm_internal.admission_of(p_session.machine, p_session.machine_version, p_session.state);
  v_refusal := fsm_internal.precondition_refusal(p_session, v_terms.is_final, p_expected_version, p_turn);
  if v_refusal is not null or p_has_move then
    return v_refusal;
  end if;
  v_refusal := fsm_internal.form_refusal(p_session.session_id, p_to_state, p_context, v_terms.max_context_bytes);
  if v_refusal is null then
    p_context := fsm_internal.bare_context(p_context);
    v_refusal := fsm_internal.limit_refusal(p_session.session_id, p_to_state, p_context, array(select jsonb_object_keys(p_context)));
  end if;
  return coalesce(v_refusal, fsm_internal.move_refusal(p_session, p_to_state, p_event, p_context));
end
$$;
comment on function fsm_internal.save_refusal(text, fsm_internal.locked_session, boolean, text, jsonb, bigint, text, bigint) is
  'What a save without a move, in a session with turns, or with another version is refused for, in the order of checking: SM010, SM060, SM050, SM051, SM030, SM012, SM021 form, SM020. Null: the move is there and may be tried.';

-- internal/sessions/save_session.sql
create function fsm_internal.save_session(
  p_session_id text, p_state text, p_context jsonb, p_expected_version bigint, p_event text,
  p_request_id uuid, p_turn bigint, p_actor text, p_note jsonb)
returns fsm_internal.outcome
language plpgsql
volatile
as $$
declare
  v_session fsm_internal.locked_session;
  v_replayed bigint;
  v_move fsm_internal.machine_moves;
  v_change fsm_internal.context_change;
  v_chosen integer;
  v_rule fsm_internal.passage_rule;
  v_refusal jsonb;
begin
  -- In an expression, because PERFORM runs a query of its own. Both are always true.
  if not (fsm_internal.make_durable() and fsm_internal.lock_session(p_session_id)) then
    return null;
  end if;
  -- Three lookups by key: joined into one statement they cost half as much again.
  select s.session_id, s.machine, s.machine_version, s.state, s.version, fsm_internal.read_context(s.session_id, s.context),
    s.entered_at, s.created_at, s.updated_at, s.turn, s.wake_at
  into v_session
  from fsm_internal.sessions s where s.session_id = p_session_id for no key update;
  if p_request_id is not null then
    select h.version into v_replayed from fsm_internal.history h where h.session_id = p_session_id and h.request_id = p_request_id;
    if found then
      return fsm_internal.replay_result(p_session_id, v_replayed);
    end if;
  end if;
  select m.* into v_move from fsm_internal.machine_moves m
  where m.machine = v_session.machine and m.machine_version = v_session.machine_version
    and m.from_state = v_session.state and m.to_state = p_state;
  if not found or coalesce(p_turn, v_session.turn) is not null or v_session.version <> p_expected_version then
    v_refusal := fsm_internal.save_refusal(p_session_id, v_session, v_move.events is not null, p_state, p_context, p_expected_version, p_event, p_turn);
  end if;
  if v_refusal is null and not fsm_internal.is_plain_context(p_context, (v_move.target).max_context_bytes) then
    v_refusal := fsm_internal.form_refusal(p_session_id, p_state, p_context, (v_move.target).max_context_bytes);
    p_context := fsm_internal.bare_context(p_context);
  end if;
  if v_refusal is null then
    v_change := fsm_internal.context_change(v_session.context, p_context);
    v_refusal := fsm_internal.change_refusal(p_session_id, p_state, p_context, v_change);
  end if;
  if v_refusal is not null then
    return fsm_internal.refused(v_refusal);
  end if;
  if p_state <> v_session.state or p_event is not null then
    v_chosen := case
      when p_event is null and v_move.hits[1] and (v_move.guards[1] is null or jsonb_path_match(p_context, v_move.guards[1], '{}', true) is true) then 1
      else fsm_internal.choose_move(v_move.events, v_move.hits, v_move.guards, p_event, p_context) end;
    if v_chosen is null then
      return fsm_internal.refused(fsm_internal.move_refusal(v_session, p_state, p_event, p_context));
    end if;
    p_event := v_move.events[v_chosen];
    v_rule := case when v_move.same_rule then (v_move.loop_limit, v_move.loop_window, v_move.loop_action, v_move.divert_to,
        case when fsm_internal.may_loop(v_session.version, v_session.state = p_state, v_move.loop_limit)
          then fsm_internal.passage_at(p_session_id, v_session.state, p_state, v_move.loop_limit) end, false)::fsm_internal.passage_rule
      else fsm_internal.candidate_rule(v_session, p_event, v_move.candidates[v_chosen]) end;
  end if;
  return fsm_internal.settle_write(v_session,
    (case when v_chosen is null then 'update' else 'transition' end, p_state, p_event, p_context, v_change.undo, v_rule.reenter,
      p_request_id, p_actor, p_note)::fsm_internal.pending_write,
    v_rule, v_move.target);
end
$$;
comment on function fsm_internal.save_session(text, text, jsonb, bigint, text, uuid, bigint, text, jsonb) is
  'fsm.save_session behind its argument checks, a refusal being its answer: everything it touches belongs to p_session_id or to the definitions.';

-- internal/sessions/send_event.sql
create function fsm_internal.send_event(
  p_session_id text, p_event text, p_patch jsonb, p_expected_version bigint, p_request_id uuid,
  p_turn bigint, p_actor text, p_note jsonb, p_append jsonb)
returns fsm_internal.outcome
language plpgsql
volatile
as $$
declare
  v_context jsonb;
  v_session fsm_internal.locked_session;
  v_replayed bigint;
  v_terms fsm_internal.admission;
  v_change fsm_internal.context_change;
  v_candidate record;
  v_outcome fsm_internal.outcome;
begin
  v_session := fsm_internal.read_locked_session(p_session_id);
  v_replayed := fsm_internal.replayed_version(p_session_id, p_request_id);
  if v_replayed is not null then
    v_outcome := fsm_internal.replay_result(p_session_id, v_replayed);
    v_outcome.context := fsm_internal.context_at(p_session_id, v_replayed);
    return v_outcome;
  end if;
  v_terms := fsm_internal.open_session(v_session, p_expected_version, p_turn);
  v_context := fsm_internal.changed_context(v_session, p_patch, p_append, v_terms.max_context_bytes);
  if p_patch ? 'session_id' then  -- current_state has to wait until the target is known
    perform fsm_internal.refuse(fsm_internal.agreement_refusal(p_session_id, v_session.state, jsonb_strip_nulls(p_patch) - 'current_state'));
  end if;
  v_change := fsm_internal.context_change(v_session.context, v_context);
  perform fsm_internal.refuse(fsm_internal.change_refusal(p_session_id, v_session.state, v_context, v_change));

  select c.to_state, c.candidate, c.reenter into v_candidate
  from fsm_internal.machine_candidates c
  where c.machine = v_session.machine and c.machine_version = v_session.machine_version
    and c.from_state = v_session.state and c.event = p_event
    and (c.guard is null or jsonb_path_match(v_context, c.guard, '{}', true) is true)
  order by c.candidate limit 1;
  if v_candidate.to_state is null then
    perform fsm_internal.refuse(fsm_internal.move_refusal(v_session, null, p_event, v_context));
  end if;
  if p_patch ?| array['current_state', 'session_id'] then
    perform fsm_internal.refuse(fsm_internal.agreement_refusal(p_session_id, v_candidate.to_state, jsonb_strip_nulls(p_patch)));
  end if;
  v_outcome := fsm_internal.settle_write(v_session,
    ('transition', v_candidate.to_state, p_event, v_context, v_change.undo, v_candidate.reenter,
      p_request_id, p_actor, p_note)::fsm_internal.pending_write,
    fsm_internal.candidate_rule(v_session, p_event, v_candidate.candidate),
    fsm_internal.admission_of(v_session.machine, v_session.machine_version, v_candidate.to_state));
  v_outcome.context := v_context;
  return v_outcome;
end
$$;
comment on function fsm_internal.send_event(text, text, jsonb, bigint, uuid, bigint, text, jsonb, jsonb) is
  'fsm.send_event behind its argument checks: everything it touches belongs to p_session_id or to the definitions.';

-- internal/sessions/settle_write.sql
create function fsm_internal.settle_write(
  p_session fsm_internal.locked_session, p_write fsm_internal.pending_write,
  p_rule fsm_internal.passage_rule, p_target fsm_internal.admission)
returns fsm_internal.outcome
language plpgsql
volatile
as $$
declare
  -- Never at or below the time of the version before, whatever the clock does.
  v_at timestamptz := greatest(fsm_internal.clock(), p_session.updated_at + interval '1 microsecond');
  v_loop boolean;
  v_wanted text;
  v_entered_at timestamptz;
  v_wake_at timestamptz;
  v_hash bytea;
  v_refusal jsonb;
begin
  if p_rule.passage_at >= v_at - p_rule.loop_window then
    v_loop := true;
    v_refusal := fsm_internal.loop_refusal(p_session, p_write, p_rule);
    if v_refusal is not null then
      return fsm_internal.refused(v_refusal);
    end if;
    if p_rule.loop_action = 'divert' then
      v_wanted := p_write.to_state;
      p_write.kind := 'divert';
      p_write.to_state := p_rule.divert_to;
      p_write.reenter := false;
      p_target := fsm_internal.admission_of(p_session.machine, p_session.machine_version, p_rule.divert_to);
    end if;
  end if;
  if not fsm_internal.admits(p_write.context, p_target.schema_check, p_target.schema_rest, p_target.invariants) then
    return fsm_internal.refused(fsm_internal.admission_refusal(p_session, p_write, p_rule, v_wanted));
  end if;
  v_entered_at := case when p_write.reenter or p_write.to_state <> p_session.state then v_at else p_session.entered_at end;
  if p_target.first_delay_ms is not null and (p_session.wake_at <= v_entered_at + p_target.first_delay_ms * interval '1 millisecond') is not true then
    v_wake_at := fsm_internal.wake(p_session.session_id, p_session.machine, p_session.machine_version, p_write.to_state, v_entered_at,
      v_entered_at + p_target.first_delay_ms * interval '1 millisecond', p_session.wake_at);
  end if;
  if p_target.audit_chain then
    v_hash := fsm_internal.next_chain_hash(p_session, p_write, v_loop is true, v_entered_at, v_at);
  end if;
  -- Lock or no lock, the version decides: on a sharded engine the lock may have been taken on another node.
  update fsm_internal.sessions s
  set state = p_write.to_state, version = s.version + 1, machine_version = p_session.machine_version, entered_at = v_entered_at,
    updated_at = v_at, wake_at = coalesce(v_wake_at, s.wake_at),
    -- An unchanged context keeps its place out of line instead of being written again.
    context = case when p_write.undo is null then s.context else fsm_internal.write_context(s.session_id, p_write.context) end
  where s.session_id = p_session.session_id and s.version = p_session.version;
  insert into fsm_internal.history (session_id, version, kind, machine_version, from_state, to_state, event, actor,
    db_user, note, request_id, loop_detected, at, entered_at, undo, chain_hash)
  select p_session.session_id, p_session.version + 1, p_write.kind, p_session.machine_version, p_session.state,
    p_write.to_state, p_write.event, p_write.actor, session_user, p_write.note, p_write.request_id, v_loop is true, v_at,
    v_entered_at, p_write.undo, v_hash
  where found  -- that is, the row was updated
  on conflict on constraint history_pkey do nothing;
  if not found then
    perform fsm_internal.refuse_lost_write(p_session);
  end if;
  return (p_session.session_id, p_session.machine, p_session.machine_version, p_session.version + 1, p_write.to_state,
    p_session.state, p_write.to_state <> p_session.state, v_loop is true, false, p_target.is_final, p_target.context_version,
    v_entered_at, p_session.created_at, v_at, null, null)::fsm_internal.outcome;
end
$$;
comment on function fsm_internal.settle_write(fsm_internal.locked_session, fsm_internal.pending_write, fsm_internal.passage_rule, fsm_internal.admission) is
  'The end of every write of a session that is there: loop rule (SM040, or the divert state), schema and invariants of the state finally entered (SM021; SM040 when that is the divert state), then the session''s row moves to its next version, on p_session.machine_version, and history gains one row (SM030 when either did not happen).';

-- internal/sessions/update_context.sql
create function fsm_internal.update_context(
  p_session_id text, p_patch jsonb, p_append jsonb, p_expected_version bigint, p_request_id uuid,
  p_turn bigint, p_actor text, p_note jsonb)
returns fsm_internal.outcome
language plpgsql
volatile
as $$
declare
  v_session fsm_internal.locked_session;
  v_replayed bigint;
  v_terms fsm_internal.admission;
  v_context jsonb;
  v_change fsm_internal.context_change;
begin
  v_session := fsm_internal.read_locked_session(p_session_id);
  v_replayed := fsm_internal.replayed_version(p_session_id, p_request_id);
  if v_replayed is not null then
    return fsm_internal.replay_result(p_session_id, v_replayed);
  end if;
  v_terms := fsm_internal.open_session(v_session, p_expected_version, p_turn);
  v_context := fsm_internal.changed_context(v_session, p_patch, p_append, v_terms.max_context_bytes);
  if p_patch ?| array['current_state', 'session_id'] then
    perform fsm_internal.refuse(fsm_internal.agreement_refusal(p_session_id, v_session.state, jsonb_strip_nulls(p_patch)));
  end if;
  v_change := fsm_internal.context_change(v_session.context, v_context);
  perform fsm_internal.refuse(fsm_internal.change_refusal(p_session_id, v_session.state, v_context, v_change));
  return fsm_internal.settle_write(v_session,
    ('update', v_session.state, null, v_context, v_change.undo, false, p_request_id, p_actor, p_note)::fsm_internal.pending_write,
    null, v_terms);
end
$$;
comment on function fsm_internal.update_context(text, jsonb, jsonb, bigint, uuid, bigint, text, jsonb) is
  'fsm.update_context behind its argument checks: everything it touches belongs to p_session_id or to the definitions.';

-- internal/batches/batch_item.sql
create function fsm_internal.batch_item(p_item jsonb)
returns fsm_internal.batch_item
language plpgsql
stable
as $$
declare
  v_item fsm_internal.batch_item;
  v_note jsonb := nullif(p_item -> 'note', 'null');
begin
  v_item.session_id := fsm_internal.batch_session_id(p_item);
  v_item.refusal := fsm_internal.batch_item_form_refusal(p_item);
  if v_item.refusal is not null then
    return v_item;
  end if;
  v_item.state := p_item ->> 'state';
  v_item.context := nullif(p_item -> 'context', 'null');
  v_item.expected_version := (p_item ->> 'expected_version')::numeric::bigint;
  v_item.event := p_item ->> 'event';
  v_item.request_id := (p_item ->> 'request_id')::uuid;
  v_item.turn := (p_item ->> 'turn')::numeric::bigint;
  v_item.actor := p_item ->> 'actor';
  v_item.note := v_note;
  v_item.refusal := coalesce(
    fsm_internal.common_refusal(v_item.session_id, v_item.actor, v_note),
    fsm_internal.text_refusal('p_state', v_item.state, 128),
    case when v_item.event is not null then fsm_internal.text_refusal('p_event', v_item.event, 128) end,
    case when v_item.context is null then fsm_internal.null_refusal('p_context') end);
  return v_item;
end
$$;
comment on function fsm_internal.batch_item(jsonb) is
  'The arguments of one save of a batch; refusal says what is wrong with them, as the save itself would.';

create function fsm_internal.batch_session_id(p_item jsonb)
returns text
language sql
immutable
return case when jsonb_typeof(p_item) = 'object' and jsonb_typeof(p_item -> 'session_id') = 'string' then p_item ->> 'session_id' end;
comment on function fsm_internal.batch_session_id(jsonb) is 'The session that an item of a batch is about; null if it does not say.';

create function fsm_internal.batch_item_form_refusal(p_item jsonb)
returns jsonb
language plpgsql
stable
as $$
declare
  v_wrong record;
begin
  if jsonb_typeof(p_item) <> 'object' then
    return fsm_internal.context_refusal(null, null, 'not_an_object', '$',
      format('an item of a batch is a JSON object with the arguments of fsm.save_session, by name and without p_; this is of type %s', jsonb_typeof(p_item)));
  end if;
  select e.key, k.wanted into v_wrong
  from jsonb_each(p_item) e
  left join (values
    ('session_id', 'a string'), ('state', 'a string'), ('context', 'an object'), ('expected_version', 'a whole number'), ('event', 'a string'),
    ('request_id', 'a uuid'), ('turn', 'a whole number'), ('actor', 'a string'), ('note', 'JSON')
  ) k (key, wanted) using (key)
  where case
    when k.wanted is null then true
    when e.value = 'null' then false
    when k.wanted = 'a string' then jsonb_typeof(e.value) <> 'string'
    when k.wanted = 'a uuid' then jsonb_typeof(e.value) <> 'string' or e.value #>> '{}' !~* '^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$'
    when k.wanted = 'a whole number' then not fsm_internal.is_bigint(e.value)
    else false end
  order by e.key collate "C" limit 1;
  if found then
    return fsm_internal.argument_refusal('p_items', 'item of a batch has the wrong form', jsonb_build_object('key', left(v_wrong.key, 128), 'wanted', v_wrong.wanted),
      case when v_wrong.wanted is null then 'Leave the key out: items carry the arguments of fsm.save_session, by name and without p_.'
        else format('Give %s as %s, or null.', v_wrong.key, v_wrong.wanted) end);
  end if;
  return null;
end
$$;
comment on function fsm_internal.batch_item_form_refusal(jsonb) is 'SM021 unless an item of a batch is an object, 22023 unless it has known keys and values of their types; null: it has.';

create function fsm_internal.is_bigint(p_value jsonb)
returns boolean
language sql
immutable
return case when jsonb_typeof(p_value) <> 'number' then false
  when p_value < '-9223372036854775808' or p_value > '9223372036854775807' then false
  else scale(trim_scale(p_value::numeric)) = 0 end;
comment on function fsm_internal.is_bigint(jsonb) is 'True for a JSON number that is a whole number of 64 bits; 2.0 is one.';

-- internal/batches/check_batch.sql
create function fsm_internal.check_batch(p_items jsonb)
returns void
language plpgsql
stable
as $$
begin
  perform fsm_internal.check_not_null('p_items', p_items);
  if jsonb_typeof(p_items) <> 'array' then
    perform fsm_internal.refuse(fsm_internal.argument_refusal('p_items', 'batch is not an array', jsonb_build_object('type', jsonb_typeof(p_items)),
      'Give p_items as a JSON array of objects.'));
  end if;
  perform fsm_internal.check_at_most('p_items', jsonb_array_length(p_items), 1000, 'items');
end
$$;
comment on function fsm_internal.check_batch(jsonb) is 'Argument check: 22004 if null, 22023 unless an array of at most 1,000 items.';

-- internal/upgrades/check_upgrade.sql
create function fsm_internal.check_upgrade(p_machine text, p_from_version integer, p_to_version integer, p_state_map jsonb, p_patch jsonb)
returns void
language plpgsql
stable
as $$
declare
  v_wrong record;
begin
  perform fsm_internal.check_text('p_machine', p_machine, 512);
  perform fsm_internal.check_not_null('p_from_version', p_from_version);
  perform fsm_internal.check_not_null('p_to_version', p_to_version);
  perform fsm_internal.chosen_version(p_machine, v.version) from (values (p_from_version), (p_to_version)) v (version);
  if p_from_version = p_to_version then
    perform fsm_internal.refuse(fsm_internal.argument_refusal('p_to_version', 'upgrade to the same version', jsonb_build_object('machine_version', p_to_version),
      'Give two different versions of the machine.'));
  end if;
  select w.path, w.message into v_wrong
  from (values
    ('p_state_map', jsonb_typeof(p_state_map) <> 'object', 'a state map is a JSON object'),
    ('p_patch', jsonb_typeof(p_patch) <> 'object', 'a patch is a JSON object'),
    ('p_patch', p_patch ?| array['current_state', 'session_id'], 'state and id are not part of a context: map states with p_state_map'),
    ('p_patch', jsonb_path_exists(p_patch, 'strict $.**{100} ? (@.type() == "object" || @.type() == "array")'), 'the patch is nested more than 100 deep')
  ) w (path, is_wrong, message) where w.is_wrong limit 1;
  if found then
    perform fsm_internal.refuse_context(null, null, 'not_an_object', v_wrong.path, v_wrong.message);
  end if;
  select m.key, m.value, case when f.state is null then p_from_version else p_to_version end as machine_version into v_wrong
  from jsonb_each(p_state_map) m
  left join fsm_internal.machine_states f on f.machine = p_machine and f.machine_version = p_from_version and f.state = m.key
  left join fsm_internal.machine_states t on t.machine = p_machine and t.machine_version = p_to_version and to_jsonb(t.state) = m.value
  where f.state is null or t.state is null
  order by m.key collate "C" limit 1;
  if found then
    perform fsm_internal.refuse(fsm_internal.argument_refusal('p_state_map', 'unknown state in the state map',
      jsonb_build_object('machine', p_machine, 'machine_version', v_wrong.machine_version, 'from_state', v_wrong.key,
        'to_state', case when jsonb_typeof(v_wrong.value) = 'string' then v_wrong.value end),
      'Map states of p_from_version (keys) to states of p_to_version (strings); fsm.machine_definition shows them.'));
  end if;
end
$$;
comment on function fsm_internal.check_upgrade(text, integer, integer, jsonb, jsonb) is
  'What fsm.upgrade_sessions checks before it looks at any session: 22004, 22023, SM001, SM021.';

-- internal/upgrades/upgrade_session.sql
create function fsm_internal.sessions_to_upgrade(p_machine text, p_machine_version integer, p_after_session_id text, p_limit integer)
returns text[]
language plpgsql
volatile
as $$
begin
  return array(
    select s.session_id from fsm_internal.sessions s
    where s.machine = p_machine and s.machine_version = p_machine_version and s.session_id > coalesce(p_after_session_id, '')
      and not exists (
        select from fsm_internal.machine_states t
        where t.machine = s.machine and t.machine_version = s.machine_version and t.state = s.state and t.is_final)
    order by s.session_id limit p_limit);
end
$$;
comment on function fsm_internal.sessions_to_upgrade(text, integer, text, integer) is
  'The next sessions of a machine version that are not in a final state, in session_id order.';

create function fsm_internal.upgrade_session(
  p_session_id text, p_machine text, p_from_version integer, p_to_version integer, p_state_map jsonb, p_patch jsonb, p_dry_run boolean)
returns table (from_state text, to_state text, code text, message text)
language plpgsql
volatile
as $$
declare
  v_session fsm_internal.locked_session;
  v_outcome fsm_internal.outcome;
  v_is_final boolean;
begin
  select s.session_id, s.machine, s.machine_version, s.state, s.version, fsm_internal.read_context(s.session_id, s.context) || '{}',
    s.entered_at, s.created_at, s.updated_at, s.turn, s.wake_at
  into v_session
  from fsm_internal.sessions s
  where s.session_id = p_session_id and s.machine = p_machine and s.machine_version = p_from_version;
  if not p_dry_run and v_session.session_id is not null then
    v_session := fsm_internal.read_locked_session(p_session_id);  -- the lock is held; this takes the row
  end if;
  from_state := v_session.state;
  to_state := coalesce(p_state_map ->> v_session.state, v_session.state);
  v_is_final := (fsm_internal.admission_of(p_machine, p_from_version, from_state)).is_final;
  if v_session.session_id is null or v_is_final then
    return;  -- erased, moved or finished since it was listed
  end if;
  v_outcome := case
    when v_is_final is null then fsm_internal.refused(fsm_internal.unknown_state_refusal(p_session_id, p_machine, p_from_version, from_state))
    else fsm_internal.upgraded(v_session, p_to_version, to_state, p_patch, p_dry_run) end;
  if v_outcome.refusal is not null then
    perform fsm_internal.log_refusal(v_outcome.refusal) where not p_dry_run;
    code := case v_outcome.refusal ->> 'sqlstate'
      when 'SM020' then 'unmapped_state' when 'SM021' then 'context_rejected' when 'SM060' then 'corrupt' else 'turn_held' end;
    message := coalesce(v_outcome.refusal #>> '{detail,findings,0,message}', v_outcome.refusal #>> '{detail,reason}', v_outcome.refusal ->> 'message');
  end if;
  return next;
end
$$;
comment on function fsm_internal.upgrade_session(text, text, integer, integer, jsonb, jsonb, boolean) is
  'Upgrades one session, whose lock is held unless it is a dry run: one row of the report, or none when it is no longer what it was listed as.';

create function fsm_internal.upgraded(
  p_session fsm_internal.locked_session, p_to_version integer, p_to_state text, p_patch jsonb, p_dry_run boolean)
returns fsm_internal.outcome
language plpgsql
volatile
as $$
declare
  v_terms fsm_internal.admission := fsm_internal.admission_of(p_session.machine, p_to_version, p_to_state);
  v_context jsonb := fsm_internal.merge_patch(p_session.context, p_patch);
  v_change fsm_internal.context_change := fsm_internal.context_change(p_session.context, v_context);
  v_write fsm_internal.pending_write;
  v_refusal jsonb;
begin
  if v_terms.is_final is null then
    return fsm_internal.refused(fsm_internal.refusal('SM020', 'no such transition from this state',
      jsonb_build_object('session_id', p_session.session_id, 'machine', p_session.machine, 'machine_version', p_to_version,
        'state', p_session.state, 'to_state', p_to_state, 'reason', format('version %s has no state %s', p_to_version, p_to_state)),
      'Map the state to one that the new version has.'));
  end if;
  v_refusal := coalesce(
    fsm_internal.ahead_refusal(p_session),
    case
      when p_dry_run then (  -- without a lock: it would wait for batches, and they for it
        select fsm_internal.held_turn_refusal(t) from fsm_internal.turns t
        where t.session_id = p_session.session_id and t.expires_at > fsm_internal.clock())
      when p_session.turn is not null then fsm_internal.turn_refusal(p_session.session_id, null) end,
    fsm_internal.form_refusal(p_session.session_id, p_to_state, v_context, v_terms.max_context_bytes),
    fsm_internal.change_refusal(p_session.session_id, p_to_state, v_context, v_change));
  if v_refusal is not null then
    return fsm_internal.refused(v_refusal);
  end if;
  v_write := ('upgrade', p_to_state, null, v_context, v_change.undo, false, null, null,
    jsonb_build_object('from_machine_version', p_session.machine_version))::fsm_internal.pending_write;
  p_session.machine_version := p_to_version;
  if not p_dry_run then
    return fsm_internal.settle_write(p_session, v_write, null, v_terms);
  end if;
  if not fsm_internal.admits(v_context, v_terms.schema_check, v_terms.schema_rest, v_terms.invariants) then
    v_refusal := fsm_internal.admission_refusal(p_session, v_write, null, null);
  end if;
  return fsm_internal.refused(v_refusal);
end
$$;
comment on function fsm_internal.upgraded(fsm_internal.locked_session, integer, text, jsonb, boolean) is
  'The write of an upgrade, or what refuses it; a dry run answers only the latter.';

-- internal/legacy/legacy_time.sql
-- Without an exception block: a thousand rows would be as many subtransactions.
create function fsm_internal.legacy_time(p_text text)
returns timestamp
language plpgsql
immutable
as $$
declare
  v_part text[] := regexp_match(p_text, '^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d(?:\.\d{1,9})?))?)?(?:Z|([+-])(\d\d):?(\d\d)?)?$');
  v_year integer := v_part[1]::integer;
  v_month integer := v_part[2]::integer;
  v_day integer := v_part[3]::integer;
  v_hour integer := coalesce(v_part[4]::integer, 0);
  v_minute integer := coalesce(v_part[5]::integer, 0);
  v_second numeric := coalesce(v_part[6]::numeric, 0);
  v_offset interval := (coalesce(v_part[7], '+') || '1')::integer
    * (coalesce(v_part[8], '0')::integer * interval '1 hour' + coalesce(v_part[9], '0')::integer * interval '1 minute');
begin
  if v_part is null or v_year = 0 or v_month not between 1 and 12 or v_hour > 23 or v_minute > 59 or v_second >= 60 then
    return null;
  end if;
  if v_day not between 1 and extract(day from make_date(v_year, v_month, 1) + interval '1 month' - interval '1 day') then
    return null;
  end if;
  return make_timestamp(v_year, v_month, v_day, v_hour, v_minute, 0) + v_second * interval '1 second' - v_offset;
end
$$;
comment on function fsm_internal.legacy_time(text) is
  'A time of the old stores, in UTC: ISO 8601 with a blank or a T, with or without an offset; without one it is UTC. Null for null and for anything else, years above 9999 and before Christ included.';

create function fsm_internal.legacy_time_warning(p_time jsonb)
returns text
language plpgsql
stable
as $$
declare
  v_text text := p_time #>> '{}';
  v_at timestamp := fsm_internal.legacy_time(v_text);
begin
  return case
    when p_time is null then null
    when jsonb_typeof(p_time) <> 'string' or v_at is null then 'timestamp_unparsable'
    when v_at > fsm_internal.clock() at time zone 'UTC' + interval '1 day' or v_at < '2000-01-01' then 'timestamp_implausible'
    when v_text ~ '(Z|[+-]\d\d:?(\d\d)?)$' and v_text like '%:%' then 'timestamp_with_offset' end;
end
$$;
comment on function fsm_internal.legacy_time_warning(jsonb) is
  'What is odd about a time in a contract''s context: timestamp_unparsable, timestamp_implausible (before 2000 or in the future) or timestamp_with_offset. Null: nothing, or there is none.';

-- internal/legacy/legacy_chat.sql
create function fsm_internal.legacy_chat_problem(p_chat jsonb)
returns table (code text, message text)
language plpgsql
immutable
as $$
begin
  if coalesce(jsonb_typeof(p_chat), 'null') not in ('null', 'array') then
    code := 'chat_history_not_array'; message := format('chat_history is of type %s', jsonb_typeof(p_chat));
    return next;
  elsif jsonb_path_exists(p_chat, 'strict $[*] ? (@.type() != "object")', '{}', true) then
    code := 'chat_message_invalid'; message := 'a message of chat_history is no object';
    return next;
  end if;
end
$$;
comment on function fsm_internal.legacy_chat_problem(jsonb) is 'Why a chat cannot be taken over; no row: it can. Null is an empty chat.';

create function fsm_internal.legacy_chat_is_odd(p_chat jsonb)
returns boolean
language sql
immutable
return exists (
  select from jsonb_array_elements(case jsonb_typeof(p_chat) when 'array' then p_chat else '[]' end) m(message)
  where (m.message ->> 'role' in ('user', 'assistant', 'system')) is not true
    or jsonb_typeof(m.message -> 'content') is distinct from 'string'
    or (m.message ->> 'timestamp' is not null and fsm_internal.legacy_time(m.message ->> 'timestamp') is null));
comment on function fsm_internal.legacy_chat_is_odd(jsonb) is
  'True when a message has a role that is none, no text, or a time that is none. Messages without a time are as old as they look, not odd.';

create function fsm_internal.merged_chats(p_chat jsonb, p_other jsonb)
returns jsonb
language plpgsql
immutable
as $$
begin
  if p_chat = p_other or p_other = '[]' then
    return p_chat;
  elsif p_chat = '[]' then
    return p_other;
  end if;
  return (
    with messages as (
      select c.of_other, m.message, m.nth, row_number() over (partition by c.of_other, m.message order by m.nth) as occurrence
      from (values (false, p_chat), (true, p_other)) c(of_other, chat)
      cross join lateral jsonb_array_elements(c.chat) with ordinality m(message, nth)),
    once as (select distinct on (m.message, m.occurrence) m.* from messages m order by m.message, m.occurrence, m.of_other)
    select case when bool_or(o.of_other)
        then jsonb_agg(o.message order by fsm_internal.legacy_time(o.message ->> 'timestamp') nulls first, o.of_other, o.nth)
      else p_chat end  -- nothing new in the other: the order stays as it was
    from once o);
end
$$;
comment on function fsm_internal.merged_chats(jsonb, jsonb) is
  'Two chats as one: by time, messages without a time in front, what stands in both once (as often as the one that has it more often).';

-- internal/legacy/legacy_context.sql
create function fsm_internal.legacy_context(p_reading fsm_internal.legacy_reading, p_machine text, p_is_final boolean)
returns jsonb
language plpgsql
stable
as $$
declare
  v_contract jsonb := coalesce(p_reading.context, '{}') - array['current_state', 'session_id', 'contract_template_path'];
begin
  return jsonb_build_object(
      'contract_type', p_machine, 'constraints', jsonb '[]', 'preferences', jsonb '{}', 'search_results', jsonb '[]', 'selected_product', null,
      'step_log', jsonb '[]', 'tools_used', jsonb '[]', 'confirmation_pending', false, 'is_cancelled', false, 'contract_status', 'active',
      'extracted_attributes', jsonb '[]', 'pipeline_executions', jsonb '{}', 'last_pipeline_results', jsonb '{}',
      'pipeline_performance_metrics', jsonb '{}', 'pipeline_results', jsonb '{}', 'pipeline_execution_history', jsonb '[]',
      'fsm_state_history', jsonb '[]', 'user_id', null, 'user_preferences', jsonb '{}', 'search_constraints', jsonb '{}', 'metadata', jsonb '{}')
    || v_contract
    || jsonb_build_object('serialization_version', '1.0', 'contract_template', p_machine,
      'conversation_history', fsm_internal.merged_chats(p_reading.chat, coalesce(v_contract -> 'conversation_history', '[]')))
    || case when v_contract ? 'last_updated' or not v_contract ? 'updated_at' then '{}'
      else jsonb_build_object('last_updated', v_contract -> 'updated_at') end
    || case when p_reading.title is null then '{}' else jsonb_build_object('title', p_reading.title) end
    || case when p_reading.rest = '{}' then '{}' else jsonb_build_object('legacy_metadata', p_reading.rest) end
    || case
      when p_reading.pending is not null then jsonb_build_object('selected_product', p_reading.pending, 'confirmation_pending', true)
      -- An order that is closed is not to be confirmed once more.
      when p_is_final then jsonb_build_object('confirmation_pending', false)
      else '{}' end;
end
$$;
comment on function fsm_internal.legacy_context(fsm_internal.legacy_reading, text, boolean) is
  'The context that a session is imported with: the contract''s in the newest shape of the old engine (other keys kept), its chat as conversation_history, the template by its name.';

-- internal/legacy/legacy_contract.sql
create function fsm_internal.legacy_contract_problem(p_session_id text, p_contract jsonb, p_machine text)
returns table (code text, message text)
language plpgsql
stable
as $$
declare
  v_version jsonb := nullif(p_contract -> 'serialization_version', 'null');
  v_template text;
begin
  if jsonb_typeof(p_contract) <> 'object' then
    code := 'context_not_object'; message := format('contract_context is of type %s', jsonb_typeof(p_contract));
    return next;
    return;
  end if;
  v_template := fsm_internal.legacy_template(p_contract -> 'contract_template', p_machine);
  if p_contract -> 'session_id' <> to_jsonb(p_session_id) and p_session_id <> fsm_internal.legacy_shared_id() then
    code := 'session_id_mismatch'; message := format('the contract''s session_id is %s', left((p_contract -> 'session_id')::text, 200));
  elsif v_version <> '"1.0"' then
    code := 'unsupported_serialization_version'; message := format('serialization_version is %s; known are "1.0" and none', left(v_version::text, 100));
  elsif v_template <> p_machine then
    code := 'unknown_template'; message := format('the contract template is %s, not %s', left(v_template, 100), p_machine);
  elsif (p_contract -> 'contract_type' = to_jsonb(p_machine)) is not true then
    code := 'unsupported_contract_type'; message := format('contract_type is %s, not "%s"', coalesce(left((p_contract -> 'contract_type')::text, 100), 'missing'), p_machine);
  end if;
  if code is not null then
    return next;
  end if;
end
$$;
comment on function fsm_internal.legacy_contract_problem(text, jsonb, text) is
  'Why a contract''s context is not one that can be read, or not of this session or machine; no row: it is.';

create function fsm_internal.legacy_shared_id()
returns text
language sql
immutable
return 'default_fsm_session';
comment on function fsm_internal.legacy_shared_id() is 'The row in which the old engine saved every contract that it had loaded before, whosever it was.';

create function fsm_internal.legacy_contract(
  p_reading fsm_internal.legacy_reading, p_contract jsonb, p_machine text, p_machine_version integer)
returns fsm_internal.legacy_reading
language plpgsql
stable
as $$
declare
  v_fields record;
  v_shapes record;
  v_history record;
  v_state text;
  v_warnings text[];
begin
  if p_contract is null or p_contract in ('null', '{}') then
    return p_reading;  -- for the old engine that was no contract
  end if;
  select p.code, p.message into p_reading.problem, p_reading.message
  from (
    select 1 as nth, i.* from fsm_internal.legacy_contract_problem(p_reading.session_id, p_contract, p_machine) i
    union all
    select 2, s.* from fsm_internal.legacy_state_problem(p_contract, p_machine, p_machine_version) s) p
  order by p.nth limit 1;
  if found then
    return p_reading;
  end if;
  select f.* into v_fields from fsm_internal.legacy_fields(p_contract) f;
  if v_fields.wrong is not null then
    p_reading.problem := 'field_type_invalid'; p_reading.message := v_fields.wrong;
    return p_reading;
  end if;
  p_reading.generation := fsm_internal.legacy_generation(p_contract);
  select s.* into v_shapes from fsm_internal.legacy_shapes(v_fields.contract, p_reading.generation) s;
  p_reading.context := v_shapes.contract;
  v_state := fsm_internal.legacy_state(p_contract ->> 'current_state', p_reading.context -> 'is_cancelled' = 'true');
  select h.* into v_history from fsm_internal.legacy_history(p_reading.context, v_state, p_machine, p_machine_version) h;
  if v_history.verdict = 'disconnected' then
    p_reading.problem := 'state_conflict';
    p_reading.message := format('current_state is %s, but the states before it end in %s, and no edges connect them', v_state, v_history.last_state);
    return p_reading;
  elsif v_history.verdict <> 'agrees' then
    p_reading.lost := coalesce(p_reading.lost, '{}') || case v_history.verdict
      when 'ahead' then jsonb_build_object('current_state', p_contract -> 'current_state') else jsonb_build_object('history_state', v_history.last_state) end;
    v_warnings := array['state_conflict'];
  end if;
  p_reading.state := case v_history.verdict when 'ahead' then v_history.last_state else v_state end;
  p_reading.context_at := fsm_internal.legacy_time(coalesce(p_contract ->> 'updated_at', p_contract ->> 'last_updated'));
  p_reading.context_warnings := v_warnings || v_shapes.warnings || v_fields.warning
    || fsm_internal.legacy_contract_warnings(p_contract, p_reading, p_machine, p_machine_version);
  return p_reading;
end
$$;
comment on function fsm_internal.legacy_contract(fsm_internal.legacy_reading, jsonb, text, integer) is
  'A reading with what a contract''s context says: its fields in their types and shapes and its canonical state, or the problem.';

create function fsm_internal.legacy_contract_warnings(
  p_contract jsonb, p_reading fsm_internal.legacy_reading, p_machine text, p_machine_version integer)
returns text[]
language plpgsql
stable
as $$
begin
  return array(
    select distinct w.code
    from (
      select 'session_id_missing_in_context' as code where not p_contract ? 'session_id'
      union all
      select 'template_path_normalised' where fsm_internal.legacy_template_is_odd(p_contract, p_machine)
      union all
      select fsm_internal.legacy_time_warning(p_contract -> t.name)
      from (values ('created_at'), ('updated_at'), ('last_updated')) t(name)
      -- The newest builds have both of the latter and fill one.
      where t.name = 'created_at' or p_contract -> t.name <> 'null'
      union all
      select 'flags_inconsistent'
      where (p_reading.context -> 'confirmation_pending' = 'true'
          and (fsm_internal.admission_of(p_machine, p_machine_version, p_reading.state)).is_final)
        or (p_reading.context -> 'is_cancelled' = 'true' and p_reading.state <> 'cancelled')) w
    where w.code is not null
    order by w.code);
end
$$;
comment on function fsm_internal.legacy_contract_warnings(jsonb, fsm_internal.legacy_reading, text, integer) is
  'What is odd about a contract''s context that can be taken over all the same.';

-- internal/legacy/legacy_fields.sql
create function fsm_internal.legacy_field_types()
returns table (name text, wanted text)
language sql
immutable
begin atomic
  select f.name, f.wanted from (values
    ('step_log', 'array'), ('tools_used', 'array'), ('search_results', 'array'), ('top_products', 'array'), ('extracted_attributes', 'array'),
    ('conversation_history', 'array'), ('fsm_state_history', 'array'), ('pipeline_execution_history', 'array'),
    ('selected_product', 'object'), ('product_recommendations', 'object'), ('pipeline_executions', 'object'), ('last_pipeline_results', 'object'),
    ('pipeline_performance_metrics', 'object'), ('pipeline_results', 'object'), ('user_preferences', 'object'), ('search_constraints', 'object'),
    ('metadata', 'object'), ('confirmation_pending', 'boolean'), ('is_cancelled', 'boolean'), ('refinement_attempts', 'integer'),
    ('product_query', 'string'), ('contract_status', 'string'), ('user_id', 'string'),
    ('preferences', 'array or object'), ('constraints', 'array or object')) f (name, wanted);
end;
comment on function fsm_internal.legacy_field_types() is 'The fields of a contract''s context whose type the old engine checked when it loaded one.';

create function fsm_internal.legacy_coerced(p_value jsonb, p_wanted text)
returns jsonb
language plpgsql
immutable
as $$
declare
  v_text text := lower(btrim(p_value #>> '{}'));
begin
  if p_wanted like '%' || jsonb_typeof(p_value) || '%' then
    return p_value;
  end if;
  if jsonb_typeof(p_value) not in ('string', 'number', 'boolean') then
    return null;
  end if;
  return case
    when p_wanted = 'boolean' and v_text in ('true', 't', 'yes', 'y', 'on', '1') then 'true'
    when p_wanted = 'boolean' and v_text in ('false', 'f', 'no', 'n', 'off', '0') then 'false'
    when p_wanted = 'integer' and jsonb_typeof(p_value) = 'boolean' then to_jsonb((p_value::boolean)::integer)
    when p_wanted = 'integer' and jsonb_typeof(p_value) = 'number' and p_value::numeric = trunc(p_value::numeric) then p_value
    when p_wanted = 'integer' and jsonb_typeof(p_value) = 'string' and v_text ~ '^[+-]?\d{1,18}$' then to_jsonb(v_text::bigint) end;
end
$$;
comment on function fsm_internal.legacy_coerced(jsonb, text) is
  'A value as the type that its field has, where that is beyond doubt: "true" as true, "2" as 2. Null: it cannot be.';

create function fsm_internal.legacy_fields(p_contract jsonb)
returns table (contract jsonb, wrong text, warning text)
language plpgsql
immutable
as $$
declare
  v_field record;
  v_value jsonb;
begin
  contract := p_contract;
  for v_field in
    select t.name, t.wanted, p_contract -> t.name as value from fsm_internal.legacy_field_types() t
    where p_contract ? t.name order by t.name
  loop
    if v_field.value = 'null' then
      -- Absent by another name; what may be null in the present shape stays.
      if v_field.name not in ('selected_product', 'product_recommendations', 'user_id', 'product_query') then
        contract := contract - v_field.name;
      end if;
      continue;
    end if;
    v_value := fsm_internal.legacy_coerced(v_field.value, v_field.wanted);
    if v_value is null then
      wrong := coalesce(wrong, format('%s is of type %s, not %s', v_field.name, jsonb_typeof(v_field.value), v_field.wanted));
    elsif v_value <> v_field.value then
      contract := contract || jsonb_build_object(v_field.name, v_value);
      warning := 'type_coerced';
    end if;
  end loop;
  if wrong is null and jsonb_path_exists(contract, 'strict $.constraints[*] ? (@.type() != "string" && @.type() != "object")', '{}', true)
    and jsonb_typeof(contract -> 'constraints') = 'array'
  then
    wrong := 'an element of constraints is neither a string nor an object';
  end if;
  return next;
end
$$;
comment on function fsm_internal.legacy_fields(jsonb) is
  'A contract''s context with every checked field in its type: wrong says which one cannot be, warning is type_coerced when one had to be turned.';

create function fsm_internal.legacy_shapes(p_contract jsonb, p_generation text)
returns table (contract jsonb, warnings text[])
language plpgsql
immutable
as $$
begin
  contract := p_contract;
  warnings := '{}';
  if p_generation not in ('V3', 'V4', 'V5', 'V6') then
    return next;  -- V1 and V2 had the older shapes, V7 takes both
    return;
  end if;
  if jsonb_typeof(contract -> 'preferences') = 'array' then
    contract := contract || jsonb_build_object('preferences', (
      select coalesce(jsonb_object_agg('preference_' || e.nth, case jsonb_typeof(e.value) when 'string' then e.value else to_jsonb(e.value::text) end), '{}')
      from jsonb_array_elements(contract -> 'preferences') with ordinality e(value, nth)));
    warnings := array['older_shape_converted'];
  end if;
  if jsonb_typeof(contract -> 'constraints') = 'object' then
    contract := contract || jsonb_build_object('constraints', (
      select coalesce(jsonb_agg(format('%s: %s', e.key, e.value #>> '{}') order by e.key collate "C"), '[]')
      from jsonb_each(contract -> 'constraints') e));
    warnings := array['older_shape_converted'];
  elsif p_generation <> 'V6' and jsonb_path_exists(contract, 'strict $.constraints[*] ? (@.type() == "object")', '{}', true) then
    warnings := warnings || 'legacy_could_not_load'::text;
  end if;
  return next;
end
$$;
comment on function fsm_internal.legacy_shapes(jsonb, text) is
  'Preferences and constraints in the shape of their generation: from V3 on an object and a list. older_shape_converted: they had the older one. legacy_could_not_load: constraints hold objects, which the old engine wrote and then refused to load; they are kept.';

-- internal/legacy/legacy_generation.sql
create function fsm_internal.legacy_generation(p_contract jsonb)
returns text
language sql
immutable
return case
  when p_contract -> 'serialization_version' = '"1.0"' then case when p_contract ? 'fsm_state_history' then 'V7' else 'V6' end
  when p_contract ? 'refinement_attempts' then 'V5'
  when p_contract ? 'extracted_attributes' then 'V4'
  when p_contract ? 'top_products' then case jsonb_typeof(p_contract -> 'constraints') when 'object' then 'V2' else 'V3' end
  when jsonb_typeof(p_contract -> 'contract_template') = 'object' then 'V1'
  else 'V1p' end;
comment on function fsm_internal.legacy_generation(jsonb) is
  'In which shape the old engine wrote a contract''s context, told by its keys: serialization_version "1.0" stands for two of them and the rest have none.';

create function fsm_internal.legacy_template(p_template jsonb, p_machine text)
returns text
language sql
immutable
return case jsonb_typeof(p_template)
  when 'string' then coalesce(nullif(regexp_replace(regexp_replace(p_template #>> '{}', '^.*[/\\]', ''), '\.ya?ml$', ''), ''), p_machine)
  else p_machine end;
comment on function fsm_internal.legacy_template(jsonb, text) is
  'The name of a contract template: of a path, of whatever system, the last part without .yaml; the machine''s name when there is no path. Nothing is opened.';

create function fsm_internal.legacy_template_is_odd(p_contract jsonb, p_machine text)
returns boolean
language sql
immutable
return case jsonb_typeof(p_contract -> 'contract_template')
  when 'object' then false
  when 'string' then p_contract ->> 'contract_template' !~ case fsm_internal.legacy_generation(p_contract)
    when 'V7' then '^(/.*/)?contract_templates/[^/]*$' else '^contract_templates/[^/]*$' end
  -- The first builds kept the template itself, and null when its file was gone.
  when 'null' then fsm_internal.legacy_generation(p_contract) not in ('V1', 'V1p')
  else true end;
comment on function fsm_internal.legacy_template_is_odd(jsonb, text) is 'True when a contract names its template in another way than its build did: by a relative path, the last builds by an absolute one too.';

-- internal/legacy/legacy_history.sql
create function fsm_internal.legacy_passages(p_contract jsonb)
returns table (nth bigint, from_name text, to_name text)
language plpgsql
immutable
as $$
begin
  return query
    select e.nth, e.entry ->> 'from_state', e.entry ->> 'to_state'
    from jsonb_array_elements(case jsonb_typeof(p_contract -> 'fsm_state_history') when 'array' then p_contract -> 'fsm_state_history' else '[]' end)
      with ordinality e(entry, nth);
  if found then
    return;
  end if;
  return query
    select s.nth, s.part[1], s.part[2]
    from (
      select e.nth, regexp_match(e.line, '^(\S+) -> (\S+)$') as part
      from jsonb_array_elements_text(case jsonb_typeof(p_contract -> 'step_log') when 'array' then p_contract -> 'step_log' else '[]' end)
        with ordinality e(line, nth)) s
    where s.part is not null;
end
$$;
comment on function fsm_internal.legacy_passages(jsonb) is
  'The transitions that a contract remembers, oldest first: of fsm_state_history, or where that is empty of step_log ("a -> b").';

create function fsm_internal.leads_to(p_machine text, p_machine_version integer, p_from_state text, p_to_state text)
returns boolean
language sql
stable
begin atomic
  with recursive reached as (
    select p_from_state collate "C" as state
    union
    select m.to_state from reached r
    join fsm_internal.machine_moves m on m.machine = p_machine and m.machine_version = p_machine_version and m.from_state = r.state
  )
  select p_to_state in (select r.state from reached r);
end;
comment on function fsm_internal.leads_to(text, integer, text, text) is 'True when events lead from one state to another, in any number of steps.';

create function fsm_internal.legacy_history(p_contract jsonb, p_state text, p_machine text, p_machine_version integer)
returns table (verdict text, last_state text)
language plpgsql
stable
as $$
declare
  v_is_cancelled boolean := p_contract -> 'is_cancelled' = 'true';
  v_broken boolean;
  v_passed boolean;
begin
  with passages as (
    select p.nth, fsm_internal.legacy_state(p.from_name, false) as from_state, fsm_internal.legacy_state(p.to_name, false) as to_state,
      p.from_name, p.to_name
    from fsm_internal.legacy_passages(p_contract) p),
  linked as (
    select p.*, lag(p.to_state) over (order by p.nth) as before,
      p.from_state = p.to_state or p.from_state <> p.from_name or p.to_state <> p.to_name or exists (
        select from fsm_internal.machine_moves m
        where m.machine = p_machine and m.machine_version = p_machine_version and m.from_state = p.from_state and m.to_state = p.to_state) as is_edge
    from passages p)
  select (array_agg(fsm_internal.legacy_state(l.to_name, v_is_cancelled) order by l.nth desc))[1],
    bool_or(l.to_state is null or l.from_state is null or not l.is_edge or l.before <> l.from_state), bool_or(p_state in (l.from_state, l.to_state))
  into last_state, v_broken, v_passed
  from linked l;
  verdict := case
    when last_state is null and v_broken is null or last_state = p_state then 'agrees'
    when v_broken then 'disconnected'
    when v_passed then 'ahead'
    when fsm_internal.leads_to(p_machine, p_machine_version, last_state, p_state) then 'behind'
    else 'disconnected' end;
  return next;
end
$$;
comment on function fsm_internal.legacy_history(jsonb, text, text, integer) is
  'How the transitions that a contract remembers agree with its (canonical) state. agrees: they end in it, or there are none. ahead: it was passed, so it is older than they are. behind: edges lead from their end to it. disconnected: neither, or they do not follow each other along edges. last_state: where they end.';

-- internal/legacy/legacy_original.sql
create function fsm_internal.legacy_reading_of(p_item fsm_internal.import_item, p_machine_version integer)
returns fsm_internal.legacy_reading
language plpgsql
stable
as $$
declare
  v_reading fsm_internal.legacy_reading;
  v_metadata jsonb;
begin
  v_reading.source := p_item.source;
  v_reading.session_id := p_item.session_id;
  v_reading.warnings := case when p_item.session_id = 'default_session' then array['shared_session_id'] else '{}' end;
  v_reading.problem := p_item.problem;
  v_reading.message := fsm_internal.unread_message(v_reading.problem);
  if v_reading.problem is null then
    select p.code, p.message into v_reading.problem, v_reading.message from fsm_internal.import_item_problem(p_item) p;
  end if;
  if v_reading.problem is not null then
    return v_reading;
  end if;
  v_reading.is_row := p_item.data ?| array['session_metadata', 'message_count', 'has_contract'];
  v_metadata := case when v_reading.is_row then coalesce(nullif(p_item.data -> 'session_metadata', 'null'), '{}') else p_item.data end;
  if v_reading.is_row then
    v_reading := fsm_internal.legacy_row(v_reading, p_item.data);
  end if;
  if v_reading.problem is null and jsonb_typeof(v_metadata) <> 'object' then
    v_reading.problem := 'metadata_not_object'; v_reading.message := format('session_metadata is of type %s', jsonb_typeof(v_metadata));
  end if;
  if v_reading.problem is null then
    v_reading := fsm_internal.legacy_chat(v_reading, p_item.data -> 'chat_history', case when v_reading.is_row then v_metadata -> 'chat_history' end);
  end if;
  if v_reading.problem is null then
    v_reading := fsm_internal.legacy_value(v_reading, v_metadata, p_item.data -> 'has_contract' = 'true');
  end if;
  if v_reading.problem is null then
    v_reading := fsm_internal.legacy_contract(v_reading, v_metadata -> 'contract_context', p_item.machine, p_machine_version);
  end if;
  return v_reading;
end
$$;
comment on function fsm_internal.legacy_reading_of(fsm_internal.import_item, integer) is
  'Reads one original: a row of the old table, told by its columns, or a value of the old file store. The first thing that is wrong is its problem.';

create function fsm_internal.import_item_problem(p_item fsm_internal.import_item)
returns table (code text, message text)
language plpgsql
stable
as $$
begin
  if p_item.session_id = '' then
    code := 'empty_session_id'; message := 'a session needs an id';
  elsif octet_length(p_item.session_id) > 512 then
    code := 'session_id_too_long'; message := format('the id has %s bytes, 512 are the most', octet_length(p_item.session_id));
  elsif p_item.data is null then
    code := 'data_missing'; message := 'there is an original but nothing was read of it';
  elsif jsonb_typeof(p_item.data) <> 'object' then
    code := 'shelve_value_not_dict'; message := format('the original is of type %s', jsonb_typeof(p_item.data));
  else
    -- Two levels more than the context will have: the row, and its column.
    select case f.code when 'too_deep' then 'nesting_too_deep' else 'number_out_of_range' end, f.path || ': ' || f.message into code, message
    from fsm_internal.limit_findings(fsm_internal.legacy_innermost(p_item.data)) f limit 1;
  end if;
  if code is not null then
    return next;
  end if;
end
$$;
comment on function fsm_internal.import_item_problem(fsm_internal.import_item) is
  'Why an original cannot become a session of any machine; no row: nothing is in the way.';

create function fsm_internal.legacy_innermost(p_data jsonb)
returns jsonb
language sql
immutable
return jsonb_build_object('row', p_data - array['session_metadata', 'contract_context', 'chat_history'])
  || case jsonb_typeof(p_data -> 'session_metadata') when 'object' then (p_data -> 'session_metadata') - 'contract_context'::text else '{}' end
  || case jsonb_typeof(p_data #> '{session_metadata,contract_context}')
    when 'object' then p_data #> '{session_metadata,contract_context}'
    else jsonb_build_object('contract_context', p_data #> '{session_metadata,contract_context}') end
  || case jsonb_typeof(p_data -> 'contract_context') when 'object' then p_data -> 'contract_context' else '{}' end
  || jsonb_build_object('chat_history', p_data -> 'chat_history');
comment on function fsm_internal.legacy_innermost(jsonb) is 'Everything of an original on the level that it will have in the context, to be held against the limits.';

create function fsm_internal.legacy_row(p_reading fsm_internal.legacy_reading, p_data jsonb)
returns fsm_internal.legacy_reading
language plpgsql
stable
as $$
declare
  v_column text;
  v_text text;
begin
  foreach v_column in array array['created_at', 'updated_at', 'last_user_ts'] loop
    v_text := p_data ->> v_column;
    if v_text is not null and fsm_internal.legacy_time(v_text) is null then
      p_reading.problem := case when v_text ~* 'infinity|BC|^-|^\d{5}' then 'timestamp_out_of_range' else 'timestamp_unparsable' end;
      p_reading.message := format('%s is %s', v_column, left(v_text, 100));
      return p_reading;
    end if;
    if fsm_internal.legacy_time_warning(p_data -> v_column) = 'timestamp_implausible' then
      p_reading.warnings := p_reading.warnings || 'timestamp_implausible'::text;
    end if;
  end loop;
  p_reading.changed_at := fsm_internal.legacy_time(p_data ->> 'updated_at');
  p_reading.times := jsonb_strip_nulls(jsonb_build_object('created_at', p_data -> 'created_at', 'updated_at', p_data -> 'updated_at'));
  p_reading.title := p_data ->> 'title';
  p_reading.rest := jsonb_strip_nulls(jsonb_build_object('short_summary', p_data -> 'short_summary'));
  if jsonb_typeof(p_data -> 'message_count') = 'number' and p_data -> 'message_count' between '0' and '2147483647' then
    p_reading.message_count := (p_data -> 'message_count')::numeric::integer;
  end if;
  return p_reading;
end
$$;
comment on function fsm_internal.legacy_row(fsm_internal.legacy_reading, jsonb) is
  'A reading with what the columns of a row of the old table say beside its chat and its metadata.';

create function fsm_internal.legacy_chat(p_reading fsm_internal.legacy_reading, p_chat jsonb, p_copy jsonb)
returns fsm_internal.legacy_reading
language plpgsql
immutable
as $$
begin
  select p.code, p.message into p_reading.problem, p_reading.message
  from (values (1, p_chat), (2, p_copy)) c(nth, chat)
  cross join lateral fsm_internal.legacy_chat_problem(c.chat) p
  order by c.nth limit 1;
  if not found then
    p_chat := coalesce(nullif(p_chat, 'null'), '[]');
    if fsm_internal.legacy_chat_is_odd(p_chat) then
      p_reading.warnings := p_reading.warnings || 'chat_message_odd'::text;
    end if;
    p_reading.chat := fsm_internal.merged_chats(p_chat, coalesce(nullif(p_copy, 'null'), '[]'));
  end if;
  return p_reading;
end
$$;
comment on function fsm_internal.legacy_chat(fsm_internal.legacy_reading, jsonb, jsonb) is
  'A reading with the chat of an original, which rows that came from the file store hold twice.';

create function fsm_internal.legacy_value(p_reading fsm_internal.legacy_reading, p_value jsonb, p_has_contract boolean)
returns fsm_internal.legacy_reading
language plpgsql
stable
as $$
declare
  v_pending jsonb := nullif(nullif(p_value -> 'pending_confirmation_product', 'null'), '{}');
begin
  if jsonb_typeof(v_pending) <> 'object' then
    p_reading.problem := 'field_type_invalid';
    p_reading.message := format('pending_confirmation_product is of type %s', jsonb_typeof(v_pending));
    return p_reading;
  end if;
  -- In the file store a confirmation that was answered is gone. In the table its deletion could be lost: the column tells.
  if p_reading.is_row and v_pending is not null and p_has_contract is not true then
    p_reading.warnings := p_reading.warnings || 'stale_pending_confirmation'::text;
    p_reading.lost := coalesce(p_reading.lost, '{}') || jsonb_build_object('stale_pending', v_pending);
  elsif p_reading.is_row and v_pending is null and p_has_contract then
    p_reading.warnings := p_reading.warnings || 'pending_product_lost'::text;
  else
    p_reading.pending := v_pending;
  end if;
  if not p_reading.is_row then
    p_reading.changed_at := fsm_internal.legacy_time(p_value ->> 'last_message_time');
    p_reading.times := jsonb_strip_nulls(jsonb_build_object('last_message_time', p_value -> 'last_message_time'));
  end if;
  p_reading.title := coalesce(p_reading.title, p_value ->> 'title');
  p_reading.rest := coalesce(p_reading.rest, '{}') || (p_value - array[
    'contract_context', 'pending_confirmation_product', 'chat_history', 'last_user_message', 'last_message_time', 'title']);
  return p_reading;
end
$$;
comment on function fsm_internal.legacy_value(fsm_internal.legacy_reading, jsonb, boolean) is
  'A reading with what stands beside the contract in a row''s metadata or in a value of the file store: above all whether a confirmation is awaited. p_has_contract: the row''s column.';

create function fsm_internal.unread_message(p_problem text)
returns text
language sql
immutable
return coalesce(jsonb '{
  "shelve_corrupt_pickle": "the value is no pickle, is cut off, or empty",
  "shelve_unsafe_pickle": "the pickle names something to be built or called, and was not run",
  "shelve_value_not_dict": "the value is no dict",
  "not_json_representable": "the value holds what JSON has no form for",
  "nesting_too_deep": "objects and arrays are nested too deep to be handed on",
  "text_not_storable": "a text holds a NUL, or what is no character",
  "number_not_finite": "a number is NaN or infinite",
  "number_out_of_range": "a number has too many digits",
  "session_id_not_utf8": "the bytes of the id are no characters"}' ->> p_problem, 'the original could not be read');
comment on function fsm_internal.unread_message(text) is 'What a reader''s problem means, in words.';

-- internal/legacy/legacy_state.sql
create function fsm_internal.legacy_state(p_state text, p_is_cancelled boolean)
returns text
language sql
immutable
return case
  when p_state = 'confirm_order' and p_is_cancelled then 'cancelled'
  else coalesce(jsonb '{
    "analyze_attributes": "refine_constraints",
    "ask_clarification": "collect_preferences", "wait_for_preferences": "collect_preferences",
    "filter_products": "match_preferences", "check_compatibility": "match_preferences",
    "rank_and_select": "match_preferences", "present_options": "match_preferences",
    "confirm_selection": "confirm_purchase", "confirm_order": "confirm_purchase", "complete_order": "confirm_purchase",
    "error": "failed"}' ->> p_state, p_state) end;
comment on function fsm_internal.legacy_state(text, boolean) is
  'The canonical name of a state of the old engine: older names are mapped, all others stay. Names are compared exactly: guessing a spelling is no import.';

create function fsm_internal.legacy_state_problem(p_contract jsonb, p_machine text, p_machine_version integer)
returns table (code text, message text)
language plpgsql
stable
as $$
declare
  v_given jsonb := p_contract -> 'current_state';
  v_name text := v_given #>> '{}';
begin
  if v_given is null or v_given = 'null' or (jsonb_typeof(v_given) = 'string' and btrim(v_name, E' \t\r\n') = '') then
    code := 'missing_current_state'; message := 'the contract has no current_state';
  elsif jsonb_typeof(v_given) <> 'string' then
    code := 'invalid_state_type'; message := format('current_state is of type %s', jsonb_typeof(v_given));
  elsif v_name in ('extract_entities', 'search_products', 'filter', 'rank', 'recommend', 'confirm') then
    code := 'state_without_handler'; message := format('no build of the old engine ever handled state %s', v_name);
  elsif (fsm_internal.admission_of(p_machine, p_machine_version, fsm_internal.legacy_state(v_name, false))).is_final is null then
    code := 'unknown_state'; message := format('machine %s has no state %s', p_machine, left(v_name, 128));
  end if;
  if code is not null then
    return next;
  end if;
end
$$;
comment on function fsm_internal.legacy_state_problem(jsonb, text, integer) is 'Why the state of a contract cannot be taken over; no row: it can.';

-- internal/legacy/merged_reading.sql
create function fsm_internal.merged_reading(p_session_id text, p_readings fsm_internal.legacy_reading[])
returns fsm_internal.legacy_reading
language plpgsql
stable
as $$
declare
  v_merged fsm_internal.legacy_reading;
  v_reading fsm_internal.legacy_reading;
  v_lost_update boolean;
begin
  for v_reading in
    select r.* from unnest(p_readings) r
    -- The table is the system of record; the shared row is no session, but may hold the newest of this one.
    order by r.session_id <> p_session_id, r.is_row desc, r.changed_at desc nulls last, r.source, r.chat, r.context
  loop
    if v_merged.session_id is null then
      v_merged := v_reading;
      v_lost_update := v_reading.context is not null and v_reading.changed_at > v_reading.context_at
        and (select count(*) from fsm_internal.legacy_passages(v_reading.context)) <= 1;
    elsif v_reading.session_id <> p_session_id then
      v_merged := fsm_internal.merged_snapshot(v_merged, v_reading);
    else
      v_merged := fsm_internal.merged_source(v_merged, v_reading);
    end if;
  end loop;
  -- Told by what arrived of the messages that the row counted: a chat that is complete now was not cut short.
  if v_merged.message_count > jsonb_array_length(v_merged.chat) and v_merged.chat <> '[]' then
    v_merged.warnings := v_merged.warnings || 'chat_incomplete'::text || case when v_lost_update then 'possible_lost_update' end;
  end if;
  return v_merged;
end
$$;
comment on function fsm_internal.merged_reading(text, fsm_internal.legacy_reading[]) is
  'What all originals of a session say together. Those without a problem only; the one that counts most comes first.';

create function fsm_internal.merged_snapshot(p_merged fsm_internal.legacy_reading, p_snapshot fsm_internal.legacy_reading)
returns fsm_internal.legacy_reading
language plpgsql
stable
as $$
declare
  v_own jsonb := coalesce(p_merged.context -> 'step_log', '[]');
  v_longer jsonb := coalesce(p_snapshot.context -> 'step_log', '[]');
begin
  if p_snapshot.context is null then
    return p_merged;
  end if;
  if p_merged.context is null
    or (p_snapshot.context_at > p_merged.context_at
      and (v_own = v_longer or v_own = '[]' or fsm_internal.array_only_grew(v_own, v_longer)))
  then
    return fsm_internal.with_contract_of(p_merged, p_snapshot, 'contract');
  end if;
  p_merged.lost := coalesce(p_merged.lost, '{}') || jsonb_build_object('snapshot', fsm_internal.contract_summary(p_snapshot));
  return p_merged;
end
$$;
comment on function fsm_internal.merged_snapshot(fsm_internal.legacy_reading, fsm_internal.legacy_reading) is
  'A session with the snapshot of it that stands in the shared row: the snapshot wins when it is later and its log goes on where the session''s own ends.';

create function fsm_internal.merged_source(p_merged fsm_internal.legacy_reading, p_other fsm_internal.legacy_reading)
returns fsm_internal.legacy_reading
language plpgsql
stable
as $$
declare
  v_chat jsonb := fsm_internal.merged_chats(p_merged.chat, p_other.chat);
  v_differs boolean := v_chat <> p_merged.chat;
begin
  if p_other.context is not null and not record_image_eq(row(p_other.context), row(p_merged.context)) then
    v_differs := true;
    if p_merged.context is null or p_other.context_at > p_merged.changed_at then
      p_merged := fsm_internal.with_contract_of(p_merged, p_other, 'contract');
    else
      p_merged.lost := coalesce(p_merged.lost, '{}') || jsonb_build_object('contract', fsm_internal.contract_summary(p_other));
    end if;
  end if;
  if p_other.pending is not null and p_other.pending is distinct from p_merged.pending then
    v_differs := true;
    if not p_merged.is_row or p_other.changed_at > p_merged.changed_at then
      p_merged.lost := nullif(coalesce(p_merged.lost, '{}') || jsonb_strip_nulls(jsonb_build_object('pending', p_merged.pending)), '{}');
      p_merged.pending := p_other.pending;
    else
      p_merged.lost := coalesce(p_merged.lost, '{}') || jsonb_build_object('pending', p_other.pending);
    end if;
  end if;
  p_merged.chat := v_chat;
  p_merged.title := coalesce(p_merged.title, p_other.title);
  p_merged.rest := p_other.rest || p_merged.rest;
  p_merged.lost := nullif(coalesce(p_other.lost, '{}') || coalesce(p_merged.lost, '{}'), '{}');
  p_merged.warnings := p_merged.warnings || p_other.warnings || case when v_differs then 'source_conflict' end;
  return p_merged;
end
$$;
comment on function fsm_internal.merged_source(fsm_internal.legacy_reading, fsm_internal.legacy_reading) is
  'A session with another original of it. Chats are merged; the contract is the first''s unless the other''s was updated later than the first was written; a pending product of the other counts when it is later too. What loses goes into lost.';

create function fsm_internal.with_contract_of(p_merged fsm_internal.legacy_reading, p_other fsm_internal.legacy_reading, p_key text)
returns fsm_internal.legacy_reading
language plpgsql
stable
as $$
begin
  if p_merged.context is not null then
    p_merged.lost := coalesce(p_merged.lost, '{}') || jsonb_build_object(p_key, fsm_internal.contract_summary(p_merged));
  end if;
  p_merged.context := p_other.context;
  p_merged.state := p_other.state;
  p_merged.generation := p_other.generation;
  p_merged.context_at := p_other.context_at;
  p_merged.context_warnings := p_other.context_warnings;
  return p_merged;
end
$$;
comment on function fsm_internal.with_contract_of(fsm_internal.legacy_reading, fsm_internal.legacy_reading, text) is
  'A reading with the contract of another one; its own goes into lost under p_key.';

create function fsm_internal.contract_summary(p_reading fsm_internal.legacy_reading)
returns jsonb
language sql
stable
return jsonb_build_object('source', p_reading.source, 'from_session_id', p_reading.session_id, 'state', p_reading.state, 'updated_at', p_reading.context_at,
    'step_log', p_reading.context -> 'step_log')
  || case when pg_column_size(p_reading.context) < 8192 then jsonb_build_object('context', p_reading.context) else '{}' end;
comment on function fsm_internal.contract_summary(fsm_internal.legacy_reading) is
  'What a note says of a contract that lost: whole when it is small; fsm.import_original always has it.';

-- internal/imports/import_items.sql
create function fsm_internal.check_import_items(p_items jsonb)
returns void
language plpgsql
stable
as $$
declare
  v_wrong record;
begin
  perform fsm_internal.check_batch(p_items);
  select i.nth, w.key, w.wanted into v_wrong
  from jsonb_array_elements(p_items) with ordinality i(item, nth)
  cross join lateral (
    select null as key, 'an object' as wanted where jsonb_typeof(i.item) <> 'object'
    union all
    select k.key, k.wanted
    from (values ('source', 'a string of 1 to 128 bytes'), ('session_id', 'a string')) k(key, wanted)
    where jsonb_typeof(i.item) = 'object' and (jsonb_typeof(i.item -> k.key) = 'string') is not true
    union all
    select 'source', 'a string of 1 to 128 bytes' where octet_length(i.item ->> 'source') not between 1 and 128
    union all
    -- Written out it would be the original.
    select 'data', 'of at most 128 MB of text, or given with its original'
    where jsonb_typeof(i.item) = 'object' and (i.item ->> 'original') is null and fsm_internal.is_too_large(i.item -> 'data', 134217728)
    union all
    select e.key, case when e.key in ('problem', 'original', 'machine') then 'a string, or null' else 'left out' end
    from jsonb_each(case jsonb_typeof(i.item) when 'object' then i.item else '{}' end) e
    where e.key not in ('source', 'session_id', 'data')
      and (e.key not in ('problem', 'original', 'machine') or jsonb_typeof(e.value) not in ('string', 'null'))) w
  order by i.nth, w.key collate "C" nulls first limit 1;
  if found then
    perform fsm_internal.refuse(fsm_internal.argument_refusal('p_items', 'item of an import has the wrong form',
      jsonb_strip_nulls(jsonb_build_object('ordinal', v_wrong.nth, 'key', left(v_wrong.key, 128), 'wanted', v_wrong.wanted)),
      'An item is {source, session_id, data, problem, original, machine}: see fsm.import_sessions. What cannot be read goes in with data null and a problem.'));
  end if;
end
$$;
comment on function fsm_internal.check_import_items(jsonb) is
  'Argument check: 22004 if null, 22023 unless an array of at most 1,000 objects with the keys of fsm.import_sessions and values of their types.';

create function fsm_internal.given_import_items(p_items jsonb)
returns setof fsm_internal.import_item
language plpgsql
stable
as $$
declare
  v_item record;
begin
  for v_item in
    select i.item, coalesce(i.item ->> 'original', (i.item -> 'data')::text, '') as original, coalesce(nullif(i.item ->> 'machine', ''), 'purchase_item') as machine,
      nullif(i.item -> 'data', 'null') as data, i.item ->> 'source' as source, i.item ->> 'session_id' as session_id
    from jsonb_array_elements(p_items) with ordinality i(item, nth) order by i.nth
  loop
    return next (
      sha256(convert_to(jsonb_build_array(v_item.source, v_item.session_id, v_item.original)::text, 'UTF8')),
      v_item.source, v_item.session_id, fsm_internal.import_target(v_item.session_id, v_item.data), v_item.machine, v_item.data,
      left(nullif(v_item.item ->> 'problem', ''), 128), v_item.original, true, false)::fsm_internal.import_item;
  end loop;
end
$$;
comment on function fsm_internal.given_import_items(jsonb) is
  'The originals of a call. Without original the data is the original; without machine it is purchase_item.';

create function fsm_internal.import_target(p_session_id text, p_data jsonb)
returns text
language sql
immutable
return case
  when p_session_id = fsm_internal.legacy_shared_id() and fsm_internal.is_name(p_data #>> '{session_metadata,contract_context,session_id}', 512)
    then p_data #>> '{session_metadata,contract_context,session_id}'
  when fsm_internal.is_name(p_session_id, 512) then p_session_id end;
comment on function fsm_internal.import_target(text, jsonb) is
  'The session that an original tells of: the one of its id, or for the shared row the one that its contract names. Null: the id is none.';

create function fsm_internal.import_items_of(p_batch uuid, p_target text, p_given fsm_internal.import_item[])
returns setof fsm_internal.import_item
language plpgsql
volatile
as $$
begin
  return query
    select i.digest, i.source, i.session_id, i.target, i.machine, i.data, i.problem, i.original,
      i.digest in (select g.digest from unnest(p_given) g), true
    from fsm_internal.import_items i
    where i.batch = p_batch and i.target = p_target and not i.undone
    order by i.digest;
  return query
    select g.digest, g.source, g.session_id, g.target, g.machine, g.data, g.problem, g.original, true, k.digest is not null
    from unnest(p_given) with ordinality g
    left join fsm_internal.import_items k on k.batch = p_batch and k.digest = g.digest and not k.undone
    where k.digest is null or p_target = ''
    order by g.ordinality;
end
$$;
comment on function fsm_internal.import_items_of(uuid, text, fsm_internal.import_item[]) is
  'Everything that a batch has of a session: what earlier calls brought, and what this one does. p_target empty: originals of no session.';

-- internal/imports/import_session.sql
create function fsm_internal.import_session(p_session_id text, p_batch uuid, p_items fsm_internal.import_item[], p_dry_run boolean)
returns table (session_id text, outcome text, code text, message text)
language plpgsql
volatile
as $$
declare
  v_initial fsm_internal.machine_states := fsm_internal.initial_state((p_items[cardinality(p_items)]).machine, null);
  v_readings fsm_internal.legacy_reading[] := array(select fsm_internal.legacy_reading_of(i, v_initial.machine_version) from unnest(p_items) i);
  v_good fsm_internal.legacy_reading[] := array(select r from unnest(v_readings) r where r.problem is null);
  v_verdict fsm_internal.import_verdict;
  v_made bigint;
begin
  if exists (select from unnest(v_good) r where r.session_id = p_session_id) and p_session_id <> fsm_internal.legacy_shared_id() then
    v_verdict := fsm_internal.import_obstacle(p_session_id, p_batch, (select bool_and(i.is_kept) from unnest(p_items) i));
    if v_verdict.outcome is null then
      v_verdict := fsm_internal.judged_import(p_session_id, p_batch, v_good, v_initial.machine, v_initial);
      if not p_dry_run and v_verdict.outcome in ('imported', 'conflict_resolved') then
        v_made := fsm_internal.write_import(p_session_id, v_initial, v_verdict);
      end if;
    end if;
  end if;
  if not p_dry_run then
    perform fsm_internal.keep_import_item(p_batch, p_items[n], v_readings[n], v_verdict, v_made) from generate_series(1, cardinality(p_items)) n;
  end if;
  return query
    select o.session_id, o.outcome, o.code, o.message
    from generate_series(1, cardinality(p_items)) n
    cross join lateral fsm_internal.import_item_outcome(v_readings[n], null) o
    where o.outcome is not null and (p_items[n]).is_given
    order by n;
  -- Not of a session that only the shared row brought up again.
  if v_verdict.outcome is not null and (v_made is not null or exists (select from unnest(p_items) i where i.is_given and i.session_id = p_session_id)) then
    return query select p_session_id, v_verdict.outcome, v_verdict.code, v_verdict.message;
  end if;
end
$$;
comment on function fsm_internal.import_session(text, uuid, fsm_internal.import_item[], boolean) is
  'Imports one session, whose lock is held unless it is a dry run, from all of its originals in the batch: a row for each original that is quarantined or skipped by itself, then one for the session if any original can be trusted.';

create function fsm_internal.import_item_outcome(p_reading fsm_internal.legacy_reading, p_verdict fsm_internal.import_verdict)
returns table (session_id text, outcome text, code text, message text)
language plpgsql
immutable
as $$
begin
  session_id := p_reading.session_id;
  if p_reading.session_id = fsm_internal.legacy_shared_id() then
    outcome := 'skipped'; code := 'sentinel_session';
    message := 'the old engine''s shared row is no session; its contract counts as a snapshot of the session that it names';
  elsif p_reading.problem is not null then
    outcome := 'quarantined'; code := p_reading.problem; message := p_reading.message;
  else
    outcome := p_verdict.outcome; code := p_verdict.code; message := p_verdict.message;
  end if;
  return next;
end
$$;
comment on function fsm_internal.import_item_outcome(fsm_internal.legacy_reading, fsm_internal.import_verdict) is
  'What became of one original: its own fault, or what became of its session.';

create function fsm_internal.import_obstacle(p_session_id text, p_batch uuid, p_all_known boolean)
returns fsm_internal.import_verdict
language plpgsql
volatile
as $$
declare
  v_session record;
  v_verdict fsm_internal.import_verdict;
begin
  select s.version, fsm_internal.is_as_imported(s.session_id, p_batch) as is_unchanged, exists (
      select from fsm_internal.history h
      where h.session_id = s.session_id and h.kind = 'import' and h.note ->> 'batch' = p_batch::text) as is_ours
  into v_session
  from fsm_internal.sessions s where s.session_id = p_session_id;
  if v_session.version is null then
    return null;
  end if;
  v_verdict.outcome := 'skipped';
  if not v_session.is_ours then
    v_verdict.code := 'session_exists';
    v_verdict.message := format('there is a session of that id, at version %s, which this batch did not make', v_session.version);
  elsif p_all_known then
    v_verdict.code := 'already_imported';
    v_verdict.message := format('imported before by this batch; it is at version %s', v_session.version);
  elsif not v_session.is_unchanged then
    v_verdict.code := 'session_changed';
    v_verdict.message := format('imported before by this batch, and changed since: it is at version %s', v_session.version);
  else
    return null;
  end if;
  return v_verdict;
end
$$;
comment on function fsm_internal.import_obstacle(text, uuid, boolean) is
  'Why a session is left as it is: it exists and is not what this batch made of it, or nothing new came for it. Null: it may be written.';

create function fsm_internal.write_import(p_session_id text, p_initial fsm_internal.machine_states, p_verdict fsm_internal.import_verdict)
returns bigint
language plpgsql
volatile
as $$
declare
  v_state fsm_internal.machine_states;
  v_session fsm_internal.locked_session;
  v_outcome fsm_internal.outcome;
  v_write fsm_internal.pending_write := ('import', p_verdict.state, null, fsm_internal.bare_context(p_verdict.context), null, true, null, null, p_verdict.note);
begin
  if exists (select from fsm_internal.sessions s where s.session_id = p_session_id) then
    v_session := fsm_internal.read_locked_session(p_session_id);
    v_session.machine_version := p_initial.machine_version;
    v_write.undo := (fsm_internal.context_change(v_session.context, v_write.context)).undo;
    v_outcome := fsm_internal.settle_write(v_session, v_write, null,
      fsm_internal.admission_of(v_session.machine, v_session.machine_version, p_verdict.state));
  else
    select t.* into v_state from fsm_internal.machine_states t
    where t.machine = p_initial.machine and t.machine_version = p_initial.machine_version and t.state = p_verdict.state;
    v_outcome := fsm_internal.insert_session(p_session_id, v_state, v_write);
  end if;
  perform fsm_internal.refuse(v_outcome.refusal);
  return v_outcome.version;
end
$$;
comment on function fsm_internal.write_import(text, fsm_internal.machine_states, fsm_internal.import_verdict) is
  'Makes the session, or the next version of one that the same batch made and nobody changed; returns the version.';

create function fsm_internal.keep_import_item(
  p_batch uuid, p_item fsm_internal.import_item, p_reading fsm_internal.legacy_reading, p_verdict fsm_internal.import_verdict, p_version bigint)
returns void
language plpgsql
volatile
as $$
declare
  v_outcome record;
begin
  select o.outcome, o.code, o.message into v_outcome from fsm_internal.import_item_outcome(p_reading, p_verdict) o;
  if p_item.is_kept then
    -- A call later its session may have come to something else.
    update fsm_internal.import_items i
    set outcome = v_outcome.outcome, code = v_outcome.code, message = v_outcome.message, version = coalesce(p_version, i.version)
    where i.batch = p_batch and i.digest = p_item.digest and p_version is not null and p_reading.problem is null;
    return;
  end if;
  insert into fsm_internal.import_items as i (batch, digest, source, session_id, target, machine, data, problem, original, outcome, code, message, version, at)
  values (p_batch, p_item.digest, p_item.source, p_item.session_id, p_item.target, p_item.machine, p_item.data, p_item.problem, p_item.original,
    coalesce(v_outcome.outcome, 'skipped'), v_outcome.code, v_outcome.message, case when p_reading.problem is null then p_version end, fsm_internal.clock())
  on conflict on constraint import_items_pkey do update
  set undone = false, target = excluded.target, machine = excluded.machine, data = excluded.data, problem = excluded.problem, outcome = excluded.outcome, code = excluded.code, message = excluded.message, version = excluded.version, at = excluded.at;
end
$$;
comment on function fsm_internal.keep_import_item(uuid, fsm_internal.import_item, fsm_internal.legacy_reading, fsm_internal.import_verdict, bigint) is
  'Keeps an original in its batch, with what became of it.';

-- internal/imports/judged_import.sql
create function fsm_internal.judged_import(
  p_session_id text, p_batch uuid, p_readings fsm_internal.legacy_reading[], p_machine text, p_initial fsm_internal.machine_states)
returns fsm_internal.import_verdict
language plpgsql
stable
as $$
declare
  v_merged fsm_internal.legacy_reading := fsm_internal.merged_reading(p_session_id, p_readings);
  v_verdict fsm_internal.import_verdict;
  v_terms fsm_internal.admission;
  v_warnings text[];
  v_finding record;
begin
  v_verdict.state := case when v_merged.pending is not null then 'confirm_purchase' else coalesce(v_merged.state, p_initial.state) end;
  if v_merged.pending is not null and v_merged.state <> v_verdict.state then
    v_merged.lost := coalesce(v_merged.lost, '{}') || jsonb_build_object('state', v_merged.state,
      'selected_product', v_merged.context -> 'selected_product');
  end if;
  v_terms := fsm_internal.admission_of(p_machine, p_initial.machine_version, v_verdict.state);
  v_verdict.context := fsm_internal.legacy_context(v_merged, p_machine, v_terms.is_final);
  select f.code, f.path, f.message into v_finding
  from fsm_internal.context_findings(p_machine, p_initial.machine_version, v_verdict.state, v_verdict.context) f limit 1;
  if found then
    v_verdict.outcome := 'quarantined';
    v_verdict.code := case v_finding.code when 'too_deep' then 'nesting_too_deep' when 'number_too_long' then 'number_out_of_range'
      when 'too_large' then 'context_too_large' else 'context_rejected' end;
    v_verdict.message := format('state %s refuses the context: %s %s', v_verdict.state, v_finding.path, v_finding.message);
    return v_verdict;
  end if;
  v_warnings := array(
    select distinct w.code from unnest(v_merged.warnings || v_merged.context_warnings) w(code) where w.code is not null order by w.code);
  v_verdict.note := jsonb_strip_nulls(jsonb_build_object('source', v_merged.source, 'batch', p_batch,
    'sources', (select jsonb_agg(distinct r.source) from unnest(p_readings) r), 'warnings', v_warnings, 'generation', v_merged.generation,
    'times', nullif(v_merged.times, '{}')))
    || case when v_merged.lost is null then '{}' else jsonb_build_object('lost', v_merged.lost) end;
  -- A conflict was resolved wherever something lost against something else; what was only odd is imported.
  v_verdict.outcome := case
    when v_warnings && array['state_conflict', 'source_conflict'] or v_merged.lost ?| array['contract', 'snapshot', 'state', 'pending']
      then 'conflict_resolved' else 'imported' end;
  v_verdict.code := case
    when 'source_conflict' = any (v_warnings) then 'source_conflict' when 'state_conflict' = any (v_warnings) then 'state_conflict' else v_warnings[1] end;
  v_verdict.message := case when v_warnings <> '{}' then format('in state %s; %s', v_verdict.state, array_to_string(v_warnings, ', '))
    else format('in state %s', v_verdict.state) end;
  return v_verdict;
end
$$;
comment on function fsm_internal.judged_import(text, uuid, fsm_internal.legacy_reading[], text, fsm_internal.machine_states) is
  'What becomes of a session, given its originals that can be trusted: the state and the context to import it with, or why it is quarantined.';

-- internal/imports/lock_batch.sql
create function fsm_internal.lock_batch(p_batch uuid, p_alone boolean)
returns void
language plpgsql
volatile
as $$
begin
  if p_alone then
    perform pg_advisory_xact_lock(hashtextextended('fsm:import:' || p_batch::text, 0));
  else
    perform pg_advisory_xact_lock_shared(hashtextextended('fsm:import:' || p_batch::text, 0));
  end if;
end
$$;
comment on function fsm_internal.lock_batch(uuid, boolean) is
  'Takes the advisory lock of an import''s batch to the end of the transaction, before any lock of a session. p_alone: nobody else imports into the batch meanwhile.';

create function fsm_internal.is_as_imported(p_session_id text, p_batch uuid)
returns boolean
language plpgsql
volatile
as $$
begin
  return exists (
    select from fsm_internal.sessions s
    join fsm_internal.history h on h.session_id = s.session_id and h.version = s.version
    where s.session_id = p_session_id and h.kind = 'import' and h.note ->> 'batch' = p_batch::text
      and not exists (select from fsm_internal.turns t where t.session_id = s.session_id and t.expires_at > fsm_internal.clock()));
end
$$;
comment on function fsm_internal.is_as_imported(text, uuid) is
  'True when the newest version of a session is what this batch made of it, and no turn on it is held.';

-- internal/operations/cut_history.sql
create function fsm_internal.cut_history(p_session_id text, p_keep_versions integer, p_before timestamptz, p_limit bigint)
returns bigint
language plpgsql
volatile
as $$
declare
  v_cut record;
  v_removed bigint;
begin
  select h.version, h.chain_hash into v_cut
  from (
    select o.version, o.chain_hash, o.at from fsm_internal.history o
    where o.session_id = p_session_id
      and o.version <= (select s.version - p_keep_versions from fsm_internal.sessions s where s.session_id = p_session_id)
    order by o.version limit p_limit) h
  where h.at < p_before
  order by h.version desc limit 1;
  if v_cut.version is null then
    return 0;
  end if;
  delete from fsm_internal.history h where h.session_id = p_session_id and h.version <= v_cut.version;
  get diagnostics v_removed = row_count;
  insert into fsm_internal.history_cuts (session_id, version, chain_hash, cut_at)
  values (p_session_id, v_cut.version, v_cut.chain_hash, fsm_internal.clock())
  on conflict on constraint history_cuts_pkey do update
  set version = excluded.version, chain_hash = excluded.chain_hash, cut_at = excluded.cut_at;
  return v_removed;
end
$$;
comment on function fsm_internal.cut_history(text, integer, timestamptz, bigint) is
  'Removes the oldest p_limit rows of a session''s history, but not its newest p_keep_versions nor what is not older than p_before, and notes where it was cut. Its lock must be held. Returns how many.';

-- internal/operations/feed.sql
create function fsm_internal.feed_horizon()
returns bigint
language plpgsql
stable
as $$
declare
  v_base bigint := (select max(e.base) from fsm_internal.feed_epochs e);
begin
  -- Nothing that is visible has an id that the snapshot has not seen, but what this transaction wrote itself.
  if (select max(h.feed_position) from fsm_internal.history h)
    >= v_base + greatest(pg_snapshot_xmax(pg_current_snapshot())::text::bigint, txid_current_if_assigned() + 1)
  then
    perform fsm_internal.refuse('55000', 'the feed was written in another cluster',
      jsonb_build_object('epoch', (select max(e.epoch) from fsm_internal.feed_epochs e)),
      'This database is a copy of one from another cluster, whose transactions were numbered further. Call fsm.new_feed_epoch() once; cursors stay valid.');
  end if;
  return v_base + pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
end
$$;
comment on function fsm_internal.feed_horizon() is
  'The position below which the feed is complete: no transaction with a lower id is running, and none can begin. 55000 when history has positions that this cluster has not reached.';

create function fsm_internal.feed_cursor_text(p_position bigint, p_at timestamptz, p_session_id text)
returns text
language sql
stable
return p_position::text || ':' || (extract(epoch from p_at) * 1000000)::bigint::text || ':' || p_session_id;
comment on function fsm_internal.feed_cursor_text(bigint, timestamptz, text) is 'The cursor of a row of the feed: position, microseconds since 1970, session.';

create function fsm_internal.feed_cursor(p_cursor text)
returns table (feed_position bigint, at timestamptz, session_id text)
language plpgsql
stable
as $$
declare
  v_parts text[] := regexp_match(p_cursor, '^([0-9]{1,18}|[0-8][0-9]{18}):(-?[0-9]{1,17}):(.+)');
begin
  if p_cursor is null then
    return query select 0::bigint, '-infinity'::timestamptz, '';
    return;
  end if;
  if v_parts is null or abs(v_parts[2]::bigint) > 20000000000000000 then
    perform fsm_internal.refuse(fsm_internal.argument_refusal('p_after', 'not a cursor of the feed', jsonb_build_object('bytes', octet_length(p_cursor)),
      'Give a cursor as fsm.changes returned it, unchanged, or null to begin with the oldest change.'));
  end if;
  return query select v_parts[1]::bigint, timestamptz 'epoch' + v_parts[2]::bigint * interval '1 microsecond', v_parts[3];
end
$$;
comment on function fsm_internal.feed_cursor(text) is 'Reads a cursor; null is before everything. 22023 for anything that is none.';

-- internal/operations/past_problems.sql
create function fsm_internal.past_problems(p_session_id text)
returns table (code text, detail jsonb)
language plpgsql
stable
as $$
declare
  v_context jsonb;
  v_machine text;
  v_row record;
  v_above bigint;
  v_terms fsm_internal.admission;
begin
  select fsm_internal.read_context(s.session_id, s.context) || '{}', s.machine, s.version + 1 into v_context, v_machine, v_above
  from fsm_internal.sessions s where s.session_id = p_session_id;
  if v_machine is null then
    return;  -- without the present there is no past to rebuild
  end if;
  for v_row in
    select h as line, lead(h.version) over w as below,
      case when lead(h.version) over w is null then c.chain_hash else lead(h.chain_hash) over w end as hash_before
    from fsm_internal.history h left join fsm_internal.history_cuts c on c.session_id = h.session_id
    where h.session_id = p_session_id window w as (order by h.version desc) order by h.version desc
  loop
    -- A gap, or a row of another version than its history's newest, is told elsewhere: below it nothing can be rebuilt.
    exit when (v_row.line).version <> v_above - 1;
    v_above := (v_row.line).version;
    v_terms := fsm_internal.admission_of(v_machine, (v_row.line).machine_version, (v_row.line).to_state);
    if v_terms.audit_chain and (v_row.line).chain_hash is null then
      code := 'chain_missing'; detail := jsonb_build_object('version', v_above);
      return next;
    elsif (v_row.line).chain_hash <> fsm_internal.chain_hash(v_row.hash_before, fsm_internal.chain_columns(v_row.line), v_context) then
      code := 'chain_broken'; detail := jsonb_build_object('version', v_above);
      return next;
    end if;
    if v_terms.is_final is not null and not fsm_internal.admits(v_context, v_terms.schema_check, v_terms.schema_rest, v_terms.invariants) then
      code := 'context_not_admitted'; detail := jsonb_build_object('version', v_above, 'state', (v_row.line).to_state);
      return next;
    end if;
    exit when v_row.below is null;
    if not fsm_internal.undo_applies(v_context, (v_row.line).undo) then
      code := 'undo_broken'; detail := jsonb_build_object('version', v_above);
      return next;
      exit;
    end if;
    v_context := fsm_internal.apply_undo(v_context, (v_row.line).undo);
  end loop;
end
$$;
comment on function fsm_internal.past_problems(text) is
  'What is wrong with the contexts of a session: each retained version is rebuilt, from the present backwards, and held against its hash and against what its state admits.';

create function fsm_internal.undo_applies(p_context jsonb, p_undo jsonb)
returns boolean
language plpgsql
stable
as $$
begin
  return case
    when p_undo is null then true
    when jsonb_typeof(p_undo) <> 'object' or p_undo - array['set', 'cut', 'drop'] <> '{}' then false
    when jsonb_typeof(coalesce(p_undo -> 'set', '{}')) <> 'object' or jsonb_typeof(coalesce(p_undo -> 'cut', '{}')) <> 'object'
      or jsonb_typeof(coalesce(p_undo -> 'drop', '[]')) <> 'array' then false
    when coalesce(p_undo -> 'set', '{}') ?| array['current_state', 'session_id'] then false
    when exists (
      select from jsonb_array_elements(coalesce(p_undo -> 'drop', '[]')) d(key)
      where jsonb_typeof(d.key) <> 'string' or not p_context ? (d.key #>> '{}')) then false
    else not exists (
      select from jsonb_each(coalesce(p_undo -> 'cut', '{}')) c
      where jsonb_typeof(p_context -> c.key) is distinct from 'array' or not fsm_internal.is_bigint(c.value)
        or c.value < '0' or c.value >= to_jsonb(jsonb_array_length(p_context -> c.key))) end;
end
$$;
comment on function fsm_internal.undo_applies(jsonb, jsonb) is
  'True when an undo record has the form that fsm_internal.history.undo describes and fits the context that it is to be applied to.';

-- internal/operations/session_problems.sql
create function fsm_internal.orphaned_histories(p_after_session_id text)
returns table (session_id text)
language sql
stable
begin atomic
  select h.session_id from fsm_internal.history h
  where h.session_id > coalesce(p_after_session_id, '')
    and not exists (select from fsm_internal.sessions s where s.session_id = h.session_id)
  group by h.session_id;
end;
comment on function fsm_internal.orphaned_histories(text) is 'The ids after p_after_session_id (null: all) that have history but no session.';

create function fsm_internal.session_problems(p_session_id text)
returns table (code text, detail jsonb)
language plpgsql
stable
as $$
begin
  return query select f.code, f.detail from fsm_internal.row_problems(p_session_id) f;
  return query select f.code, f.detail from fsm_internal.history_problems(p_session_id) f;
  return query select f.code, f.detail from fsm_internal.past_problems(p_session_id) f;
end
$$;
comment on function fsm_internal.session_problems(text) is 'All that fsm.verify_sessions finds in one session.';

create function fsm_internal.row_problems(p_session_id text)
returns table (code text, detail jsonb)
language plpgsql
stable
as $$
begin
  return query
    with looked_at as (
      select s.*, t.is_final, t.first_delay_ms, h.version as head, d.wake_at as hint, d.refusals,
        case when d.fired_entered_at = s.entered_at then d.fired_ms end as fired_ms,
        array_remove(array[
          case when s.version <> h.version then 'version' end, case when s.state <> h.to_state then 'state' end,
          case when s.machine_version <> h.machine_version then 'machine_version' end,
          case when s.updated_at <> h.at then 'updated_at' end, case when s.entered_at <> h.entered_at then 'entered_at' end], null) as columns
      from fsm_internal.sessions s
      left join fsm_internal.machine_states t on t.machine = s.machine and t.machine_version = s.machine_version and t.state = s.state
      left join lateral (
        select * from fsm_internal.history o where o.session_id = s.session_id order by o.version desc limit 1) h on true
      left join fsm_internal.deadlines d on d.session_id = s.session_id
      where s.session_id = p_session_id
    )
    select v.code, v.detail from looked_at l
    cross join lateral (values
      (l.is_final is null, 'unknown_state', jsonb_build_object('machine', l.machine, 'machine_version', l.machine_version, 'state', l.state)),
      (l.head is null, 'history_missing', jsonb_build_object('version', l.version)),
      (cardinality(l.columns) > 0, 'row_disagrees_with_history', jsonb_build_object('columns', l.columns, 'version', l.version, 'newest_version', l.head)),
      (l.wake_at is distinct from l.hint or (l.first_delay_ms is not null and coalesce(l.refusals, 0) = 0
          and (l.wake_at <= greatest(fsm_internal.clock(),
            fsm_internal.next_deadline(l.machine, l.machine_version, l.state, l.entered_at, l.fired_ms))) is not true),
        'deadline_lost', jsonb_build_object('state', l.state, 'entered_at', l.entered_at, 'wake_at', l.wake_at))
    ) v (applies, code, detail)
    where v.applies;
  if not pg_is_in_recovery() then  -- an unlogged table cannot be read there
    return query
      select 'turn_behind', jsonb_build_object('turn', s.turn, 'begun', t.turn)
      from fsm_internal.turns t join fsm_internal.sessions s using (session_id)
      where t.session_id = p_session_id and t.turn > coalesce(s.turn, 0);
  end if;
  if not exists (select from fsm_internal.sessions s where s.session_id = p_session_id) then
    return query
      select 'history_without_session', jsonb_build_object('versions', count(*), 'newest_version', max(h.version))
      from fsm_internal.history h where h.session_id = p_session_id;
  end if;
end
$$;
comment on function fsm_internal.row_problems(text) is 'What is wrong with the row of a session by itself and beside its newest history, its deadline and its turn.';

create function fsm_internal.history_problems(p_session_id text)
returns table (code text, detail jsonb)
language plpgsql
stable
as $$
begin
  return query
    with rows_of as (
      select h.version, h.kind, h.from_state, h.to_state, h.machine_version, h.at, s.machine, c.version as cut,
        lag(h.version) over w as before, lag(h.to_state) over w as state_before, lag(h.at) over w as at_before
      from fsm_internal.history h
      left join fsm_internal.sessions s on s.session_id = h.session_id
      left join fsm_internal.history_cuts c on c.session_id = h.session_id
      where h.session_id = p_session_id
      window w as (order by h.version)
    )
    select v.code, jsonb_build_object('version', r.version) || v.detail
    from rows_of r
    left join fsm_internal.machine_states t on t.machine = r.machine and t.machine_version = r.machine_version and t.state = r.to_state
    cross join lateral (values
      (r.before <> r.version - 1, 'version_gap', jsonb_build_object('after', r.before)),
      (r.before is null and r.version <> coalesce(r.cut, 0) + 1, 'history_cut', jsonb_build_object('cut_version', r.cut)),
      (r.before is null and (r.version = 1) <> (r.kind in ('create', 'import', 'fork') and r.from_state is null), 'bad_first_row',
        jsonb_build_object('kind', r.kind, 'from_state', r.from_state)),
      (r.before = r.version - 1 and r.from_state is distinct from r.state_before, 'from_state_mismatch',
        jsonb_build_object('from_state', r.from_state, 'to_state_before', r.state_before)),
      (r.at <= r.at_before, 'time_not_increasing', jsonb_build_object('at', r.at, 'at_before', r.at_before)),
      (r.machine is not null and t.state is null, 'unknown_state_in_history',
        jsonb_build_object('machine_version', r.machine_version, 'to_state', r.to_state))
    ) v (applies, code, detail)
    where v.applies
    order by r.version;
end
$$;
comment on function fsm_internal.history_problems(text) is 'What is wrong with the rows of a session''s history beside each other.';

-- internal/reports/check_paths.sql
create function fsm_internal.check_paths(p_argument text, p_paths text[])
returns void
language plpgsql
stable
as $$
declare
  v_path text;
  v_nth integer := 0;
  v_problem text;
begin
  perform fsm_internal.check_not_null(p_argument, p_paths);
  perform fsm_internal.check_at_most(p_argument, cardinality(p_paths), 1000, 'items');
  foreach v_path in array p_paths loop
    v_nth := v_nth + 1;
    perform fsm_internal.check_not_null(p_argument, v_path);
    v_problem := fsm_internal.path_problem(v_path);
    if v_problem is not null then
      perform fsm_internal.refuse(fsm_internal.argument_refusal(p_argument, 'path not usable',
        jsonb_build_object('path', left(v_path, 4096), 'nth', v_nth, 'problem', v_problem),
        'Give each path as jsonpath, for example $.items[*].price or strict $.items[0].'));
    end if;
  end loop;
end
$$;
comment on function fsm_internal.check_paths(text, text[]) is
  'Argument check: 22004 if null or with a null, 22023 if there are over 1,000 paths or one is not usable (fsm_internal.path_problem).';

create function fsm_internal.path_problem(p_path text)
returns text
language plpgsql
stable
as $$
declare
  v_text text;
  v_problem text;
begin
  if length(p_path) > 4096 then
    return format('the path has %s characters, the limit is 4096', length(p_path));
  end if;
  begin
    v_problem := fsm_internal.predicate_regex_problem(p_path);
    if v_problem is null then
      v_text := p_path::jsonpath::text;
    end if;
  exception when data_exception or syntax_error_or_access_rule_violation or feature_not_supported or program_limit_exceeded then
    v_problem := format('the path is not valid jsonpath: %s', sqlerrm);
  end;
  if v_problem is null and length(v_text) > 32768 then
    v_problem := format('the path, with its numbers and keys written out, has %s characters, the limit is 32768', length(v_text));
  end if;
  return coalesce(v_problem, fsm_internal.predicate_regex_problem(v_text), (
    select f.message
    from fsm_internal.predicate_findings_of(regexp_replace(v_text, $re$"(?:[^"\\]|\\.)*"$re$, '""', 'g')) f
    where f.severity = 'error' limit 1));
end
$$;
comment on function fsm_internal.path_problem(text) is
  'Why a jsonpath is not evaluated; null if it is. The rules are those of guards (fsm_internal.predicate_problems), so that no path raises, reads a setting or runs without bound.';

-- internal/reports/context_diff.sql
create function fsm_internal.context_diff(p_old jsonb, p_new jsonb)
returns table (path text, old jsonb, new jsonb)
language plpgsql
immutable
as $$
begin
  return query
    with recursive different (place, path, old, new, inside) as (
      select array[]::text[] collate "C", '$', p_old, p_new, fsm_internal.inside_of(p_old, p_new)
      where not record_image_eq(row(p_old), row(p_new))
      union all
      select d.place || m.place, d.path || m.step, m.old, m.new, fsm_internal.inside_of(m.old, m.new)
      from different d
      cross join lateral (
        select key collate "C" as place, fsm_internal.schema_path('', key) as step, o.value as old, n.value as new
        from jsonb_each(case d.inside when 'object' then d.old else '{}' end) o
        full join jsonb_each(case d.inside when 'object' then d.new else '{}' end) n using (key)
        where not record_image_eq(row(o.value), row(n.value))
        union all
        select lpad(nth::text, 10, '0'), '[' || (nth - 1)::text || ']', o.value, n.value
        from jsonb_array_elements(case d.inside when 'array' then d.old else '[]' end) with ordinality o (value, nth)
        full join jsonb_array_elements(case d.inside when 'array' then d.new else '[]' end) with ordinality n (value, nth) using (nth)
        where not record_image_eq(row(o.value), row(n.value))) m
      where d.inside is not null
    )
    select d.path, d.old, d.new from different d where d.inside is null order by d.place;
end
$$;
comment on function fsm_internal.context_diff(jsonb, jsonb) is
  'The innermost values in which two contexts differ by image, level by level. place is what orders them: keys, and indexes padded to compare as numbers.';

create function fsm_internal.inside_of(p_old jsonb, p_new jsonb)
returns text
language sql
immutable
return case when jsonb_typeof(p_old) = jsonb_typeof(p_new) and jsonb_typeof(p_old) in ('object', 'array') then jsonb_typeof(p_old) end;
comment on function fsm_internal.inside_of(jsonb, jsonb) is 'object or array when two values are both that, so that the difference is to be looked for inside; else null.';

-- internal/reports/metrics.sql
create function fsm_internal.session_metrics()
returns jsonb
language plpgsql
stable
as $$
begin
  return (
    select jsonb_build_object('total', coalesce(sum(g.sessions), 0), 'final', coalesce(sum(g.sessions) filter (where t.is_final), 0),
      'by_state', coalesce(jsonb_agg(jsonb_build_object('machine', g.machine, 'machine_version', g.machine_version, 'state', g.state,
        'sessions', g.sessions) order by g.machine collate "C", g.machine_version, g.state collate "C"), '[]'))
    from (
      select s.machine, s.machine_version, s.state, count(*) as sessions
      from fsm_internal.sessions s group by s.machine, s.machine_version, s.state) g
    left join fsm_internal.machine_states t
      on t.machine = g.machine and t.machine_version = g.machine_version and t.state = g.state);
end
$$;
comment on function fsm_internal.session_metrics() is 'The key sessions of fsm.metrics.';

create function fsm_internal.machine_metrics()
returns jsonb
language plpgsql
stable
as $$
begin
  return (
    select jsonb_build_object('names', count(distinct v.machine), 'versions', count(*), 'retired', count(*) filter (where v.retired))
    from fsm_internal.machine_versions v);
end
$$;
comment on function fsm_internal.machine_metrics() is 'The key machines of fsm.metrics.';

create function fsm_internal.recent_metrics(p_at timestamptz, p_most integer default 100000)
returns jsonb
language plpgsql
stable
as $$
begin
  return (
    with newest as materialized (
      select h.session_id, h.kind::text as kind, h.from_state, h.to_state, h.event, h.loop_detected, h.at
      from fsm_internal.history h order by h.feed_position desc limit p_most
    ), recent as materialized (
      select n.* from newest n where n.at > p_at - interval '300 seconds'
    ), facts as materialized (
      select count(*) as writes, count(*) filter (where r.loop_detected) as loops, min(r.at) as since,
        count(*) = p_most as capped from recent r
    ), spans as (
      select s.name, s.seconds,
        -- Before the oldest write seen nothing is known.
        case when f.capped then greatest(least(s.seconds, extract(epoch from p_at - f.since)), 0.001) else s.seconds end as known
      from facts f cross join (values ('minute', 60), ('five_minutes', 300)) s (name, seconds)
    ), by_kind as (
      select s.name, r.kind, round(count(*) / max(s.known)::numeric, 4) as rate
      from spans s join recent r on r.at > p_at - s.seconds * interval '1 second'
      group by s.name, r.kind
    ), moves as (
      select s.machine, r.from_state, r.to_state, r.event, count(*) as transitions
      from recent r join fsm_internal.sessions s on s.session_id = r.session_id
      where r.kind in ('transition', 'deadline')
      group by s.machine, r.from_state, r.to_state, r.event
    )
    select jsonb_build_object(
      'recent', jsonb_build_object('seconds', 300, 'writes', f.writes, 'loops', f.loops, 'since', f.since, 'capped', f.capped),
      'transitions', coalesce((
        select jsonb_agg(to_jsonb(m) order by m.transitions desc, m.machine collate "C", m.from_state collate "C", m.to_state collate "C",
          m.event collate "C") from moves m), '[]'),
      'rates', (
        select jsonb_object_agg(s.name, coalesce((select jsonb_object_agg(k.kind, k.rate) from by_kind k where k.name = s.name), '{}'))
        from spans s))
    from facts f);
end
$$;
comment on function fsm_internal.recent_metrics(timestamptz, integer) is
  'The keys recent, transitions and rates of fsm.metrics, from at most the newest p_most rows of history.';

create function fsm_internal.overdue_deadlines(p_at timestamptz, p_limit integer)
returns table (session_id text, due_at timestamptz)
language plpgsql
stable
as $$
begin
  -- wake_at only says when to look; what is due, the session's own stay in its state says.
  return query
    select d.session_id, n.due_at
    from (select l.* from fsm_internal.deadlines l where l.wake_at <= p_at order by l.wake_at limit p_limit) d
    join fsm_internal.sessions s on s.session_id = d.session_id
    cross join lateral (select fsm_internal.next_deadline(s.machine, s.machine_version, s.state, s.entered_at,
      case when d.fired_entered_at = s.entered_at then d.fired_ms end) as due_at offset 0) n
    where n.due_at <= p_at;
end
$$;
comment on function fsm_internal.overdue_deadlines(timestamptz, integer) is
  'Sessions whose deadline had passed at p_at, and when it was, among the p_limit rows of fsm_internal.deadlines that wait longest to be looked at.';

create function fsm_internal.deadline_metrics(p_at timestamptz)
returns jsonb
language plpgsql
stable
as $$
begin
  return (
    select jsonb_build_object('waiting', d.waiting, 'refused', d.refused, 'overdue', o.overdue,
      'oldest_overdue_seconds', round(extract(epoch from p_at - o.oldest)::numeric, 3))
    from (
      select count(*) filter (where w.wake_at < 'infinity') as waiting, count(*) filter (where w.refusals > 0) as refused
      from fsm_internal.deadlines w) d
    cross join (select count(*) as overdue, min(l.due_at) as oldest from fsm_internal.overdue_deadlines(p_at, 10000) l) o);
end
$$;
comment on function fsm_internal.deadline_metrics(timestamptz) is 'The key deadlines of fsm.metrics.';

create function fsm_internal.turn_metrics()
returns jsonb
language plpgsql
stable
as $$
begin
  -- A standby cannot read an unlogged table.
  if pg_is_in_recovery() then
    return null;
  end if;
  return (select jsonb_build_object('held', count(*)) from fsm_internal.turns t where t.expires_at > fsm_internal.clock());
end
$$;
comment on function fsm_internal.turn_metrics() is 'The key turns of fsm.metrics.';

create function fsm_internal.size_metrics()
returns jsonb
language plpgsql
stable
as $$
begin
  return (
    select jsonb_build_object(
      'sessions', pg_table_size('fsm_internal.sessions'), 'history', pg_table_size('fsm_internal.history'),
      'indexes', sum(pg_indexes_size(c.oid)), 'total', sum(pg_total_relation_size(c.oid)))
    from pg_class c where c.relnamespace = 'fsm_internal'::regnamespace and c.relkind = 'r');
end
$$;
comment on function fsm_internal.size_metrics() is 'The key bytes of fsm.metrics.';

-- internal/reports/session_at.sql
create function fsm_internal.session_at(p_session_id text, p_version bigint)
returns table (
  session_id text, machine text, machine_version integer, state text, version bigint, context jsonb, context_version integer,
  is_final boolean, entered_at timestamptz, created_at timestamptz, updated_at timestamptz)
language plpgsql
stable
as $$
begin
  return query
    select r.session_id, r.machine, h.machine_version, h.to_state, h.version, fsm_internal.context_at(r.session_id, h.version),
      t.context_version,
      coalesce(t.is_final, fsm_internal.refuse_unknown_state(r.session_id, r.machine, h.machine_version, h.to_state)),
      h.entered_at, r.created_at, h.at
    from fsm_internal.sessions r
    join fsm_internal.history h on h.session_id = r.session_id
    left join fsm_internal.machine_states t
      on t.machine = r.machine and t.machine_version = h.machine_version and t.state = h.to_state
    where r.session_id = p_session_id and h.version = p_version and h.version <= r.version;
end
$$;
comment on function fsm_internal.session_at(text, bigint) is
  'The session_row of a version exactly as it was saved; no row for one that does not exist or is no longer retained. SM060 when history is incomplete.';

-- internal/diagrams/diagram_edges.sql
create function fsm_internal.diagram_edges(p_definition jsonb, p_machine_version integer)
returns table (nth bigint, from_state text, to_state text, kind text, event text, label text)
language plpgsql
stable
as $$
declare
  v_machine text := p_definition ->> 'id';
begin
  return query
    with named as materialized (
      select e.event, string_agg(e.state, ', ' order by e.state collate "C") as states
      from fsm_internal.definition_events(p_definition) e where e.state is not null group by e.event
    ), every_edge as (
      select 1 as place, c.state as from_state, fsm_internal.definition_target(v_machine, c.body ->> 'target') as to_state,
        'transition' as kind, c.event, c.candidate::bigint as nth,
        c.event || coalesce(' [' || fsm_internal.shortened(c.body ->> 'guard', 60) || ']', '')
          || coalesce(' (not from ' || case when c.state is null then fsm_internal.shortened(n.states, 100) end || ')', '') as label
      from fsm_internal.definition_candidates(p_definition) c
      left join named n on n.event = c.event
      union all
      select 2, d.state, d.to_state, 'deadline', null, d.delay_ms, 'after ' || fsm_internal.delay_text(d.delay_ms)
      from fsm_internal.machine_delays d where d.machine = v_machine and d.machine_version = p_machine_version
      union all
      select 3, l.from_state, l.divert_to, 'divert', null, null,
        'loop of ' || fsm_internal.shortened(string_agg(distinct l.name, ', ' order by l.name), 100)
      from (
        select c.from_state, c.divert_to, c.event collate "C" as name from fsm_internal.machine_candidates c
        where c.machine = v_machine and c.machine_version = p_machine_version and c.divert_to is not null
        union all
        select d.state, d.divert_to, 'after ' || fsm_internal.delay_text(d.delay_ms) from fsm_internal.machine_delays d
        where d.machine = v_machine and d.machine_version = p_machine_version and d.divert_to is not null) l
      group by l.from_state, l.divert_to
    )
    select row_number() over (order by e.place, e.event collate "C", e.nth, e.to_state collate "C"),
      e.from_state, e.to_state, e.kind, e.event, e.label
    from every_edge e;
end
$$;
comment on function fsm_internal.diagram_edges(jsonb, integer) is
  'What leads from state to state in a stored definition, in the order of the drawing: kind transition (from_state null: from every open state, by the machine''s own "on"), deadline, or divert for where a loop is sent instead.';

create function fsm_internal.shortened(p_text text, p_characters integer)
returns text
language sql
immutable
return case when length(p_text) > p_characters then left(p_text, p_characters - 1) || '…' else p_text end;
comment on function fsm_internal.shortened(text, integer) is 'A text, cut to p_characters with an ellipsis.';

create function fsm_internal.delay_text(p_ms bigint)
returns text
language sql
immutable
return case
  when p_ms % 86400000 = 0 then (p_ms / 86400000)::text || ' d'
  when p_ms % 3600000 = 0 then (p_ms / 3600000)::text || ' h'
  when p_ms % 60000 = 0 then (p_ms / 60000)::text || ' min'
  when p_ms % 1000 = 0 then (p_ms / 1000)::text || ' s'
  else p_ms::text || ' ms'
end;
comment on function fsm_internal.delay_text(bigint) is 'A number of milliseconds in the largest unit that divides it.';

-- internal/diagrams/diagram_parts.sql
create function fsm_internal.diagram_parts(p_machine text, p_machine_version integer, p_session_id text)
returns jsonb
language plpgsql
stable
as $$
declare
  v_definition jsonb := (
    select v.definition from fsm_internal.machine_versions v where v.machine = p_machine and v.machine_version = p_machine_version);
  v_order text[] := fsm_internal.diagram_order(p_machine, p_machine_version);
begin
  return (
    with path as materialized (
      select p.* from fsm_internal.diagram_path(p_session_id) p
    ), drawn as materialized (
      select e.* from fsm_internal.diagram_edges(v_definition, p_machine_version) e
    ), edges as (
      select d.from_state, d.to_state, d.kind, d.event, d.label, d.nth, p.times
      from drawn d
      left join path p on (p.from_state, p.to_state, p.kind) = (d.from_state, d.to_state, d.kind) and p.event is not distinct from d.event
      union all
      -- Ways that the session went and the diagram so far does not show.
      select p.from_state, p.to_state, p.kind, p.event, coalesce(p.event, p.kind), null, p.times
      from path p
      where p.from_state = any (v_order) and p.to_state = any (v_order) and not exists (
        select from drawn d
        where (p.from_state, p.to_state, p.kind) = (d.from_state, d.to_state, d.kind) and p.event is not distinct from d.event)
    )
    select jsonb_build_object(
      'states', (
        select jsonb_agg(jsonb_build_object('state', t.state, 'is_initial', t.is_initial, 'is_final', t.is_final,
          'is_present', coalesce(s.state = t.state, false),
          'is_visited', exists (select from path p where t.state in (p.from_state, p.to_state))) order by array_position(v_order, t.state))
        from fsm_internal.machine_states t left join fsm_internal.sessions s on s.session_id = p_session_id
        where t.machine = p_machine and t.machine_version = p_machine_version),
      'edges', coalesce((
        select jsonb_agg(jsonb_build_object('from', array_position(v_order, e.from_state), 'to', array_position(v_order, e.to_state),
          'kind', e.kind, 'label', e.label, 'times', e.times)
          order by array_position(v_order, e.from_state), e.nth, array_position(v_order, e.to_state), e.kind, e.event collate "C")
        from edges e), '[]')));
end
$$;
comment on function fsm_internal.diagram_parts(text, integer, text) is
  'What a diagram shows, whatever its format: states in the order of the drawing with is_initial, is_final, is_present and is_visited; edges with from and to (numbers of states from 1, from null for every open state), kind, label, and times when the session went there.';

create function fsm_internal.diagram_order(p_machine text, p_machine_version integer)
returns text[]
language plpgsql
stable
as $$
declare
  v_order text[] := array[(
    select t.state from fsm_internal.machine_states t
    where t.machine = p_machine and t.machine_version = p_machine_version and t.is_initial)];
  v_next text[] := v_order;
begin
  while v_next is not null loop
    v_next := (
      select array_agg(t.state order by t.state collate "C")
      from (
        select c.to_state as state from fsm_internal.machine_candidates c
        where c.machine = p_machine and c.machine_version = p_machine_version and c.from_state = any (v_next)
        union
        select d.to_state from fsm_internal.machine_delays d
        where d.machine = p_machine and d.machine_version = p_machine_version and d.state = any (v_next)) t
      join fsm_internal.machine_states s using (state)
      where s.machine = p_machine and s.machine_version = p_machine_version and not s.is_final and t.state <> all (v_order));
    v_order := v_order || v_next;
  end loop;
  return v_order || (
    select array_agg(t.state order by t.is_final, t.state collate "C") from fsm_internal.machine_states t
    where t.machine = p_machine and t.machine_version = p_machine_version and t.state <> all (v_order));
end
$$;
comment on function fsm_internal.diagram_order(text, integer) is
  'All states of a machine version, breadth first from the initial one, then those that are unreachable, then final ones: a stored definition does not keep the order in which it was written.';

create function fsm_internal.diagram_path(p_session_id text)
returns table (from_state text, to_state text, kind text, event text, times bigint)
language plpgsql
stable
as $$
begin
  -- The present state is there even if no history is. A change of version that kept the state leads nowhere.
  return query
    select h.from_state, h.to_state, h.kind::text, case when h.kind = 'transition' then h.event end, count(*)
    from fsm_internal.history h
    where h.session_id = p_session_id and (h.kind in ('transition', 'deadline', 'divert') or h.from_state is distinct from h.to_state)
    group by 1, 2, 3, 4
    union all
    select null, s.state, 'present', null, 1 from fsm_internal.sessions s where s.session_id = p_session_id;
end
$$;
comment on function fsm_internal.diagram_path(text) is
  'The ways that a session went, and how often, by retained history; from_state null where it began. No rows for null.';

-- internal/diagrams/dot_diagram.sql
create function fsm_internal.dot_diagram(p_parts jsonb)
returns text
language plpgsql
stable
as $$
begin
  return (
    with lines (place, nth, line) as (
      select 1, 0, 'rankdir=LR; node [shape=box, style="rounded,filled", fillcolor=white]; initial [shape=point, style=filled, fillcolor=black];'
      union all
      select 2, s.nth, format('s%s [label="%s"%s%s];', s.nth, fsm_internal.dot_text(s.body ->> 'state'),
        case when s.body @> '{"is_final": true}' then ', peripheries=2' end,
        case
          when s.body @> '{"is_present": true}' then ', color="#e8590c", penwidth=3, fillcolor="#ffd43b"'
          when s.body @> '{"is_visited": true}' then ', color="#e8590c", penwidth=3'
        end)
      from jsonb_array_elements(p_parts -> 'states') with ordinality s (body, nth)
      union all
      select 3, 0, 'every [label="every open state", style="rounded,dashed"];' where p_parts @> '{"edges": [{"from": null}]}'
      union all
      select 4, 0, format('initial -> s%s;', s.nth)
      from jsonb_array_elements(p_parts -> 'states') with ordinality s (body, nth) where s.body @> '{"is_initial": true}'
      union all
      select 5, e.nth, format('%s -> s%s [label="%s"%s%s];', coalesce('s' || (e.body ->> 'from'), 'every'), e.body ->> 'to',
        fsm_internal.dot_text((e.body ->> 'label') || coalesce(' (' || (e.body ->> 'times') || '×)', '')),
        case e.body ->> 'kind' when 'transition' then '' when 'deadline' then ', style=dashed' else ', style=dotted' end,
        case when e.body ->> 'times' is not null then ', color="#e8590c", fontcolor="#e8590c", penwidth=3' end)
      from jsonb_array_elements(p_parts -> 'edges') with ordinality e (body, nth)
    )
    select 'digraph machine {' || string_agg(E'\n  ' || l.line, '' order by l.place, l.nth) || E'\n}' from lines l);
end
$$;
comment on function fsm_internal.dot_diagram(jsonb) is 'fsm_internal.diagram_parts in the language of Graphviz.';

create function fsm_internal.dot_text(p_text text)
returns text
language sql
immutable
return regexp_replace(replace(replace(replace(p_text, '\', '\\'), '"', '\"'), '&', '&amp;'), '[[:cntrl:]]', '·', 'g');
comment on function fsm_internal.dot_text(text) is 'A text for a quoted string of dot: neither a quote, an escape nor an entity; control characters as a dot.';

-- internal/diagrams/mermaid_diagram.sql
create function fsm_internal.mermaid_diagram(p_parts jsonb)
returns text
language plpgsql
stable
as $$
begin
  return (
    with states as materialized (
      select s.nth, s.body, fsm_internal.mermaid_alias(s.body ->> 'state', s.nth) as alias
      from jsonb_array_elements(p_parts -> 'states') with ordinality s (body, nth)
    ), lines (place, nth, line) as (
      select 1, s.nth, format('state "%s" as %s', fsm_internal.mermaid_text(s.body ->> 'state'), s.alias)
      from states s where s.alias <> s.body ->> 'state'
      union all
      select 2, 0, 'state "every open state" as _every' where p_parts @> '{"edges": [{"from": null}]}'
      union all
      select 3, 0, '[*] --> ' || s.alias from states s where s.body @> '{"is_initial": true}'
      union all
      select 4, e.nth, coalesce(f.alias, '_every') || ' --> ' || t.alias || ' : ' || fsm_internal.mermaid_text(
        coalesce('✔ ' || (e.body ->> 'times') || '× ', '') || (e.body ->> 'label'))
      from jsonb_array_elements(p_parts -> 'edges') with ordinality e (body, nth)
      left join states f on f.nth = (e.body ->> 'from')::bigint
      join states t on t.nth = (e.body ->> 'to')::bigint
      union all
      select 5, s.nth, s.alias || ' --> [*]' from states s where s.body @> '{"is_final": true}'
      union all
      select 6, 0, 'classDef visited stroke:#e8590c,stroke-width:3px' where p_parts @> '{"states": [{"is_visited": true}]}'
      union all
      select 7, 0, 'classDef present fill:#ffd43b,color:#000,stroke:#e8590c,stroke-width:3px'
      where p_parts @> '{"states": [{"is_present": true}]}'
      union all
      select 8, s.nth, 'class ' || s.alias || case when s.body @> '{"is_present": true}' then ' present' else ' visited' end
      from states s where s.body @> '{"is_visited": true}'
    )
    select 'stateDiagram-v2' || string_agg(E'\n  ' || l.line, '' order by l.place, l.nth) from lines l);
end
$$;
comment on function fsm_internal.mermaid_diagram(jsonb) is
  'fsm_internal.diagram_parts as a mermaid stateDiagram-v2. Arrows have no style there, so those that the session took bear a mark and how often.';

create function fsm_internal.mermaid_alias(p_state text, p_nth bigint)
returns text
language sql
immutable
return case
  when p_state ~ '^[A-Za-z][A-Za-z0-9_]*$' and lower(p_state) not in (
    'state', 'note', 'end', 'direction', 'class', 'classdef', 'style', 'scale', 'hide', 'as', 'click', 'default', 'fork', 'join', 'choice',
    'concurrency', 'root', 'root_start', 'root_end', 'acctitle', 'accdescr', 'statediagram', 'href', 'left', 'right', 'of', 'tb', 'bt', 'lr',
    'rl', 'constructor', 'prototype', 'tostring', 'tolocalestring', 'valueof', 'hasownproperty', 'isprototypeof', 'propertyisenumerable'
  ) then p_state
  else '_' || p_nth::text
end;
comment on function fsm_internal.mermaid_alias(text, bigint) is
  'How a state is called in a mermaid diagram: by its name where that can be nothing else there, or by its number.';

create function fsm_internal.mermaid_text(p_text text)
returns text
language sql
immutable
-- Character by character, because what stands for one is made of others. direction with a blank after it is a statement anywhere in a line.
return (
  select regexp_replace(string_agg(
    case
      when c.one ~ '[[:cntrl:]]' then '·'
      when strpos('#;:"<&%{}`*\~', c.one) > 0 or (c.one = ' ' and c.nth in (1, length(p_text))) then '#' || ascii(c.one)::text || ';'
      else c.one
    end, '' order by c.nth), '(direction) ', '\1#32;', 'gi')
  from unnest(string_to_array(p_text, null)) with ordinality c (one, nth));
comment on function fsm_internal.mermaid_text(text) is
  'A text for a mermaid label, in quotes or behind a colon: what would end it or mean something there and a blank at either end, is written as an entity, control characters as a dot.';

-- internal/diagrams/version_of_session.sql
create function fsm_internal.version_of_session(p_session_id text, p_machine text)
returns integer
language plpgsql
stable
as $$
declare
  v_session record;
begin
  select s.machine, s.machine_version into v_session from fsm_internal.sessions s where s.session_id = p_session_id;
  if not found then
    perform fsm_internal.refuse_unknown_session(p_session_id);
  elsif v_session.machine <> p_machine then
    perform fsm_internal.refuse(fsm_internal.argument_refusal('p_session_id', 'session of another machine',
      jsonb_build_object('session_id', p_session_id, 'machine', v_session.machine), 'Give the machine of the session as p_machine.'));
  end if;
  return v_session.machine_version;
end
$$;
comment on function fsm_internal.version_of_session(text, text) is
  'The machine version that a session is on. SM010 when there is no such session, 22023 when it is of another machine.';

-- internal/doctor/doctor_deadlines.sql
create function fsm_internal.doctor_deadlines()
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
as $$
declare
  v_now timestamptz := fsm_internal.clock();
begin
  return query
    select 'warning', 'deadlines_overdue',
      format('%s deadlines are overdue by more than 5 minutes, among the 1,000 to be looked at first; the oldest by %s seconds',
        count(*), round(extract(epoch from v_now - min(o.due_at)))),
      'Nobody calls fsm.fire_deadlines(), or not often enough: let a worker or cron call it every few seconds while it returns rows.'
    from fsm_internal.overdue_deadlines(v_now - interval '5 minutes', 1000) o
    having count(*) > 0
    union all
    select 'warning', 'deadlines_refused',
      format('%s deadlines were tried and refused 5 times and more in a row, the first is of session %s', count(*), to_jsonb(min(d.session_id))),
      'fsm.fire_deadlines() says why when it tries again: a context that the target refuses, a loop that is blocked, or a turn that is held.'
    from (
      -- The next try is never more than an hour away.
      select w.session_id, w.refusals from fsm_internal.deadlines w
      where w.wake_at <= v_now + interval '1 hour' order by w.wake_at limit 10000) d
    where d.refusals >= 5
    having count(*) > 0;
end
$$;
comment on function fsm_internal.doctor_deadlines() is
  'Findings of fsm.doctor: deadlines that nobody fires, among the 1,000 to be looked at first, and those that are refused again and again, among the first 10,000.';

-- internal/doctor/doctor_definers.sql
create function fsm_internal.doctor_definers()
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
as $$
begin
  return query
    select 'error', 'definer', format('function %s %s', p.oid::regprocedure, x.what), format('alter function %s %s;', p.oid::regprocedure, x.remedy)
    from pg_proc p
    cross join lateral (values
      (not p.prosecdef, 'is not security definer', 'security definer'),
      (not coalesce(array_to_string(p.proconfig, '|') ~ $re$(^|\|)search_path=([^|]*[, ])?"?pg_temp"?(\||$)$re$, false),
        'has no search_path that ends in pg_temp, so that a caller''s temporary objects are taken for ours',
        'set search_path = pg_catalog, pg_temp')) x (applies, what, remedy)
    where p.pronamespace = 'fsm'::regnamespace and x.applies
    union all
    select 'error', 'owner', format('%s %s belongs to %s', o.kind, o.name, o.owner::regrole), format('alter %s %s owner to fsm_owner;', o.kind, o.name)
    from (
      select 'schema' as kind, n.nspname::text as name, n.nspowner as owner from pg_namespace n where n.nspname in ('fsm', 'fsm_internal')
      union all
      select 'function', p.oid::regprocedure::text, p.proowner from pg_proc p
      where p.pronamespace in ('fsm'::regnamespace, 'fsm_internal'::regnamespace)
      union all
      select 'table', c.oid::regclass::text, c.relowner from pg_class c
      where c.relnamespace in ('fsm'::regnamespace, 'fsm_internal'::regnamespace) and c.relkind in ('r', 'p', 'v', 'm', 'f')) o
    where o.owner <> 'fsm_owner'::regrole
    union all
    select 'error', 'owner', format('fsm_owner may not read table %s', c.oid::regclass), format('grant all on table %s to fsm_owner;', c.oid::regclass)
    from pg_class c
    where c.relnamespace = 'fsm_internal'::regnamespace and c.relkind = 'r' and c.relowner = 'fsm_owner'::regrole
      and not has_table_privilege('fsm_owner', c.oid, 'select');
end
$$;
comment on function fsm_internal.doctor_definers() is
  'Findings of fsm.doctor: API functions that do not run as their owner with a pinned search_path, and objects that are not fsm_owner''s.';

-- internal/doctor/doctor_feed.sql
create function fsm_internal.doctor_feed()
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
as $$
declare
  v_present text := (select c.system_identifier::text from pg_control_system() c);
  v_timeline integer := (select c.timeline_id from pg_control_checkpoint() c);
  v_known text;
  v_known_timeline integer;
begin
  select e.system_identifier, e.timeline into v_known, v_known_timeline
  from fsm_internal.feed_epochs e order by e.epoch desc limit 1;
  if v_present is distinct from v_known then
    return query select 'error', 'feed_epoch',
      format('the data come from cluster %s and are now in cluster %s: fsm.changes would skip what is written here', v_known, v_present),
      'Call fsm.new_feed_epoch() once, before anything is written.';
  elsif v_timeline > v_known_timeline and not pg_is_in_recovery() then
    return query select 'warning', 'feed_timeline',
      format('this server took over or was recovered: its timeline is %s, that of the feed is %s', v_timeline, v_known_timeline),
      'If anything that was acknowledged before may have been lost, call fsm.new_feed_epoch() once, before anything is written. If not (a synchronous standby took over), it does no harm.';
  end if;
end
$$;
comment on function fsm_internal.doctor_feed() is 'Findings of fsm.doctor: a copy restored into another cluster, whose transaction ids begin anew; a server that took over, and may use ids again.';

-- internal/doctor/doctor_grants.sql
create function fsm_internal.doctor_grants()
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
as $$
begin
  return query
    select 'error', 'grant', format('%s has %s on %s %s', g.grantee, lower(g.privilege), g.kind, g.name),
      format('revoke %s%s from %s;', lower(g.privilege), g.place, g.grantee)
    from fsm_internal.present_grants() g
    where not g.is_given
    order by g.kind, g.name, g.grantee
    limit 100;
end
$$;
comment on function fsm_internal.doctor_grants() is 'Findings of fsm.doctor: privileges beyond those that db/grants.sql gives; at most 100.';

create function fsm_internal.present_grants()
returns table (kind text, name text, place text, grantee text, privilege text, is_given boolean)
language plpgsql
stable
as $$
begin
  return query
    select o.kind, o.name, o.place, case a.grantee when 0 then 'public' else a.grantee::regrole::text end, a.privilege_type, coalesce(
      case o.kind
        when 'schema' then o.is_api and a.privilege_type = 'USAGE' and r.rolname in ('fsm_app', 'fsm_reader', 'fsm_monitor', 'fsm_admin')
        when 'function' then o.is_api and (r.rolname = 'fsm_admin' or o.plain = any (fsm_internal.calls_of(r.rolname)))
        when 'view' then o.is_api and a.privilege_type = 'SELECT' and (
          r.rolname = 'fsm_admin' or (o.plain <> 'quarantine' and r.rolname in ('fsm_reader', 'fsm_monitor')))
        else false
      end, false)
    from (
      select 'schema' as kind, n.nspname::text as name, format(' on schema %I', n.nspname) as place, n.nspname::text as plain, n.nspname = 'fsm' as is_api, n.nspowner as owner,
        coalesce(n.nspacl, acldefault('n', n.nspowner)) as acl
      from pg_namespace n where n.nspname in ('fsm', 'fsm_internal')
      union all
      select 'function', p.oid::regprocedure::text, format(' on function %s', p.oid::regprocedure), p.proname::text, p.pronamespace = 'fsm'::regnamespace, p.proowner,
        coalesce(p.proacl, acldefault('f', p.proowner))
      from pg_proc p where p.pronamespace in ('fsm'::regnamespace, 'fsm_internal'::regnamespace)
      union all
      select case when c.relkind = 'v' then 'view' else 'table' end, c.oid::regclass::text, format(' on %s', c.oid::regclass), c.relname::text,
        c.relnamespace = 'fsm'::regnamespace, c.relowner, c.relacl
      from pg_class c where c.relnamespace in ('fsm'::regnamespace, 'fsm_internal'::regnamespace) and c.relacl is not null
      union all
      select 'column', format('%s.%I', c.oid::regclass, t.attname), format(' (%I) on %s', t.attname, c.oid::regclass), t.attname::text, false, c.relowner, t.attacl
      from pg_class c join pg_attribute t on t.attrelid = c.oid
      where c.relnamespace in ('fsm'::regnamespace, 'fsm_internal'::regnamespace) and t.attacl is not null) o
    cross join lateral aclexplode(o.acl) a
    left join pg_roles r on r.oid = a.grantee
    where a.grantee <> o.owner and r.rolname is distinct from 'fsm_owner';
end
$$;
comment on function fsm_internal.present_grants() is
  'Every privilege on an object of ours that somebody else than its owner has. is_given: db/grants.sql gives it; place: what stands between the privilege and "from" to revoke it.';

create function fsm_internal.calls_of(p_role text)
returns text[]
language sql
immutable
return case p_role
  when 'fsm_app' then array[
    'create_session', 'load_session', 'load_sessions', 'load_context', 'list_sessions', 'save_session', 'save_sessions', 'send_event',
    'update_context', 'fork_session', 'rollback_session', 'history', 'load_session_at', 'session_as_of', 'diff_session', 'allowed_events',
    'validate_context', 'detect_loop', 'begin_turn', 'extend_turn', 'end_turn', 'fire_deadlines', 'machine_definition', 'check_machine',
    'diagram', 'schema_release']
  when 'fsm_reader' then array[
    'load_session', 'load_sessions', 'load_context', 'list_sessions', 'history', 'load_session_at', 'session_as_of', 'diff_session',
    'allowed_events', 'validate_context', 'detect_loop', 'machine_definition', 'check_machine', 'diagram', 'schema_release',
    'looping_sessions', 'stuck_sessions', 'verify_sessions', 'changes', 'audit_head']
  when 'fsm_monitor' then array['metrics', 'doctor', 'looping_sessions', 'stuck_sessions', 'schema_release']
  else '{}'::text[]
end;
comment on function fsm_internal.calls_of(text) is 'The functions that db/grants.sql lets a role call; fsm_admin, which may call all, is not asked for.';

-- internal/doctor/doctor_installed.sql
create function fsm_internal.doctor_installed()
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
as $$
begin
  return query
    select 'error', coalesce(i.check_name, d.check_name), format('%s is %s', coalesce(i.part, d.part),
        case when i.part is null then 'none of ours' when d.part is null then 'gone' else 'not as it was installed' end),
      'Find out who changed it and why. The installed form is in db/ of this release (fsm.schema_release()): make it so again, as fsm_owner.'
    from fsm_internal.installed_parts i
    full join fsm_internal.part_digests() d using (part)
    where d.part is null or (i.digest <> d.digest and i.parsed_by is not distinct from d.parsed_by)
      -- An index or a column more does no harm by itself; a function more may be taken for ours.
      or (i.part is null and d.check_name = 'function')
    order by coalesce(i.part, d.part) collate "C"
    limit 100;
end
$$;
comment on function fsm_internal.doctor_installed() is
  'Findings of fsm.doctor: functions, views, indexes, constraints and columns of ours that are gone or not what the installation made, and functions that it did not make; at most 100. What a server printed is only compared by the major version that printed it.';

create function fsm_internal.part_digests()
returns table (part text, check_name text, digest text, parsed_by integer)
language plpgsql
stable
as $$
begin
  return query
    select p.part, p.check_name, md5(concat_ws('|', p.shape, p.source, fsm_internal.printed(p.parsed))),
      case when p.parsed is not null then (select s.setting::integer / 10000 from pg_settings s where s.name = 'server_version_num') end
    from (
      select format('function %I.%I(%s)', n.nspname, f.proname, pg_get_function_identity_arguments(f.oid)) as part, 'function' as check_name,
        concat_ws('|', l.lanname, f.prosecdef, f.provolatile, f.proisstrict, f.proleakproof, f.proparallel, array_to_string(f.proconfig, ' '),
          pg_get_function_arguments(f.oid), pg_get_function_result(f.oid)) as shape,
        case when f.prosqlbody is null then f.prosrc end as source, pg_get_function_sqlbody(f.oid) as parsed
      from pg_proc f
      join pg_namespace n on n.oid = f.pronamespace
      join pg_language l on l.oid = f.prolang
      where n.nspname in ('fsm', 'fsm_internal')
      union all
      select format('view %I.%I', 'fsm', c.relname), 'relation', array_to_string(c.reloptions, ' '), null, pg_get_viewdef(c.oid)
      from pg_class c where c.relnamespace = 'fsm'::regnamespace and c.relkind = 'v'
      union all
      select format('index %I', i.relname), 'relation', concat_ws('|', x.indisunique, x.indisvalid, x.indpred is not null, (
          select string_agg(a.attname, ',' order by a.attnum) from pg_attribute a where a.attrelid = i.oid)), null, null
      from pg_index x join pg_class i on i.oid = x.indexrelid join pg_class t on t.oid = x.indrelid
      where t.relnamespace = 'fsm_internal'::regnamespace and t.relkind = 'r'
      union all
      select format('constraint %I on %I', o.conname, t.relname), 'relation', concat_ws('|', o.contype, o.convalidated, (
          select string_agg(a.attname, ',' order by a.attname) from pg_attribute a where a.attrelid = t.oid and a.attnum = any (o.conkey))), null, null
      from pg_constraint o join pg_class t on t.oid = o.conrelid
      where t.relnamespace = 'fsm_internal'::regnamespace and o.contype <> 'n'  -- that is told of columns
      union all
      select format('column %I of %I', a.attname, t.relname), 'relation', concat_ws('|', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.atthasdef), null, null
      from pg_attribute a join pg_class t on t.oid = a.attrelid
      where t.relnamespace = 'fsm_internal'::regnamespace and t.relkind = 'r' and a.attnum > 0 and not a.attisdropped) p;
end
$$;
comment on function fsm_internal.part_digests() is
  'What each of our functions, views, indexes, constraints and columns is at present, as a digest. parsed_by: the major version of the server that printed a body or a view, because another one may print it otherwise; null for the rest. To be asked with a search_path in which our types have to be written with their schema.';

create function fsm_internal.printed(p_text text)
returns text
language sql
immutable
return regexp_replace(p_text, '::"?[a-z_.]+"?(\[\])?|[()\s]', '', 'g');
comment on function fsm_internal.printed(text) is
  'What the server prints of something parsed, without the casts, brackets and blanks that it gains and loses when it is restored from a dump.';

-- internal/doctor/doctor_locks.sql
create function fsm_internal.doctor_locks(p_waiting interval default '10 seconds', p_prepared interval default '10 minutes')
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
as $$
declare
  v_now timestamptz := fsm_internal.clock();
begin
  return query
    select 'warning', 'prepared_transaction',
      format('transaction %s of %s in database %s is prepared since %s seconds: it holds its locks, keeps vacuum from cleaning up, and delays fsm.changes',
        quote_literal(p.gid), p.owner, p.database, round(extract(epoch from v_now - p.prepared))),
      format('In database %s: commit prepared %s; or rollback prepared %s;', p.database, quote_literal(p.gid), quote_literal(p.gid))
    from pg_prepared_xacts p where p.prepared < v_now - p_prepared
    union all
    -- pg_stat_activity shows fsm_owner no more than who the others are.
    (select 'warning', 'lock_wait', format('process %s has waited %s seconds for the lock of a session, held by process %s', l.pid,
        round(extract(epoch from v_now - l.waitstart)),
        coalesce((
          select string_agg(format('%s (%s)', b.pid, coalesce(a.usename, 'login unknown')), ', ' order by b.pid)
          from unnest(pg_blocking_pids(l.pid)) b (pid) left join pg_stat_activity a on a.pid = b.pid), '(gone)')),
      'Look at the holder in pg_stat_activity: idle in transaction, or a long statement? End it with pg_terminate_backend(pid), and give its login the recommended timeouts.'
    from pg_locks l
    where l.locktype = 'advisory' and not l.granted and l.waitstart < v_now - p_waiting
      and l.database = (select d.oid from pg_database d where d.datname = current_database())
    order by l.waitstart limit 20);
end
$$;
comment on function fsm_internal.doctor_locks(interval, interval) is
  'Findings of fsm.doctor: prepared transactions that nobody ends, and callers that wait for a session''s lock, at most 20.';

-- internal/doctor/doctor_logins.sql
create function fsm_internal.doctor_logins()
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
as $$
begin
  return query
    select 'warning', 'login_settings',
      format('login %s works without %s', r.rolname, string_agg(m.name, ', ' order by m.nth)),
      string_agg(format('alter role %I in database %I set %s = %L;', r.rolname, current_database(), m.name, m.recommended), ' ' order by m.nth)
    from (
      select l.oid, l.rolname from pg_roles l
      where l.rolcanlogin and not l.rolsuper and (pg_has_role(l.oid, 'fsm_app', 'member') or pg_has_role(l.oid, 'fsm_admin', 'member'))
      order by l.rolname limit 100) r
    cross join lateral fsm_internal.missing_settings(r.oid) m
    group by r.rolname;
end
$$;
comment on function fsm_internal.doctor_logins() is
  'Findings of fsm.doctor: logins of fsm_app and fsm_admin, at most 100, that a lost client or a stuck statement could keep others waiting for without end.';

create function fsm_internal.missing_settings(p_login oid)
returns table (nth bigint, name text, recommended text)
language plpgsql
stable
as $$
begin
  return query
    select n.nth, n.name, n.recommended
    from unnest(
      array['default_transaction_isolation', 'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout',
        'client_connection_check_interval'],
      array['read committed', '10s', '5s', '15s', '5s']) with ordinality n (name, recommended, nth)
    join pg_settings s on s.name = n.name
    left join lateral (
      select split_part(c.entry, '=', 2) as value
      from pg_db_role_setting d
      join pg_database b on b.datname = current_database()
      cross join lateral unnest(d.setconfig) c (entry)
      where d.setrole in (0, p_login) and d.setdatabase in (0, b.oid) and lower(split_part(c.entry, '=', 1)) = n.name
      order by d.setrole = 0, d.setdatabase = 0 limit 1) given on true
    -- What stands in the present session for itself says nothing of another login.
    where coalesce(given.value,
        case when s.source in ('database', 'user', 'database user', 'client', 'session') then s.boot_val else s.reset_val end)
      ~ case n.name when 'default_transaction_isolation' then '^(?!read committed$)' else $re$^\s*0*(\.0*)?\s*(us|ms|s|min|h|d)?\s*\Z$re$ end;
end
$$;
comment on function fsm_internal.missing_settings(oid) is
  'The recommended settings (those of db/recommended_settings.sql) that a login does not have in this database: timeouts that are 0, another isolation level than read committed. What is given for the role here goes before the role everywhere, the database, all databases, and the server.';

-- internal/doctor/doctor_retention.sql
create function fsm_internal.doctor_retention(p_bytes bigint default 10737418240)
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
as $$
declare
  v_bytes bigint := pg_total_relation_size('fsm_internal.history');
begin
  if v_bytes > p_bytes and not exists (select from fsm_internal.history_cuts c where c.cut_at > fsm_internal.clock() - interval '30 days') then
    return query select 'warning', 'history_size',
      format('history takes %s, and nothing was trimmed for 30 days', pg_size_pretty(v_bytes)),
      'Decide how much history is to be kept, and call fsm.trim_history (old versions) and fsm.purge_sessions (finished sessions) regularly.';
  end if;
end
$$;
comment on function fsm_internal.doctor_retention(bigint) is 'Findings of fsm.doctor: a history of more than p_bytes that nobody trims.';

-- internal/doctor/doctor_roles.sql
create function fsm_internal.doctor_roles()
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
as $$
begin
  return query
    select 'error', 'role', format('role %s %s', r.rolname, x.what), format('alter role %I %s;', r.rolname, x.remedy)
    from pg_roles r
    cross join lateral (values
      (r.rolcanlogin, 'can log in', 'nologin'),
      (r.rolsuper, 'is a superuser', 'nosuperuser'),
      (r.rolcreaterole, 'may create roles', 'nocreaterole'),
      (r.rolcreatedb, 'may create databases', 'nocreatedb'),
      (r.rolreplication, 'may replicate', 'noreplication'),
      (r.rolbypassrls, 'bypasses row security', 'nobypassrls')) x (applies, what, remedy)
    where r.rolname in ('fsm_owner', 'fsm_app', 'fsm_reader', 'fsm_monitor', 'fsm_admin') and x.applies
    union all
    select 'warning', 'owner_member', format('role %s is a member of fsm_owner, and so may change every table by hand', m.name),
      format('If it need not: revoke fsm_owner from %I;', m.name)
    from fsm_internal.owner_members() m
    union all
    select 'warning', 'public_connect', format('PUBLIC may connect to database %s', d.datname),
      format('revoke connect on database %I from public; then grant connect on it to the logins that need it.', d.datname)
    from pg_database d
    where d.datname = current_database() and exists (
      select from aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a where a.grantee = 0 and a.privilege_type = 'CONNECT');
end
$$;
comment on function fsm_internal.doctor_roles() is 'Findings of fsm.doctor: what the roles of fsmstore are, who is fsm_owner too, and who may connect.';

create function fsm_internal.owner_members()
returns table (name text)
language plpgsql
stable
as $$
begin
  return query
    with recursive members (member) as (
      select 'fsm_owner'::regrole::oid
      union
      select m.member from members r join pg_auth_members m on m.roleid = r.member
      -- From 16 on who created a role may grant it and no more, which is no use of it yet; before, there are no such columns.
      where coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true) or coalesce((to_jsonb(m) ->> 'set_option')::boolean, true)
    )
    select r.rolname::text from members m join pg_roles r on r.oid = m.member
    where r.rolname <> 'fsm_owner' and not r.rolsuper;
end
$$;
comment on function fsm_internal.owner_members() is 'Roles, superusers excepted, that inherit from fsm_owner or may set it, directly or through others.';

-- internal/doctor/doctor_sessions.sql
create function fsm_internal.doctor_sessions(p_pages integer default 2000)
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
as $$
declare
  v_pages bigint := pg_relation_size('fsm_internal.sessions') / 8192;
  v_idle timestamptz := fsm_internal.clock() - interval '30 days';
  v_seen record;
begin
  select count(*) as all_of_them, count(*) filter (where t.state is null) as unknown,
    min(s.session_id) filter (where t.state is null) as first_unknown,
    count(*) filter (where t.is_final = false and s.updated_at < v_idle) as stuck
  into v_seen
  from fsm_internal.sessions s tablesample system (least(100, 100.0 * p_pages / greatest(v_pages, 1)))
  left join fsm_internal.machine_states t
    on t.machine = s.machine and t.machine_version = s.machine_version and t.state = s.state;
  return query
    select v.severity, v.check_name, v.message, v.hint
    from (values
      (v_seen.unknown, 'error', 'unknown_state',
        format('%s of %s sessions looked at are in a state that their machine version does not have, the first is %s', v_seen.unknown,
          v_seen.all_of_them, to_jsonb(v_seen.first_unknown)),
        'Somebody changed the tables by hand. fsm.verify_sessions lists all that is wrong; compare with a backup.'),
      (v_seen.stuck, 'info', 'stuck_sessions',
        format('%s of %s sessions looked at are in no final state and were not written for 30 days', v_seen.stuck, v_seen.all_of_them),
        'fsm.stuck_sessions(interval ''30 days'') lists them. A deadline ("after") would end such sessions, fsm.purge_sessions removes them.')
    ) v (found, severity, check_name, message, hint)
    where v.found > 0;
end
$$;
comment on function fsm_internal.doctor_sessions(integer) is
  'Findings of fsm.doctor: sessions that are corrupt or forgotten, among those in about p_pages pages of the table chosen at random, or all.';

-- internal/doctor/doctor_settings.sql
create function fsm_internal.doctor_settings()
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
as $$
begin
  return query
    select v.severity, v.check_name, v.message, v.hint
    from pg_settings s
    join (values
      ('fsync', 'off', 'error', 'fsync', 'fsync is off: a crash of the machine loses or corrupts what was acknowledged',
        'Set fsync = on in postgresql.conf and reload.'),
      ('full_page_writes', 'off', 'error', 'full_page_writes', 'full_page_writes is off: a crash of the machine can leave torn pages',
        'Set full_page_writes = on in postgresql.conf and reload.'),
      ('synchronous_commit', 'off', 'warning', 'synchronous_commit',
        'synchronous_commit is off for new sessions: writes of fsmstore wait for the disk all the same, but those of others can be lost in a crash',
        'Set synchronous_commit = on, for the server, the database or the role that turned it off.'),
      ('track_counts', 'off', 'warning', 'track_counts', 'track_counts is off: autovacuum does not run, and dead rows are not counted',
        'Set track_counts = on in postgresql.conf and reload.')
    ) v (name, bad, severity, check_name, message, hint) on v.name = s.name and v.bad = s.reset_val
    union all
    select 'warning', s.name, format('%s is %s for new sessions: writers of the same session then get 40001 instead of waiting', s.name, s.reset_val),
      'Set it to read committed, for the server, the database or the role that changed it.'
    from pg_settings s where s.name = 'default_transaction_isolation' and s.reset_val <> 'read committed'
    union all
    select * from fsm_internal.doctor_server_version((select s.setting::integer from pg_settings s where s.name = 'server_version_num'));
end
$$;
comment on function fsm_internal.doctor_settings() is 'Findings of fsm.doctor: settings of the server, as a new session of the caller gets them.';

create function fsm_internal.doctor_server_version(p_number integer)
returns table (severity text, check_name text, message text, hint text)
language sql
immutable
begin atomic
  select f.severity, f.check_name, f.message, f.hint
  from (values ('error', 'server_version', 'PostgreSQL is older than 14', 'Upgrade the server: fsmstore is made for PostgreSQL 14 and later.'))
    f (severity, check_name, message, hint)
  where p_number < 140000;
end;
comment on function fsm_internal.doctor_server_version(integer) is 'Findings of fsm.doctor: a server that is too old, by its server_version_num.';

-- internal/doctor/doctor_tables.sql
create function fsm_internal.doctor_tables()
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
as $$
begin
  return query
    with ours as materialized (
      select c.oid, c.oid::regclass::text as name, c.relkind, c.relrowsecurity, c.relpersistence
      from pg_class c where c.relnamespace = 'fsm_internal'::regnamespace and c.relkind in ('r', 'p')
    )
    select 'error', 'trigger', format('trigger %s is on table %s', t.tgname, o.name), format('drop trigger %I on %s;', t.tgname, o.name)
    from ours o join pg_trigger t on t.tgrelid = o.oid where not t.tgisinternal
    union all
    select 'error', 'rule', format('rule %s is on table %s', w.rulename, o.name), format('drop rule %I on %s;', w.rulename, o.name)
    from ours o join pg_rewrite w on w.ev_class = o.oid
    union all
    select 'error', 'row_security', format('row security is on for table %s, or it has policies', o.name),
      format('alter table %s disable row level security; and drop its policies.', o.name)
    from ours o where o.relrowsecurity or exists (select from pg_policy p where p.polrelid = o.oid)
    union all
    select 'error', 'inheritance', format('table %s inherits from %s', i.inhrelid::regclass, i.inhparent::regclass),
      format('alter table %s no inherit %s;', i.inhrelid::regclass, i.inhparent::regclass)
    from pg_inherits i
    where exists (select from ours o where o.oid in (i.inhparent, i.inhrelid))
    union all
    select 'error', 'foreign_key', format('foreign key %s of table %s refers to table %s', k.conname, k.conrelid::regclass, o.name),
      format('alter table %s drop constraint %I; it can make writes of fsmstore fail.', k.conrelid::regclass, k.conname)
    from ours o join pg_constraint k on k.confrelid = o.oid
    where k.contype = 'f' and not exists (select from ours x where x.oid = k.conrelid)
    union all
    select 'error', 'unlogged_table', format('table %s is unlogged: a crash empties it', o.name), format('alter table %s set logged;', o.name)
    from ours o where o.relpersistence <> 'p' and o.name <> 'fsm_internal.turns'
    union all
    select 'warning', 'extra_index', format('index %s makes every transition update it: no update of a session is HOT', x.indexrelid::regclass),
      format('drop index concurrently %s;', x.indexrelid::regclass)
    from pg_index x
    where x.indrelid = 'fsm_internal.sessions'::regclass and not x.indisprimary;
end
$$;
comment on function fsm_internal.doctor_tables() is 'Findings of fsm.doctor: what acts behind the functions'' back because it was put onto a table of ours.';

-- internal/doctor/doctor_vacuum.sql
create function fsm_internal.doctor_vacuum()
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
as $$
begin
  return query
    select 'warning', 'autovacuum', 'autovacuum is off'::text, 'Set autovacuum = on in postgresql.conf and reload.'
    from pg_settings s where s.name = 'autovacuum' and s.setting = 'off'
    union all
    select 'warning', 'autovacuum', format('autovacuum is off for table %s', c.oid::regclass), format('alter table %s reset (autovacuum_enabled);', c.oid::regclass)
    from pg_class c
    cross join lateral pg_options_to_table(c.reloptions) o
    where c.relnamespace = 'fsm_internal'::regnamespace and o.option_name = 'autovacuum_enabled'
      and lower(o.option_value) = any (array['false', 'off', 'no', '0', 'f', 'n'])
    union all
    select 'warning', 'dead_rows', format('table %s.%s has %s dead rows beside %s live ones', t.schemaname, t.relname, t.n_dead_tup, t.n_live_tup),
      format('vacuum %s.%s; if it does not help, a long transaction, a prepared one, a replication slot or a standby holds them.', t.schemaname, t.relname)
    from pg_stat_user_tables t
    where t.schemaname = 'fsm_internal' and t.n_dead_tup > 10000 and t.n_dead_tup > t.n_live_tup
    union all
    select 'warning', 'hot_updates', format('only %s %% of the updates of sessions were HOT', round(100.0 * t.n_tup_hot_upd / t.n_tup_upd)),
      'Look for an index on fsm_internal.sessions besides its key, a fillfactor above 50, contexts over half a page, or long transactions.'
    from pg_stat_user_tables t
    where t.relid = 'fsm_internal.sessions'::regclass and t.n_tup_upd > 1000 and t.n_tup_hot_upd < 0.9 * t.n_tup_upd;
end
$$;
comment on function fsm_internal.doctor_vacuum() is 'Findings of fsm.doctor: dead rows, and what makes too many of them, by the statistics of the server.';

-- functions/machines/check_machine.sql
create function fsm.check_machine(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.check_not_null('p_definition', p_definition);
  return query
    select f.severity, f.code, f.path, f.message from fsm_internal.machine_findings(p_definition) f;
end
$$;
comment on function fsm.check_machine(jsonb) is
  'What fsm.define_machine would say to this definition, without storing it. Rows: severity (error: it would be refused; warning), code (a short stable word), path (a jsonpath into the definition) and message; errors first, then by path. No rows: nothing to say. Raises for no JSON, however wrong. Errors: 22004 null.';

-- functions/machines/define_machine.sql
create function fsm.define_machine(p_definition jsonb)
returns table (machine text, machine_version integer, created boolean, warnings jsonb)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_machine text := fsm_internal.definition_text(p_definition -> 'id');
  v_findings jsonb;
  v_newest record;
begin
  perform fsm_internal.check_not_null('p_definition', p_definition);
  v_findings := fsm_internal.machine_findings_json(p_definition);
  if v_findings @> '[{"severity": "error"}]' then
    perform fsm_internal.refuse('SM002', 'definition invalid',
      jsonb_build_object('machine', v_machine, 'findings', v_findings),
      'Nothing was stored. Correct every finding of severity error; fsm.check_machine gives the same list as rows.');
  end if;
  perform fsm_internal.make_durable();
  -- Before anything is read: of two that define the machine at once, the second sees what the first made.
  perform pg_advisory_xact_lock(hashtextextended('fsm:machine:' || v_machine, 0));
  select v.machine_version as number, v.definition = p_definition as same into v_newest
  from fsm_internal.machine_versions v where v.machine = v_machine
  order by v.machine_version desc limit 1;
  machine := v_machine;
  machine_version := coalesce(v_newest.number, 0) + (v_newest.same is not true)::integer;
  created := v_newest.same is not true;
  if created then
    perform fsm_internal.store_machine(v_machine, machine_version, p_definition);
  end if;
  warnings := v_findings || fsm_internal.live_session_findings(v_machine, machine_version);
  return next;
end
$$;
comment on function fsm.define_machine(jsonb) is
  'Stores a machine definition as the next version of the machine that its "id" names, at once usable, and never changed afterwards. The same as the newest version (as JSON values), retired or not, is not stored again: that version comes back with created false, and stays retired if it is. warnings: the findings of severity warning, and {"code": "live_sessions_in_missing_state", "state", "sessions"} for states of other versions that this one lacks and that sessions are in. Two definers of one machine wait for each other. Errors: 22004 null, SM002 definition invalid (DETAIL: findings, all of them), 40001 another transaction defined the machine meanwhile.';

-- functions/machines/diagram.sql
create function fsm.diagram(
  p_machine text, p_machine_version integer default null, p_format text default 'mermaid', p_session_id text default null)
returns text
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_parts jsonb;
  v_own_version integer;
begin
  perform fsm_internal.check_text('p_machine', p_machine, 512);
  perform fsm_internal.check_not_null('p_format', p_format);
  if p_format not in ('mermaid', 'dot') then
    perform fsm_internal.refuse(fsm_internal.argument_refusal('p_format', 'unknown format',
      jsonb_build_object('value', left(p_format, 200), 'formats', jsonb_build_array('mermaid', 'dot')), 'Give p_format mermaid or dot.'));
  end if;
  if p_session_id is not null then
    perform fsm_internal.check_common_arguments(p_session_id, null, null);
    v_own_version := fsm_internal.version_of_session(p_session_id, p_machine);
  end if;
  v_parts := fsm_internal.diagram_parts(p_machine,
    fsm_internal.chosen_version(p_machine, coalesce(p_machine_version, v_own_version)), p_session_id);
  return case p_format when 'mermaid' then fsm_internal.mermaid_diagram(v_parts) else fsm_internal.dot_diagram(v_parts) end;
end
$$;
comment on function fsm.diagram(text, integer, text, text) is
  'A machine version as the text of a diagram: p_format mermaid (stateDiagram-v2) or dot (Graphviz). Shown are all states, events with their guards (long ones cut), deadlines, and where diverted loops go; what the machine''s own "on" gives every open state starts at a node that stands for all of them. With p_session_id the states that the session was in, the one it is in, and the transitions it made (with how often) are marked, by retained history; a way it went that is no transition of this version, such as a rollback, is drawn too. p_machine_version null: the session''s own version, or without a session the newest that is not retired. Errors: 22004 null p_machine or p_format, 22023 unknown format, a name empty or too long, or the session is of another machine, SM010 unknown session, SM001 no such version, or all are retired.';

-- functions/machines/machine_definition.sql
create function fsm.machine_definition(p_machine text, p_machine_version integer default null)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.check_text('p_machine', p_machine, 512);
  return (
    select v.definition from fsm_internal.machine_versions v
    where v.machine = p_machine and v.machine_version = fsm_internal.chosen_version(p_machine, p_machine_version));
end
$$;
comment on function fsm.machine_definition(text, integer) is
  'The definition of a machine version as it was given to fsm.define_machine, retired or not. p_machine_version null: the newest version that is not retired. Errors: 22004 null name, 22023 name empty or over 512 bytes, SM001 no such version, or all are retired (versions in DETAIL).';

-- functions/machines/retire_machine.sql
create function fsm.retire_machine(p_machine text, p_machine_version integer, p_retired boolean default true)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.check_text('p_machine', p_machine, 512);
  perform fsm_internal.check_not_null('p_machine_version', p_machine_version);
  perform fsm_internal.check_not_null('p_retired', p_retired);
  perform fsm_internal.make_durable();
  update fsm_internal.machine_versions v set retired = p_retired
  where v.machine = p_machine and v.machine_version = p_machine_version and v.retired <> p_retired;
  if found then
    return true;
  end if;
  if not exists (
    select from fsm_internal.machine_versions v where v.machine = p_machine and v.machine_version = p_machine_version) then
    perform fsm_internal.refuse_unknown_machine(p_machine, p_machine_version);
  end if;
  return false;
end
$$;
comment on function fsm.retire_machine(text, integer, boolean) is
  'Retires a machine version: no new sessions start on it, running ones go on. p_retired false brings it back. True: it changed; false: it was so already. Errors: 22004 null, 22023 name empty or over 512 bytes, SM001 no such version.';

-- functions/sessions/allowed_events.sql
create function fsm.allowed_events(p_session_id text)
returns table (event text, to_state text, guard text, allowed boolean, reason text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_session record;
begin
  perform fsm_internal.check_common_arguments(p_session_id, null, null);
  -- The empty object unpacks a context that is stored compressed or out of line: once, not for each guard.
  select s.session_id, s.machine, s.machine_version, s.state, t.is_final, fsm_internal.read_context(s.session_id, s.context) || '{}' as context
  into v_session
  from fsm_internal.sessions s
  left join fsm_internal.machine_states t
    on t.machine = s.machine and t.machine_version = s.machine_version and t.state = s.state
  where s.session_id = p_session_id;
  if v_session.session_id is null then
    perform fsm_internal.refuse_unknown_session(p_session_id);
  end if;
  if v_session.is_final is null then
    perform fsm_internal.refuse_unknown_state(p_session_id, v_session.machine, v_session.machine_version, v_session.state);
  end if;
  return query
    with candidates as (
      select c.*, (c.guard is null or jsonb_path_match(v_session.context, c.guard, '{}', true) is true) as holds
      from fsm_internal.machine_candidates c
      where c.machine = v_session.machine and c.machine_version = v_session.machine_version and c.from_state = v_session.state
    ), ranked as (
      select c.*, min(c.candidate) filter (where c.holds) over (partition by c.event) as taken from candidates c
    )
    select r.event, r.to_state, r.guard_source, v.reason is null,
      coalesce(v.reason, case when r.guard is null then 'no guard' else 'the guard holds' end)
    from ranked r
    cross join lateral (select case
      when not r.holds then 'the guard does not hold'
      when r.candidate > r.taken then format('candidate %s of this event comes first and holds', r.taken)
      else fsm_internal.entry_obstacle(p_session_id, v_session.context, r.machine, r.machine_version, r.from_state, r.event, r.candidate) end) v(reason)
    order by r.event collate "C", r.candidate;
end
$$;
comment on function fsm.allowed_events(text) is
  'Every candidate of every event of the session''s present state, by event name (collate "C"), then in the order tried. allowed: fsm.send_event with this event and no patch would go there now; reason says why or why not (guard, an earlier candidate, a loop that would be blocked or diverted, schema or invariant of the target). No rows: the state is final or has no events. Errors: 22004, 22023, SM010 unknown session, SM060 the stored state is not one of its machine.';

-- functions/sessions/create_session.sql
create function fsm.create_session(
  p_session_id text, p_machine text, p_context jsonb default '{}', p_machine_version integer default null,
  p_request_id uuid default null, p_actor text default null, p_note jsonb default null)
returns table (
  session_id text, machine text, machine_version integer, version bigint, state text, previous_state text, changed_state boolean,
  loop_detected boolean, replayed boolean, is_final boolean, context_version integer, entered_at timestamptz,
  created_at timestamptz, saved_at timestamptz)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_outcome fsm_internal.outcome;
begin
  perform fsm_internal.check_common_arguments(p_session_id, p_actor, p_note);
  perform fsm_internal.check_text('p_machine', p_machine, 512);
  perform fsm_internal.check_not_null('p_context', p_context);
  v_outcome := fsm_internal.create_session(p_session_id, p_machine, p_context, p_machine_version, p_request_id, p_actor, p_note);
  perform fsm_internal.refuse(v_outcome.refusal);
  return query select v_outcome.session_id, v_outcome.machine, v_outcome.machine_version, v_outcome.version, v_outcome.state,
    v_outcome.previous_state, v_outcome.changed_state, v_outcome.loop_detected, v_outcome.replayed, v_outcome.is_final,
    v_outcome.context_version, v_outcome.entered_at, v_outcome.created_at, v_outcome.saved_at;
end
$$;
comment on function fsm.create_session(text, text, jsonb, integer, uuid, text, jsonb) is
  'Creates a session as version 1 in the initial state of its machine. p_machine_version null: the newest not retired. p_request_id: a retry with the same id gives the first answer again (replayed true). p_actor (at most 512 bytes) and p_note (at most 65,536 bytes of text) go to history. Returns one row, the save_result. Errors: 22004, 22023, SM011 exists already, SM001 no such machine or version or it is retired, SM021 context rejected by form, limits, schema or the invariant of the initial state.';

-- functions/sessions/delete_session.sql
create function fsm.delete_session(p_session_id text)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.check_common_arguments(p_session_id, null, null);
  return fsm_internal.delete_session(p_session_id);
end
$$;
comment on function fsm.delete_session(text) is
  'Erases a session for good: its row, its whole history, its turn (held or not), its deadline, and the originals that were imported or quarantined under its id (these also when there is no such session). What is left is one line of kind delete in fsm.changes, with the id, the last version and the last state. Waits for whoever is writing to the session. True: it was there; false: there is no such session. Forks made from it stay. Errors: 22004, 22023.';

-- functions/sessions/diff_session.sql
create function fsm.diff_session(p_session_id text, p_from_version bigint, p_to_version bigint)
returns table (path text, old jsonb, new jsonb)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_from jsonb;
  v_to jsonb;
begin
  perform fsm_internal.check_common_arguments(p_session_id, null, null);
  perform fsm_internal.check_not_null('p_from_version', p_from_version);
  perform fsm_internal.check_not_null('p_to_version', p_to_version);
  perform fsm_internal.check_session_exists(p_session_id);
  v_from := fsm_internal.context_at(p_session_id, p_from_version);
  if v_from is null then
    perform fsm_internal.refuse_version_not_retained(p_session_id, 'p_from_version', p_from_version, fsm_internal.retained_versions(p_session_id));
  end if;
  v_to := fsm_internal.context_at(p_session_id, p_to_version);
  if v_to is null then
    perform fsm_internal.refuse_version_not_retained(p_session_id, 'p_to_version', p_to_version, fsm_internal.retained_versions(p_session_id));
  end if;
  return query select d.path, d.old, d.new from fsm_internal.context_diff(v_from || '{}', v_to || '{}') d;
end
$$;
comment on function fsm.diff_session(text, bigint, bigint) is
  'What is different between the contexts of two versions, in either direction: a row per value, down to where they differ, objects by key and arrays by index, keys in byte order and indexes in that of numbers. path is jsonpath ($.items[0].price); old null: it was not there in p_from_version; new null: it is not there in p_to_version (a JSON null is ''null''). 1 and 1.0 are different. No rows: the same context. Errors: 22004, 22023 session id empty or too long, or a version never made or no longer retained (oldest_version in DETAIL), SM010 unknown session, SM060 history is incomplete.';

-- functions/sessions/fork_session.sql
create function fsm.fork_session(
  p_session_id text, p_version bigint, p_new_session_id text, p_request_id uuid default null, p_actor text default null)
returns table (
  session_id text, machine text, machine_version integer, version bigint, state text, previous_state text, changed_state boolean,
  loop_detected boolean, replayed boolean, is_final boolean, context_version integer, entered_at timestamptz,
  created_at timestamptz, saved_at timestamptz)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_outcome fsm_internal.outcome;
begin
  perform fsm_internal.check_common_arguments(p_session_id, p_actor, null);
  perform fsm_internal.check_not_null('p_version', p_version);
  perform fsm_internal.check_text('p_new_session_id', p_new_session_id, 512);
  v_outcome := fsm_internal.fork_session(p_new_session_id, p_session_id, p_version, p_request_id, p_actor);
  perform fsm_internal.refuse(v_outcome.refusal);
  return query select v_outcome.session_id, v_outcome.machine, v_outcome.machine_version, v_outcome.version, v_outcome.state,
    v_outcome.previous_state, v_outcome.changed_state, v_outcome.loop_detected, v_outcome.replayed, v_outcome.is_final,
    v_outcome.context_version, v_outcome.entered_at, v_outcome.created_at, v_outcome.saved_at;
end
$$;
comment on function fsm.fork_session(text, bigint, text, uuid, text) is
  'Creates session p_new_session_id as a copy of what p_session_id was at a retained version: state, context and machine version. Its history begins with version 1 of kind fork, whose note says {"session_id", "version"} of the source; entered_at and created_at are the time of the fork. The source is read, not locked and not changed. p_request_id: a retry with the same id gives the first answer again (replayed true). Returns one row, the save_result. Errors in the order of checking: 22004, 22023 empty or too long, SM011 p_new_session_id exists already, SM010 no source session, 22023 version never made or no longer retained (oldest_version in DETAIL), SM060 source corrupt, SM001 the machine version of that version is retired and takes no new sessions.';

-- functions/sessions/history.sql
create function fsm.history(p_session_id text, p_limit integer default 100, p_before_version bigint default null)
returns table (
  version bigint, kind text, from_state text, to_state text, event text, actor text, db_user text, note jsonb,
  loop_detected boolean, at timestamptz)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.check_common_arguments(p_session_id, null, null);
  perform fsm_internal.check_limit(p_limit);
  perform fsm_internal.check_session_exists(p_session_id);
  return query
    select h.version, h.kind::text, h.from_state, h.to_state, h.event, h.actor, h.db_user, h.note, h.loop_detected, h.at
    from fsm_internal.history h
    where h.session_id = p_session_id and h.version < coalesce(p_before_version, 9223372036854775807)
    order by h.version desc
    limit p_limit;
end
$$;
comment on function fsm.history(text, integer, bigint) is
  'What happened to a session, newest first, a row per version: kind create, transition, update, rollback, upgrade, import, deadline, divert or fork. p_limit rows (null: all), only versions below p_before_version if given: the next page starts at the last version of the one before. actor is the caller''s claim, db_user the session user who made the call. Errors: 22004, 22023, SM010 unknown session.';

-- functions/sessions/list_sessions.sql
create function fsm.list_sessions(
  p_machine text default null, p_state text default null, p_after_session_id text default null, p_limit integer default 100)
returns table (
  session_id text, machine text, machine_version integer, state text, version bigint, context_version integer,
  is_final boolean, entered_at timestamptz, created_at timestamptz, updated_at timestamptz)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.refuse(coalesce(
    case when p_machine is not null then fsm_internal.text_refusal('p_machine', p_machine, 512) end,
    case when p_state is not null then fsm_internal.text_refusal('p_state', p_state, 128) end,
    fsm_internal.at_most_refusal('p_after_session_id', octet_length(p_after_session_id), 512, 'bytes')));
  perform fsm_internal.check_limit(p_limit);
  return query
    select s.session_id, s.machine, s.machine_version, s.state, s.version, t.context_version, t.is_final,
      s.entered_at, s.created_at, s.updated_at
    from fsm_internal.sessions s
    left join fsm_internal.machine_states t
      on t.machine = s.machine and t.machine_version = s.machine_version and t.state = s.state
    where s.session_id > coalesce(p_after_session_id, '') collate "C"
      and (p_machine is null or s.machine = p_machine) and (p_state is null or s.state = p_state)
    order by s.session_id
    limit p_limit;
end
$$;
comment on function fsm.list_sessions(text, text, text, integer) is
  'Sessions without their contexts, by session_id (byte order): those of a machine, in a state, of both, or all where null. p_limit rows (null: all); only ids after p_after_session_id if given, so the next page starts at the last id of the one before. An unknown machine or state has no rows. A session in a state that its machine version lacks is listed too, with context_version and is_final null: loading it is SM060. Errors: 22023 p_limit below 1, a name empty or too long.';

-- functions/sessions/load_context.sql
create function fsm.load_context(p_session_id text, p_paths text[])
returns table (path text, value jsonb, version bigint)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_context jsonb;
  v_version bigint;
begin
  perform fsm_internal.check_common_arguments(p_session_id, null, null);
  perform fsm_internal.check_paths('p_paths', p_paths);
  select fsm_internal.read_context(s.session_id, s.context) || '{}', s.version into v_context, v_version
  from fsm_internal.sessions s where s.session_id = p_session_id;
  -- As one array first: rows straight from jsonb_path_query would cost the square of their number before PostgreSQL 17.
  return query
    select w.path, i.item, v_version
    from unnest(p_paths) with ordinality w (path, nth)
    cross join lateral jsonb_array_elements(jsonb_path_query_array(v_context, w.path::jsonpath, '{}', true)) with ordinality i (item, nth)
    order by w.nth, i.nth;
end
$$;
comment on function fsm.load_context(text, text[]) is
  'Part of a large context: one row per item that a jsonpath matches, in the order of the paths and of the items, with the version that all of them are of. A path that matches nothing, or fails on the data, gives no row; neither does an unknown session. A path may use what a guard may: no variables, no date and time methods, no .**. At most 1,000 paths. Errors: 22004 null argument or path, 22023 too many paths, or one that is no jsonpath or not allowed (argument, path, nth and problem in DETAIL).';

-- functions/sessions/load_session.sql
create function fsm.load_session(
  p_session_id text, p_known_version bigint default null, p_known_updated_at timestamptz default null)
returns table (
  session_id text, machine text, machine_version integer, state text, version bigint, context jsonb, context_version integer,
  is_final boolean, entered_at timestamptz, created_at timestamptz, updated_at timestamptz, unchanged boolean)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.check_common_arguments(p_session_id, null, null);
  return query
    select r.session_id, r.machine, r.machine_version, r.state, r.version,
      case when r.version = p_known_version and r.updated_at = p_known_updated_at then null
        else fsm_internal.read_context(r.session_id, r.context) end,
      t.context_version,
      coalesce(t.is_final, fsm_internal.refuse_unknown_state(r.session_id, r.machine, r.machine_version, r.state)),
      r.entered_at, r.created_at, r.updated_at,
      (r.version = p_known_version and r.updated_at = p_known_updated_at) is true
    from fsm_internal.sessions r
    left join fsm_internal.machine_states t
      on t.machine = r.machine and t.machine_version = r.machine_version and t.state = r.state
    where r.session_id = p_session_id;
end
$$;
comment on function fsm.load_session(text, bigint, timestamptz) is
  'The session as last committed: one session_row, or no row if there is none. When p_known_version and p_known_updated_at are both given and both match, unchanged is true and context is null: whoever holds that version need not be sent it again. Errors: 22004, 22023, SM060 the stored state is not one of its machine.';

-- functions/sessions/load_session_at.sql
create function fsm.load_session_at(p_session_id text, p_version bigint)
returns table (
  session_id text, machine text, machine_version integer, state text, version bigint, context jsonb, context_version integer,
  is_final boolean, entered_at timestamptz, created_at timestamptz, updated_at timestamptz)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.check_common_arguments(p_session_id, null, null);
  perform fsm_internal.check_not_null('p_version', p_version);
  return query select a.* from fsm_internal.session_at(p_session_id, p_version) a;
end
$$;
comment on function fsm.load_session_at(text, bigint) is
  'The session as it was when that version was saved: state, context, machine version and times exactly, updated_at being the time of that save. One session_row, or none when the session or the version does not exist or is no longer retained. Errors: 22004, 22023, SM060 history is incomplete.';

-- functions/sessions/load_sessions.sql
create function fsm.load_sessions(p_session_ids text[])
returns table (
  session_id text, machine text, machine_version integer, state text, version bigint, context jsonb, context_version integer,
  is_final boolean, entered_at timestamptz, created_at timestamptz, updated_at timestamptz)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.check_not_null('p_session_ids', p_session_ids);
  perform fsm_internal.check_at_most('p_session_ids', cardinality(p_session_ids), 1000, 'items');
  return query
    select r.session_id, r.machine, r.machine_version, r.state, r.version, fsm_internal.read_context(r.session_id, r.context),
      t.context_version,
      coalesce(t.is_final, fsm_internal.refuse_unknown_state(r.session_id, r.machine, r.machine_version, r.state)),
      r.entered_at, r.created_at, r.updated_at
    from (select a.id, min(a.nth) as nth from unnest(p_session_ids) with ordinality a(id, nth) group by a.id) wanted
    join fsm_internal.sessions r on r.session_id = wanted.id
    left join fsm_internal.machine_states t
      on t.machine = r.machine and t.machine_version = r.machine_version and t.state = r.state
    order by wanted.nth;
end
$$;
comment on function fsm.load_sessions(text[]) is
  'Several sessions in one snapshot: one session_row per distinct existing id, in order of first appearance; nulls and unknown ids give no row. At most 1,000 ids. Errors: 22004, 22023, SM060 one of them is corrupt: its id is in DETAIL, leave it out to load the others.';

-- functions/sessions/rollback_session.sql
create function fsm.rollback_session(
  p_session_id text, p_to_version bigint, p_expected_version bigint, p_reason text default null,
  p_request_id uuid default null, p_turn bigint default null, p_actor text default null)
returns table (
  session_id text, machine text, machine_version integer, version bigint, state text, previous_state text, changed_state boolean,
  loop_detected boolean, replayed boolean, is_final boolean, context_version integer, entered_at timestamptz,
  created_at timestamptz, saved_at timestamptz, context jsonb)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_outcome fsm_internal.outcome;
begin
  perform fsm_internal.check_common_arguments(p_session_id, p_actor, null);
  perform fsm_internal.check_not_null('p_to_version', p_to_version);
  perform fsm_internal.check_at_most('p_reason', octet_length(p_reason), 4096, 'bytes');
  v_outcome := fsm_internal.rollback_session(p_session_id, p_to_version, p_expected_version, p_reason, p_request_id, p_turn, p_actor);
  perform fsm_internal.refuse(v_outcome.refusal);
  return query select v_outcome.session_id, v_outcome.machine, v_outcome.machine_version, v_outcome.version, v_outcome.state,
    v_outcome.previous_state, v_outcome.changed_state, v_outcome.loop_detected, v_outcome.replayed, v_outcome.is_final,
    v_outcome.context_version, v_outcome.entered_at, v_outcome.created_at, v_outcome.saved_at, v_outcome.context;
end
$$;
comment on function fsm.rollback_session(text, bigint, bigint, text, uuid, bigint, text) is
  'Brings back state and context of a retained version, as a new version of kind rollback on the present machine version; nothing is taken out of history, and its note says {"to_version", "reason"} (p_reason at most 4,096 bytes). Schema, size and the state''s invariants are checked as in a save, edges, guards and loops are not; a session in a final state is open again if that version was. p_expected_version null: whatever is stored. p_request_id: a retry with the same id gives the first answer again (replayed true). Returns one row, the save_result and the context as saved (replayed: null if no longer retained). Errors in the order of checking: 22004, 22023 empty or too long, SM010 unknown session, SM050 turn held by another, SM051 turn token stale, SM030 version conflict, 22023 version never made or no longer retained (oldest_version in DETAIL), SM060 history incomplete, SM020 the present machine version has no such state, SM021 size, schema or invariant; 40001 under REPEATABLE READ and SERIALIZABLE.';

-- functions/sessions/save_session.sql
create function fsm.save_session(
  p_session_id text, p_state text, p_context jsonb, p_expected_version bigint, p_event text default null,
  p_request_id uuid default null, p_turn bigint default null, p_actor text default null, p_note jsonb default null)
returns table (
  session_id text, machine text, machine_version integer, version bigint, state text, previous_state text, changed_state boolean,
  loop_detected boolean, replayed boolean, is_final boolean, context_version integer, entered_at timestamptz,
  created_at timestamptz, saved_at timestamptz)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_outcome fsm_internal.outcome;
begin
  if not (fsm_internal.is_name(p_session_id, 512) and fsm_internal.is_name(p_state, 128)
    and coalesce(p_event, p_actor) is null and p_note is null and p_context is not null)
  then
    perform fsm_internal.check_common_arguments(p_session_id, p_actor, p_note);
    perform fsm_internal.check_text('p_state', p_state, 128);
    perform fsm_internal.check_text('p_event', coalesce(p_event, p_state), 128);
    perform fsm_internal.check_not_null('p_context', p_context);
  end if;
  v_outcome := fsm_internal.save_session(
    p_session_id, p_state, p_context, p_expected_version, p_event, p_request_id, p_turn, p_actor, p_note);
  if v_outcome.refusal is not null then
    perform fsm_internal.refuse(v_outcome.refusal);
  end if;
  -- Assigned one by one, because RETURN QUERY would run a query.
  session_id := v_outcome.session_id; machine := v_outcome.machine; machine_version := v_outcome.machine_version;
  version := v_outcome.version; state := v_outcome.state; previous_state := v_outcome.previous_state;
  changed_state := v_outcome.changed_state; loop_detected := v_outcome.loop_detected; replayed := v_outcome.replayed;
  is_final := v_outcome.is_final; context_version := v_outcome.context_version; entered_at := v_outcome.entered_at;
  created_at := v_outcome.created_at; saved_at := v_outcome.saved_at;
  return next;
end
$$;
comment on function fsm.save_session(text, text, jsonb, bigint, text, uuid, bigint, text, jsonb) is
  'Saves state and whole context as the next version, all or nothing, under the session''s lock. Another state is legal when an event leads there with this context (p_event given: that event; null: the first by name is recorded); the same state is an update, or a self-transition when p_event names one. p_expected_version null: whatever is stored. A p_request_id that this session has committed gives the first answer again (replayed true). Returns one row, the save_result; loop_detected tells of a loop, state may be the divert state. Errors in the order of checking: 22004, 22023, SM010 unknown session, SM050 turn held by another, SM051 turn token stale, SM030 version conflict, SM012 final state, SM021 form, size or limits, SM020 no such transition, SM022 guard, SM040 loop blocked, SM021 schema or invariant; 40001 under REPEATABLE READ and SERIALIZABLE.';

-- functions/sessions/save_sessions.sql
create function fsm.save_sessions(p_items jsonb, p_atomic boolean default true)
returns table (
  ordinal integer, session_id text, ok boolean, sqlstate text, message text, detail jsonb, version bigint, state text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_value jsonb;
  v_item fsm_internal.batch_item;
  v_outcome fsm_internal.outcome;
begin
  perform fsm_internal.check_batch(p_items);
  perform fsm_internal.check_not_null('p_atomic', p_atomic);
  -- All locks before the first item: their order must not follow the items.
  perform fsm_internal.lock_sessions(array(select fsm_internal.batch_session_id(i.value) from jsonb_array_elements(p_items) i));
  for v_value, ordinal in select i.value, i.nth from jsonb_array_elements(p_items) with ordinality i (value, nth) order by i.nth loop
    v_item := fsm_internal.batch_item(v_value);
    if not p_atomic and v_item.refusal is null then
      v_item.refusal := fsm_internal.ahead_refusal(v_item.session_id);
    end if;
    if v_item.refusal is not null then
      v_outcome := fsm_internal.refused(v_item.refusal);
    else
      v_outcome := fsm_internal.save_session(v_item.session_id, v_item.state, v_item.context, v_item.expected_version, v_item.event,
        v_item.request_id, v_item.turn, v_item.actor, v_item.note);
    end if;
    if v_outcome.refusal is not null then
      v_outcome.refusal := jsonb_set(v_outcome.refusal, '{detail,ordinal}', to_jsonb(ordinal));
      if p_atomic then
        perform fsm_internal.refuse(v_outcome.refusal);
      end if;
      perform fsm_internal.log_refusal(v_outcome.refusal);
    end if;
    session_id := v_item.session_id; ok := v_outcome.refusal is null; sqlstate := v_outcome.refusal ->> 'sqlstate';
    message := v_outcome.refusal ->> 'message'; detail := v_outcome.refusal -> 'detail'; version := v_outcome.version; state := v_outcome.state;
    return next;
  end loop;
end
$$;
comment on function fsm.save_sessions(jsonb, boolean) is
  'Saves up to 1,000 sessions in one call. p_items is an array of objects with the arguments of fsm.save_session by name, without p_: session_id, state, context, and as wanted expected_version, event, request_id, turn, actor, note (missing is null). All locks are taken first, in one order for every caller, so batches never deadlock with each other. Items apply in their order; those of one session each on the result of the one before. p_atomic true: all or nothing, the first refusal is raised with its own SQLSTATE and with ordinal (from 1) in DETAIL. p_atomic false: each refusal is a row, and the others are saved. Returns a row per item, in their order: ok, then version and state as saved, or else sqlstate, message and detail. Errors: 22004, 22023 p_items is no array or has over 1,000 items; atomic: whatever fsm.save_session raises, 22023 for an item with an unknown key or a value of the wrong type, SM021 for one that is no object; 40001 under REPEATABLE READ and SERIALIZABLE.';

-- functions/sessions/send_event.sql
create function fsm.send_event(
  p_session_id text, p_event text, p_patch jsonb default '{}', p_expected_version bigint default null,
  p_request_id uuid default null, p_turn bigint default null, p_actor text default null, p_note jsonb default null,
  p_append jsonb default '{}')
returns table (
  session_id text, machine text, machine_version integer, version bigint, state text, previous_state text, changed_state boolean,
  loop_detected boolean, replayed boolean, is_final boolean, context_version integer, entered_at timestamptz,
  created_at timestamptz, saved_at timestamptz, context jsonb)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_outcome fsm_internal.outcome;
begin
  perform fsm_internal.check_common_arguments(p_session_id, p_actor, p_note);
  perform fsm_internal.check_text('p_event', p_event, 128);
  v_outcome := fsm_internal.send_event(p_session_id, p_event, coalesce(p_patch, '{}'), p_expected_version, p_request_id, p_turn, p_actor, p_note,
    coalesce(p_append, '{}'));
  perform fsm_internal.refuse(v_outcome.refusal);
  return query select v_outcome.session_id, v_outcome.machine, v_outcome.machine_version, v_outcome.version, v_outcome.state,
    v_outcome.previous_state, v_outcome.changed_state, v_outcome.loop_detected, v_outcome.replayed, v_outcome.is_final,
    v_outcome.context_version, v_outcome.entered_at, v_outcome.created_at, v_outcome.saved_at, v_outcome.context;
end
$$;
comment on function fsm.send_event(text, text, jsonb, bigint, uuid, bigint, text, jsonb, jsonb) is
  'Sends an event: the machine picks the target, by the first candidate whose guard holds for the context after p_patch (RFC 7396 merge patch: null removes a key) and p_append ({"key": [elements]}: added to the end of a top-level array, made if missing). Null p_patch or p_append is {}. Returns one row, the save_result and the context as saved (replayed: that of the version then made, null if no longer retained). Errors in the order of checking: 22004, 22023, SM010 unknown session, SM050 turn held by another, SM051 turn token stale, SM030 version conflict, SM012 final state, SM021 form of patch or append, size or limits, SM020 event unknown here, SM022 no guard holds, SM040 loop blocked, SM021 schema or invariant; 40001 under REPEATABLE READ and SERIALIZABLE.';

-- functions/sessions/session_as_of.sql
create function fsm.session_as_of(p_session_id text, p_at timestamptz)
returns table (
  session_id text, machine text, machine_version integer, state text, version bigint, context jsonb, context_version integer,
  is_final boolean, entered_at timestamptz, created_at timestamptz, updated_at timestamptz)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.check_common_arguments(p_session_id, null, null);
  perform fsm_internal.check_not_null('p_at', p_at);
  return query select a.* from fsm_internal.session_at(p_session_id, (
    select h.version from fsm_internal.history h
    join fsm_internal.sessions s on s.session_id = h.session_id and h.version <= s.version
    where h.session_id = p_session_id and h.at <= p_at
    order by h.version desc limit 1)) a;
end
$$;
comment on function fsm.session_as_of(text, timestamptz) is
  'The session as it was at a moment: the newest version saved at or before p_at, exactly as fsm.load_session_at gives it. One session_row, or none when the session does not exist, did not exist then, or that far back nothing is retained. Errors: 22004, 22023, SM060 history is incomplete.';

-- functions/sessions/update_context.sql
create function fsm.update_context(
  p_session_id text, p_patch jsonb default '{}', p_append jsonb default '{}', p_expected_version bigint default null,
  p_request_id uuid default null, p_turn bigint default null, p_actor text default null, p_note jsonb default null)
returns table (
  session_id text, machine text, machine_version integer, version bigint, state text, previous_state text, changed_state boolean,
  loop_detected boolean, replayed boolean, is_final boolean, context_version integer, entered_at timestamptz,
  created_at timestamptz, saved_at timestamptz)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_outcome fsm_internal.outcome;
begin
  perform fsm_internal.check_common_arguments(p_session_id, p_actor, p_note);
  v_outcome := fsm_internal.update_context(p_session_id, coalesce(p_patch, '{}'), coalesce(p_append, '{}'), p_expected_version, p_request_id,
    p_turn, p_actor, p_note);
  perform fsm_internal.refuse(v_outcome.refusal);
  return query select v_outcome.session_id, v_outcome.machine, v_outcome.machine_version, v_outcome.version, v_outcome.state,
    v_outcome.previous_state, v_outcome.changed_state, v_outcome.loop_detected, v_outcome.replayed, v_outcome.is_final,
    v_outcome.context_version, v_outcome.entered_at, v_outcome.created_at, v_outcome.saved_at;
end
$$;
comment on function fsm.update_context(text, jsonb, jsonb, bigint, uuid, bigint, text, jsonb) is
  'Changes the context alone, without a transition: p_patch (RFC 7396 merge patch), then p_append ({"key": [elements]}), so that a message costs a message and not the whole conversation. Null p_patch or p_append is {}. Returns one row, the save_result. Errors in the order of checking: 22004, 22023, SM010 unknown session, SM050 turn held by another, SM051 turn token stale, SM030 version conflict, SM012 final state, SM021 form of patch or append, size, limits, schema or invariant; 40001 under REPEATABLE READ and SERIALIZABLE.';

-- functions/sessions/validate_context.sql
create function fsm.validate_context(
  p_machine text, p_state text, p_context jsonb, p_machine_version integer default null)
returns table (code text, path text, message text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_version integer;
begin
  perform fsm_internal.check_text('p_machine', p_machine, 512);
  perform fsm_internal.check_text('p_state', p_state, 128);
  perform fsm_internal.check_not_null('p_context', p_context);
  v_version := fsm_internal.chosen_version(p_machine, p_machine_version);
  return query select f.code, f.path, f.message from fsm_internal.context_findings(p_machine, v_version, p_state, p_context) f;
end
$$;
comment on function fsm.validate_context(text, text, jsonb, integer) is
  'Whether a session of this machine could be saved in this state with this context; nothing is stored. One row per finding, with a code (a slug), the path in the context as jsonpath, and a sentence; no rows: valid. p_machine_version null: the newest not retired. Errors: 22004, 22023, SM001 no such machine or version.';

-- functions/loops/detect_loop.sql
create function fsm.detect_loop(p_session_id text)
returns table (
  from_state text, to_state text, occurrences integer, loop_limit integer, loop_window interval,
  first_at timestamptz, last_at timestamptz)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.check_common_arguments(p_session_id, null, null);
  perform fsm_internal.check_session_exists(p_session_id);
  return query select l.* from fsm_internal.loops_of(p_session_id, fsm_internal.clock()) l;
end
$$;
comment on function fsm.detect_loop(text) is
  'The transitions (from_state, to_state) that this session has made more often than their limit within their window before now, by committed history. No rows: no loop. loop_limit and loop_window are those of the candidate that the newest passage took. Errors: 22004, 22023, SM010 unknown session.';

-- functions/loops/looping_sessions.sql
create function fsm.looping_sessions(p_limit integer default 100)
returns table (
  session_id text, from_state text, to_state text, occurrences integer, loop_limit integer, loop_window interval,
  first_at timestamptz, last_at timestamptz)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := fsm_internal.clock();
begin
  perform fsm_internal.check_limit(p_limit);
  return query
    select s.session_id, l.*
    from (
      -- Nobody else can be in a loop now: a passage is a write.
      select w.session_id
      from fsm_internal.sessions w
      join fsm_internal.loop_windows() m on m.machine = w.machine
      where w.updated_at >= v_now - m.longest and w.version > m.smallest_limit
      order by w.updated_at desc, w.session_id) s
    cross join lateral fsm_internal.loops_of(s.session_id, v_now) l
    limit p_limit;
end
$$;
comment on function fsm.looping_sessions(integer) is
  'What fsm.detect_loop reports, for all sessions: those written last come first, the newest loop of each first; p_limit rows (null: all). Looks at the history only of sessions that were written within the longest loop window of their machine. Errors: 22023 p_limit below 1.';

-- functions/turns/begin_turn.sql
create function fsm.begin_turn(
  p_session_id text, p_holder text, p_ttl interval default '60 seconds', p_request_id uuid default null)
returns table (
  turn bigint, expires_at timestamptz,
  session_id text, machine text, machine_version integer, state text, version bigint, context jsonb, context_version integer,
  is_final boolean, entered_at timestamptz, created_at timestamptz, updated_at timestamptz)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_begun fsm_internal.turns;
begin
  perform fsm_internal.check_common_arguments(p_session_id, null, null);
  perform fsm_internal.check_text('p_holder', p_holder, 512);
  v_begun := fsm_internal.begin_turn(p_session_id, p_holder, fsm_internal.seconds_of('p_ttl', p_ttl, 3600, p_above_zero => true), p_request_id);
  return query
    select v_begun.turn, nullif(v_begun.expires_at, '-infinity'), s.session_id, s.machine, s.machine_version, s.state, s.version, s.context, s.context_version,
      s.is_final, s.entered_at, s.created_at, s.updated_at
    from fsm.load_session(p_session_id) s;
end
$$;
comment on function fsm.begin_turn(text, text, interval, uuid) is
  'Begins a turn: until it is ended or expires, only writes that give its token as p_turn are taken, in any transaction and any process, so that one worker can spend a minute on a reply. p_holder (1 to 512 bytes) says who, for people; p_ttl is above 0 and at most 1 hour, by the clock of the database. The token (turn) rises per session, also across delete and re-creation, so that a late holder is told from the present one. p_request_id: asked again before another turn is begun, the same turn comes back as it now is, also if it has expired or was ended (expires_at is null once it was ended). A crash of the server ends all turns; the tokens go on rising. Returns one row: turn, expires_at, and the session_row as it is now. Errors: 22004, 22023, SM010 unknown session, SM050 turn held by another (holder and expires_at in DETAIL), SM060 the stored state is not one of its machine; 40001 under REPEATABLE READ and SERIALIZABLE.';

-- functions/turns/end_turn.sql
create function fsm.end_turn(p_session_id text, p_turn bigint)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.check_common_arguments(p_session_id, null, null);
  perform fsm_internal.check_not_null('p_turn', p_turn);
  return fsm_internal.end_turn(p_session_id, p_turn);
end
$$;
comment on function fsm.end_turn(text, bigint) is
  'Ends a turn, so that others may write at once. True: it was held; false: the token is stale (ended, expired, taken over, or void after a crash) and nothing changed. Errors: 22004, 22023, SM010 unknown session; 40001 under REPEATABLE READ and SERIALIZABLE.';

-- functions/turns/extend_turn.sql
create function fsm.extend_turn(p_session_id text, p_turn bigint, p_ttl interval)
returns timestamptz
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.check_common_arguments(p_session_id, null, null);
  perform fsm_internal.check_not_null('p_turn', p_turn);
  return fsm_internal.extend_turn(p_session_id, p_turn, fsm_internal.seconds_of('p_ttl', p_ttl, 3600, p_above_zero => true));
end
$$;
comment on function fsm.extend_turn(text, bigint, interval) is
  'Lets a held turn expire p_ttl from now (above 0, at most 1 hour), and returns when that is. Errors: 22004, 22023, SM010 unknown session, SM051 the token is not that of a turn that is held: ended, expired, taken over, or void after a crash; 40001 under REPEATABLE READ and SERIALIZABLE.';

-- functions/turns/fire_deadlines.sql
create function fsm.fire_deadlines(p_limit integer default 100)
returns table (session_id text, from_state text, to_state text, version bigint, sqlstate text, message text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_candidate record;
  v_due text;
  v_locked text[] := '{}'::text[];
  v_left integer := least(p_limit, 1000);
  v_wanted integer := v_left;
  v_fired record;
  v_now timestamptz := fsm_internal.clock();
begin
  perform fsm_internal.check_limit(p_limit);
  perform fsm_internal.make_durable();
  -- All locks before the first write: what others commit between it and a later lock would stand behind ours in fsm.changes.
  for v_candidate in
    select d.session_id, (
        select fsm_internal.next_deadline(s.machine, s.machine_version, s.state, s.entered_at,
          case when d.fired_entered_at = s.entered_at then d.fired_ms end) <= v_now
        from fsm_internal.sessions s where s.session_id = d.session_id) is true as looks_due
    from fsm_internal.deadlines d where d.wake_at <= v_now order by d.wake_at
  loop
    -- Whoever holds the lock is at work on the session: the next call finds what then is.
    continue when not fsm_internal.try_lock_session(v_candidate.session_id);
    v_locked := v_locked || v_candidate.session_id;
    -- What is only to be looked at does not count. Each look is a lock to the end of the transaction.
    v_wanted := v_wanted - v_candidate.looks_due::integer;
    exit when v_wanted = 0 or cardinality(v_locked) = 1000;
  end loop;
  foreach v_due in array v_locked loop
    for v_fired in select * from fsm_internal.fire_deadline(v_due) loop
      session_id := v_due; from_state := v_fired.from_state; to_state := v_fired.to_state; version := v_fired.version;
      sqlstate := v_fired.refusal ->> 'sqlstate'; message := v_fired.refusal ->> 'message';
      v_left := v_left - 1;
      return next;
    end loop;
    exit when v_left = 0;
  end loop;
end
$$;
comment on function fsm.fire_deadlines(integer) is
  'Takes deadlines ("after" of a state) that are due, those first that were to be looked at first, for at most p_limit sessions (null or above 1,000: 1,000 in one call); call it again while it returns rows. Any number of callers at once: each deadline is taken once, and a session that somebody is writing to is left for the next call. A row per session: version is the version that the deadline made, or null when it was refused, and then sqlstate and message say why (SM050 turn held, SM021 the target refuses the context, SM040 loop blocked, SM060 corrupt); a refused one is tried again after 30 seconds, then after twice as long each time up to an hour, at the end of the turn, or when the session is saved. A deadline is cancelled when the session leaves the state first. Errors: 22023 p_limit below 1; 40001 under REPEATABLE READ and SERIALIZABLE.';

-- functions/operations/audit_head.sql
create function fsm.audit_head(p_session_id text, p_version bigint default null)
returns table (version bigint, hash text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.check_common_arguments(p_session_id, null, null);
  perform fsm_internal.check_session_exists(p_session_id);
  return query
    select s.version, encode(h.chain_hash, 'hex')
    from (
      select coalesce(p_version, o.version) as version from fsm_internal.sessions o where o.session_id = p_session_id) s
    left join fsm_internal.history h on h.session_id = p_session_id and h.version = s.version
    where p_version is null or h.version is not null;
end
$$;
comment on function fsm.audit_head(text, bigint) is
  'A version of a session (p_version null: the present one) and its hash, 64 hexadecimal digits, which covers every version before it; null when the machine keeps no audit chain. Keep version and hash outside: as long as that version is retained, the same question must give the same hash, and fsm.verify_sessions must find nothing; otherwise something up to that version was changed. No row: that version was never made or is no longer retained. Errors: 22004, 22023, SM010 unknown session.';

-- functions/operations/changes.sql
create function fsm.changes(p_after text default null, p_limit integer default 1000)
returns table (
  cursor text, session_id text, version bigint, kind text, from_state text, to_state text, event text, at timestamptz)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_after record;
  v_last bigint := fsm_internal.feed_horizon() - 1;
begin
  perform fsm_internal.check_limit(p_limit);
  select * into v_after from fsm_internal.feed_cursor(p_after);
  if p_limit is not null then
    -- The position that a page cannot go beyond, so that what is sorted is a page and not the rest of history.
    v_last := coalesce((
      select h.feed_position from fsm_internal.history h
      where h.feed_position > v_after.feed_position and h.feed_position <= v_last
      order by h.feed_position offset p_limit - 1 limit 1), v_last);
  end if;
  return query
    select fsm_internal.feed_cursor_text(c.feed_position, c.at, c.session_id),
      c.session_id, c.version, c.kind, c.from_state, c.to_state, c.event, c.at
    from (
      select h.feed_position, h.at, h.session_id, h.version, h.kind::text as kind, h.from_state, h.to_state, h.event
      from fsm_internal.history h
      where h.feed_position between v_after.feed_position and v_last
      union all
      select d.feed_position, d.at, d.session_id, d.version, 'delete', d.state, null, null
      from fsm_internal.deleted_sessions d
      where d.feed_position between v_after.feed_position and v_last
    ) c
    where (c.feed_position, c.at, c.session_id) > (v_after.feed_position, v_after.at, v_after.session_id)
    order by c.feed_position, c.at, c.session_id
    limit p_limit;
end
$$;
comment on function fsm.changes(text, integer) is
  'Every write of every session, in an order in which nothing is ever inserted before what was already shown: pass the cursor of the last row you have dealt with as p_after, and you miss nothing and see nothing twice. p_after null: from the oldest retained. Writes are ordered by the id of their transaction, and shown once every transaction with a lower id has ended: so the oldest transaction that is still running and has written anything in this cluster delays the feed (fsm.doctor tells of long ones), and no commit is skipped however late it comes. Rows are those of history, and a line of kind delete for an erased session (its last version, from_state its last state, the rest null); history that was trimmed, or erased with its session, is not shown. A cursor is text to be kept and handed back as it is; it stays valid across restores with fsm.new_feed_epoch. No rows: nothing new. p_limit null: all. Errors: 22023 p_limit below 1, or p_after is no cursor; 55000 this is a copy restored into another cluster: call fsm.new_feed_epoch once.';

-- functions/operations/doctor.sql
create function fsm.doctor()
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  -- If not, one of the checks before says why.
  v_may_look boolean := not exists (
    select from pg_class c
    where c.relnamespace = 'fsm_internal'::regnamespace and c.relkind = 'r' and not has_table_privilege(c.oid, 'select'));
begin
  return query
    select f.severity, f.check_name, f.message, f.hint
    from (
      select * from fsm_internal.doctor_settings()
      union all select * from fsm_internal.doctor_logins()
      union all select * from fsm_internal.doctor_roles()
      union all select * from fsm_internal.doctor_grants()
      union all select * from fsm_internal.doctor_definers()
      union all select * from fsm_internal.doctor_tables()
      union all select * from fsm_internal.doctor_installed() where v_may_look
      union all select * from fsm_internal.doctor_feed() where v_may_look
      union all select * from fsm_internal.doctor_locks()
      union all select * from fsm_internal.doctor_vacuum()
      union all select * from fsm_internal.doctor_retention() where v_may_look
      union all select * from fsm_internal.doctor_sessions() where v_may_look
      union all select * from fsm_internal.doctor_deadlines() where v_may_look) f
    order by array_position(array['error', 'warning', 'info'], f.severity), f.check_name collate "C", f.message collate "C";
end
$$;
comment on function fsm.doctor() is
  'What is wrong or risky with this installation: one row per finding, errors first; no rows: nothing to say. hint says what to do. Each check takes a bounded look, so it may be called every minute, on a hot standby too.
error: server_version below 14; fsync or full_page_writes off; role (a role of fsmstore can log in, or is more than a plain role); grant (somebody may call, read or make what db/grants.sql does not give); definer (an API function without security definer or pinned search_path); function (one that is not as it was installed, is gone, or is none of ours); relation (a view, index, constraint or column of ours that is gone or was changed); owner (an object of ours belongs to somebody else, or fsm_owner may not read it: then what the tables hold is not looked at); trigger, rule, row_security, inheritance or foreign_key put onto our tables; unlogged_table; feed_epoch (a copy restored into another cluster); unknown_state (sessions in states that their machine version lacks).
warning: synchronous_commit, default_transaction_isolation, track_counts, autovacuum; login_settings (a login of fsm_app or fsm_admin without the settings of db/recommended_settings.sql); public_connect; owner_member; feed_timeline (a server that took over, or was recovered to a point in time); extra_index; prepared_transaction (older than 10 minutes); lock_wait (longer than 10 seconds for a session''s lock); dead_rows; hot_updates; history_size (over 10 GiB and nothing trimmed for 30 days); deadlines_overdue (by more than 5 minutes); deadlines_refused (5 times and more).
info: stuck_sessions (open and not written for 30 days). Stuck sessions and unknown states are looked for in about 2,000 pages of the table.
Errors: none.';

-- functions/operations/metrics.sql
create function fsm.metrics()
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_at timestamptz := fsm_internal.clock();
begin
  return jsonb_build_object('release', fsm.schema_release(), 'at', v_at, 'sessions', fsm_internal.session_metrics(),
      'machines', fsm_internal.machine_metrics(), 'deadlines', fsm_internal.deadline_metrics(v_at),
      'turns', fsm_internal.turn_metrics(), 'bytes', fsm_internal.size_metrics())
    || fsm_internal.recent_metrics(v_at);
end
$$;
comment on function fsm.metrics() is
  'Numbers for monitoring, as one object:
release: of the schema. at: when it was asked.
sessions: {total, final, by_state: [{machine, machine_version, state, sessions}]}; reads every session''s row.
machines: {names, versions, retired}: names of machines, their versions, and how many of these are retired.
recent: {seconds, writes, loops, since, capped}: the writes of the last 300 seconds that the next two keys are made of, and how many of them closed a loop; at most the newest 100,000 writes are looked at, and capped is true when that did not reach back to the 300 seconds: since is then the time of the oldest one seen.
transitions: [{machine, from_state, to_state, event, transitions}] among the recent writes, event null for a deadline; the most frequent first.
rates: {minute, five_minutes}, each {kind: writes per second} by kind of history (create, transition, update ...) over 60 and 300 seconds, or over the time since "since" when capped.
deadlines: {waiting, overdue, oldest_overdue_seconds, refused}: sessions with a deadline to come or to be looked at, those whose deadline has passed unfired (at most 10,000 counted), by how much the oldest has (null: none), and those whose deadline was tried and refused.
turns: {held}, or null on a hot standby, which has none.
bytes: {sessions, history, indexes, total}: the two tables without their indexes, the indexes of all tables, and everything.
Errors: none.';

-- functions/operations/new_feed_epoch.sql
create function fsm.new_feed_epoch()
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_epoch integer;
  v_base bigint;
begin
  perform fsm_internal.make_durable();
  -- Waits for every writer, and keeps new ones out until the new base is in force.
  lock table fsm_internal.history, fsm_internal.deleted_sessions in access exclusive mode;
  insert into fsm_internal.feed_epochs (epoch, base, system_identifier, timeline, began_at)
  select e.last + 1, e.last::bigint << 48, s.system_identifier::text, c.timeline_id, fsm_internal.clock()
  from (select max(o.epoch) as last from fsm_internal.feed_epochs o) e, pg_control_system() s, pg_control_checkpoint() c
  returning epoch, base into v_epoch, v_base;
  -- A default costs a write nothing; a base looked up in a table would cost every write a look.
  execute format('alter table fsm_internal.history alter column feed_position set default txid_current() + %s', v_base);
  execute format('alter table fsm_internal.deleted_sessions alter column feed_position set default txid_current() + %s', v_base);
  -- Whoever held a turn held it in the cluster that this is a copy of.
  delete from fsm_internal.turns;
  return v_epoch::text;
end
$$;
comment on function fsm.new_feed_epoch() is
  'To be called once in a copy of the database that was restored into another cluster, before it is written to: from now on what is written comes after all that was restored in fsm.changes, although this cluster numbers its transactions anew. Cursors stay valid. Turns that were held in the original are void. Until it was called fsm.doctor reports an error. To be called too after a recovery to a point in time, or after a failover to a standby that had not received everything: the server then uses the ids of what was lost again, and a reader that saw that would skip what is written under them. Waits for running writes and lets none in meanwhile, for the moment that it takes. Returns the number of the epoch as text. Called where it is not needed, it does no harm. Errors: none of its own; 55P03 when the caller''s lock_timeout passes while it waits.';

-- functions/operations/purge_sessions.sql
create function fsm.purge_sessions(p_idle interval, p_limit integer default 1000, p_only_final boolean default true)
returns bigint
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_before timestamptz := fsm_internal.clock() - fsm_internal.seconds_of('p_idle', p_idle, 3155760000) * interval '1 second';
  v_limit integer := least(p_limit, 1000);
  v_session_id text;
  v_purged bigint := 0;
begin
  perform fsm_internal.check_limit(p_limit);
  perform fsm_internal.check_not_null('p_only_final', p_only_final);
  for v_session_id in
    select s.session_id from fsm_internal.sessions s
    left join fsm_internal.machine_states t using (machine, machine_version, state)
    where s.updated_at < v_before and (t.is_final or not p_only_final)
  loop
    continue when not fsm_internal.try_lock_session(v_session_id);
    -- Looked at again under the lock, in a statement of its own: one that also takes the lock would see what was before.
    if exists (
      select from fsm_internal.sessions s
      left join fsm_internal.machine_states t using (machine, machine_version, state)
      where s.session_id = v_session_id and s.updated_at < v_before and (t.is_final or not p_only_final)
        and not exists (select from fsm_internal.turns t where t.session_id = s.session_id and t.expires_at > fsm_internal.clock()))
    then
      perform fsm_internal.delete_session(v_session_id);
      v_purged := v_purged + 1;
      exit when v_purged = v_limit;
    end if;
  end loop;
  return v_purged;
end
$$;
comment on function fsm.purge_sessions(interval, integer, boolean) is
  'Erases, as fsm.delete_session does (originals of imports included), sessions that were not written to for p_idle (0 to 100 years): only those in a final state, or with p_only_final false all. Sessions whose turn is held, or that somebody is writing to, are left. At most p_limit (null or above 1,000: 1,000) in one call; returns how many, so call it until it returns 0. Errors: 22004, 22023.';

-- functions/operations/schema_release.sql
create function fsm.schema_release()
returns text
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
return (select r.release from fsm_internal.releases r order by r.migration desc limit 1);
comment on function fsm.schema_release() is
  'The release of the schema in this database, for example 0.1.0; clients compare it with the releases they know (SM070).';

-- functions/operations/stuck_sessions.sql
create function fsm.stuck_sessions(p_idle interval, p_limit integer default 100)
returns table (session_id text, machine text, state text, version bigint, updated_at timestamptz)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_before timestamptz := fsm_internal.clock() - fsm_internal.seconds_of('p_idle', p_idle, 3155760000) * interval '1 second';
begin
  perform fsm_internal.check_limit(p_limit);
  return query
    select s.session_id, s.machine, s.state, s.version, s.updated_at
    from fsm_internal.sessions s
    left join fsm_internal.machine_states t
      on t.machine = s.machine and t.machine_version = s.machine_version and t.state = s.state
    where t.is_final is not true and s.updated_at < v_before
    order by s.updated_at, s.session_id
    limit p_limit;
end
$$;
comment on function fsm.stuck_sessions(interval, integer) is
  'Sessions in no final state that nobody has written to for p_idle, the longest idle first; p_limit rows (null: all). A month of p_idle is 30 days. Errors: 22004 null p_idle, 22023 p_idle negative or over 100 years, p_limit below 1.';

-- functions/operations/trim_history.sql
create function fsm.trim_history(p_keep_versions integer, p_limit integer default 1000, p_keep_for interval default '1 day')
returns bigint
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_keep_for interval := fsm_internal.seconds_of('p_keep_for', p_keep_for, 3155760000) * interval '1 second';
  v_now timestamptz := fsm_internal.clock();
  v_session record;
  v_sessions integer := 0;
  v_removed bigint := 0;
begin
  perform fsm_internal.check_limit(p_limit);
  perform fsm_internal.check_not_null('p_keep_versions', p_keep_versions);
  if p_keep_versions < 1 then
    perform fsm_internal.refuse(fsm_internal.argument_refusal('p_keep_versions', 'limit below 1', jsonb_build_object('value', p_keep_versions),
      'Give p_keep_versions 1 or more: the newest version is the session as it is.'));
  end if;
  for v_session in
    select s.session_id, v_now - greatest(v_keep_for, w.longest) as before
    from fsm_internal.sessions s
    left join fsm_internal.loop_windows() w using (machine)
    where s.version > p_keep_versions and exists (
      select from fsm_internal.history h
      where h.session_id = s.session_id and h.version <= s.version - p_keep_versions and h.at < v_now - greatest(v_keep_for, w.longest))
  loop
    continue when not fsm_internal.try_lock_session(v_session.session_id);
    v_removed := v_removed + fsm_internal.cut_history(v_session.session_id, p_keep_versions, v_session.before, p_limit - v_removed);
    v_sessions := v_sessions + 1;
    exit when v_removed >= p_limit or v_sessions = 1000;
  end loop;
  return v_removed;
end
$$;
comment on function fsm.trim_history(integer, integer, interval) is
  'Removes the oldest versions from history: of each session the newest p_keep_versions (1 or more) stay, and whatever is younger than p_keep_for (0 to 100 years) or than the longest loop window of its machine. What stays is whole: every retained version can be loaded, rolled back to and verified. Request ids go with their versions, and fsm.changes no longer shows what was removed: keep more than its slowest reader is behind. At most p_limit rows (null: no limit) of at most 1,000 sessions in one call; sessions that somebody is writing to are left for the next. Returns the number of rows removed, so call it until it returns 0. Errors: 22004, 22023.';

-- functions/operations/upgrade_sessions.sql
create function fsm.upgrade_sessions(
  p_machine text, p_from_version integer, p_to_version integer, p_state_map jsonb default '{}', p_patch jsonb default null,
  p_limit integer default 1000, p_dry_run boolean default true, p_after_session_id text default null)
returns table (from_state text, to_state text, sessions bigint, code text, message text, last_session_id text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_ids text[];
  v_last text;
begin
  perform fsm_internal.check_limit(p_limit);
  perform fsm_internal.check_not_null('p_dry_run', p_dry_run);
  p_state_map := coalesce(p_state_map, '{}');
  p_patch := coalesce(p_patch, '{}');
  perform fsm_internal.check_upgrade(p_machine, p_from_version, p_to_version, p_state_map, p_patch);
  v_ids := fsm_internal.sessions_to_upgrade(p_machine, p_from_version, p_after_session_id,
    case when p_dry_run then p_limit else least(p_limit, 1000) end);
  v_last := v_ids[cardinality(v_ids)];
  if not p_dry_run then
    perform fsm_internal.make_durable();
    perform fsm_internal.lock_sessions(v_ids);
  end if;
  return query
    select u.from_state, u.to_state, count(*), u.code,
      case when u.code is not null then format('%s (%s)', min(u.message), 'first: ' || min(u.id)) end, v_last
    from (
      select i.id, o.* from unnest(v_ids) i(id)
      cross join lateral fsm_internal.upgrade_session(i.id, p_machine, p_from_version, p_to_version, p_state_map, p_patch, p_dry_run) o) u
    group by u.from_state, u.to_state, u.code
    order by u.from_state collate "C", u.code nulls first;
end
$$;
comment on function fsm.upgrade_sessions(text, integer, integer, jsonb, jsonb, integer, boolean, text) is
  'Moves sessions that are not in a final state from one version of their machine to another, in session_id order, each under its lock as a new version of kind upgrade. p_state_map says where states go ({"old": "new"}); a state that is not in it keeps its name. p_patch (RFC 7396 merge patch) changes each context on the way. The new version''s size limit, schema and invariants decide as in a save. p_dry_run true (the default): nothing is written, the same report. Returns a row per from_state, to_state and outcome with the number of sessions: code null for those that were (dry run: would be) moved; otherwise they stay as they are, and code is unmapped_state (the new version has no such state), context_rejected, turn_held or corrupt, message says why and names the first. last_session_id is the last session that was looked at, in every row: pass it as p_after_session_id to go on, until no row comes. At most p_limit sessions in one call (null: all in a dry run; 1,000 is the most that one call moves). entered_at and deadlines count on when the state keeps its name. Errors: 22004; 22023 p_limit below 1, the same version twice, a state in p_state_map that its version does not have; SM001 no such machine or version; SM021 p_state_map or p_patch is no object, or names current_state or session_id; 40001 under REPEATABLE READ and SERIALIZABLE.';

-- functions/operations/verify_sessions.sql
create function fsm.verify_sessions(
  p_session_id text default null, p_limit integer default null, p_after_session_id text default null)
returns table (session_id text, code text, detail jsonb)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.check_limit(p_limit);
  if p_session_id is not null then
    perform fsm_internal.check_common_arguments(p_session_id, null, null);
    if not exists (select from fsm_internal.history h where h.session_id = p_session_id) then
      perform fsm_internal.check_session_exists(p_session_id);
    end if;
    return query select p_session_id, f.code, f.detail from fsm_internal.session_problems(p_session_id) f;
    return;
  end if;
  return query
    with looked_at as materialized (
      -- Histories without a session belong to the page that their ids would be on.
      select i.session_id from (
        select s.session_id from fsm_internal.sessions s where s.session_id > coalesce(p_after_session_id, '')
        union
        select c.session_id from fsm_internal.orphaned_histories(p_after_session_id) c
        order by 1 limit p_limit) i
    )
    select l.session_id, f.code, f.detail
    from looked_at l cross join lateral fsm_internal.session_problems(l.session_id) f
    order by l.session_id;
end
$$;
comment on function fsm.verify_sessions(text, integer, text) is
  'Checks everything that is stored: of one session, or of all in session_id order (p_limit of them, null: all, those after p_after_session_id if given). One snapshot; it blocks nobody. No rows: sound. A row per finding with its code and the facts: unknown_state, row_disagrees_with_history, history_missing, history_without_session, version_gap, history_cut (the oldest versions are gone, and fsm.trim_history did not remove them), bad_first_row, from_state_mismatch, unknown_state_in_history, time_not_increasing, undo_broken (an older context cannot be rebuilt), context_not_admitted (a version whose context its state''s schema or invariant refuses: edited by hand), chain_broken and chain_missing (machines with meta.audit "chain": the row, or the context after it, is not what its hash was made from), deadline_lost (nobody will look at the session when its deadline is due), turn_behind. Reads the whole history of what it looks at. Errors: 22023, SM010 unknown p_session_id.';

-- functions/imports/import_original.sql
create function fsm.import_original(p_batch uuid, p_session_id text)
returns table (source text, original text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.check_not_null('p_batch', p_batch);
  perform fsm_internal.check_not_null('p_session_id', p_session_id);
  return query
    select i.source, i.original from fsm_internal.import_items i
    where i.batch = p_batch and left(i.session_id, 600) = left(p_session_id, 600) and i.session_id = p_session_id
    order by i.source collate "C", i.digest;
end
$$;
comment on function fsm.import_original(uuid, text) is
  'Every original that an import brought under an id, exactly as it was given, imported or not: text, or "base64:" and the bytes. p_session_id: the id in the source, which may be empty or longer than a session''s. They are kept until fsm.purge_import, or until the session is erased (fsm.delete_session, fsm.purge_sessions). Returns (source, original), no row when there is none. Errors: 22004.';

-- functions/imports/import_sessions.sql
create function fsm.import_sessions(p_items jsonb, p_batch uuid, p_dry_run boolean default true)
returns table (session_id text, outcome text, code text, message text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_items fsm_internal.import_item[];
  v_group record;
begin
  perform fsm_internal.check_import_items(p_items);
  perform fsm_internal.check_not_null('p_batch', p_batch);
  perform fsm_internal.check_not_null('p_dry_run', p_dry_run);
  v_items := array(select i from fsm_internal.given_import_items(p_items) i);
  perform fsm_internal.chosen_version(m.machine, null) from (select distinct i.machine from unnest(v_items) i) m;
  if not p_dry_run then
    perform fsm_internal.make_durable();
    perform fsm_internal.lock_batch(p_batch, false);
    perform fsm_internal.lock_sessions(array(select distinct i.target from unnest(v_items) i where i.target is not null));
  end if;
  for v_group in
    select coalesce(i.target, '') as target, array_agg((i.digest, i.source, i.session_id, i.target, i.machine, i.data, i.problem, i.original,
      i.is_given, i.is_kept)::fsm_internal.import_item order by i.nth) as given
    from (
      select distinct on (n.digest) n.* from unnest(v_items) with ordinality
        n(digest, source, session_id, target, machine, data, problem, original, is_given, is_kept, nth) order by n.digest, n.nth) i
    group by coalesce(i.target, '') order by min(i.nth)
  loop
    return query select s.* from fsm_internal.import_session(v_group.target, p_batch,
      array(select i from fsm_internal.import_items_of(p_batch, v_group.target, v_group.given) i), p_dry_run) s;
  end loop;
end
$$;
comment on function fsm.import_sessions(jsonb, uuid, boolean) is
  'Imports sessions of other stores. p_items: an array of at most 1,000 originals {source (1 to 128 bytes), session_id, data (an object, or null), problem (why it could not be read, or null), original (text, or "base64:" and bytes; null: data is the original), machine (null: purchase_item)}. data is a row of the old table by its column names, or a value of the old file store. Everything is decided here: the state, older names mapped; conflicts between originals of one session and inside one; what cannot be trusted. Each original is kept in batch p_batch, whatever becomes of it (fsm.import_original). The originals of a session are weighed together, also those of earlier calls of the same batch, in whatever order they come; the same original again changes nothing, so that an import that broke off is simply run again. A session is made as version 1 (when a later call adds to it, the next) of kind import, whose note has {"source", "batch", "sources", "warnings", "generation", "times", "lost"}: lost is what did not come through. p_dry_run true (the default): nothing is written, the same report. Returns a row per session, and one for each original that is set aside: outcome imported; conflict_resolved (something lost against something else); quarantined (see view fsm.quarantine); skipped (code sentinel_session, already_imported, session_changed since the batch made it, session_exists and is not the batch''s). code: the problem, or the first warning. A bad original never stops the others. Errors: 22004; 22023 no array, more than 1,000 items, an item of the wrong form (ordinal in DETAIL); SM001 no such machine; 40001 under REPEATABLE READ and SERIALIZABLE.';

-- functions/imports/purge_import.sql
create function fsm.purge_import(p_batch uuid)
returns bigint
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_purged bigint;
begin
  perform fsm_internal.check_not_null('p_batch', p_batch);
  perform fsm_internal.lock_batch(p_batch, true);
  -- The rows in the order of their key, here and wherever several are taken: whoever takes them in another one may deadlock.
  delete from fsm_internal.import_items i
  where (i.batch, i.digest) in (
    select o.batch, o.digest from fsm_internal.import_items o where o.batch = p_batch order by o.batch, o.digest for update);
  get diagnostics v_purged = row_count;
  return v_purged;
end
$$;
comment on function fsm.purge_import(uuid) is
  'Removes the originals of an import for good, and with them its part of fsm.quarantine. The sessions that it made stay, but the import can no longer be taken back. Returns how many originals there were. Errors: 22004.';

-- functions/imports/undo_import.sql
create function fsm.undo_import(p_batch uuid)
returns table (removed bigint, kept bigint)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_session_id text;
  v_gone text[] := '{}'::text[];
begin
  perform fsm_internal.check_not_null('p_batch', p_batch);
  perform fsm_internal.make_durable();
  perform fsm_internal.lock_batch(p_batch, true);
  for v_session_id in
    select distinct i.target from fsm_internal.import_items i
    where i.batch = p_batch and not i.undone and i.version is not null and fsm_internal.is_as_imported(i.target, p_batch)
  loop
    -- Whoever holds the lock is changing it. What was looked at without the lock is looked at again, in a statement of its own.
    continue when not fsm_internal.try_lock_session(v_session_id);
    if fsm_internal.is_as_imported(v_session_id, p_batch) then
      v_gone := v_gone || v_session_id;
      exit when cardinality(v_gone) = 1000;
    end if;
  end loop;
  removed := fsm_internal.erase_sessions(v_gone);
  -- What made a session that is still there stays in force; the rest of the batch is as if it had never been imported.
  update fsm_internal.import_items i set undone = true
  where (i.batch, i.digest) in (
    select o.batch, o.digest from fsm_internal.import_items o
    where o.batch = p_batch and not o.undone
      and (o.version is null or not exists (select from fsm_internal.sessions s where s.session_id = o.target))
    order by o.batch, o.digest for update);
  kept := (select count(distinct i.target) from fsm_internal.import_items i where i.batch = p_batch and not i.undone);
  return next;
end
$$;
comment on function fsm.undo_import(uuid) is
  'Takes an import back: removes the sessions that batch p_batch made and that nobody changed since, at most 1,000 in one call (so call it until removed is 0), and empties the batch''s quarantine. Sessions that were written to, or whose turn is held, or that somebody is writing just now, are kept. Each removed session leaves a line of kind delete in fsm.changes. The originals stay and fsm.import_original still has them; the same batch may be imported again. Returns how many sessions were removed, and how many that the batch made are still there. A batch that is not known: 0, 0. Errors: 22004; 40001 under REPEATABLE READ and SERIALIZABLE.';

-- views/active_turns.sql
create view fsm.active_turns as
select t.session_id, t.holder, t.turn, t.begun_at, t.expires_at
from fsm_internal.turns t
where t.expires_at > clock_timestamp();
comment on view fsm.active_turns is
  'The turns that are held now. A hot standby has none of them and cannot read this view.';
comment on column fsm.active_turns.holder is 'The caller''s claim: what it gave as p_holder.';
comment on column fsm.active_turns.turn is 'The fencing token. Rises per session, and says nothing across sessions.';

-- views/machines.sql
create view fsm.machines as
select v.machine, v.machine_version, v.retired, v.created_at, v.created_by, v.definition
from fsm_internal.machine_versions v;
comment on view fsm.machines is 'Every version of every machine, as it was defined.';
comment on column fsm.machines.retired is 'True: no new sessions on this version; running ones go on.';
comment on column fsm.machines.created_by is 'The session user who defined it.';

-- views/quarantine.sql
create view fsm.quarantine as
select i.batch, i.session_id, i.source, i.code, i.message, i.original, i.at
from fsm_internal.import_items i
where i.outcome = 'quarantined' and not i.undone;
comment on view fsm.quarantine is
  'Originals of imports that could not be trusted, with the reason. They hold what people said: for fsm_admin only.';
comment on column fsm.quarantine.session_id is 'The id in the source, which need not be one that a session can have.';
comment on column fsm.quarantine.code is 'Why: a stable name such as unknown_state; message says it in words.';
comment on column fsm.quarantine.original is 'As it was given: text, or "base64:" and the bytes.';

-- views/sessions.sql
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

-- views/transition_counts.sql
create view fsm.transition_counts as
select s.machine, h.machine_version, h.from_state, h.to_state, h.event, count(*) as transitions
from fsm_internal.history h
inner join fsm_internal.sessions s on h.session_id = s.session_id
where h.kind in ('transition', 'deadline')
group by s.machine, h.machine_version, h.from_state, h.to_state, h.event;
comment on view fsm.transition_counts is
  'How often each transition was made, by events and by deadlines, as far as history is retained. Reads all of the history.';
comment on column fsm.transition_counts.machine_version is 'The version on which the transition was made; the session may have been upgraded since.';
comment on column fsm.transition_counts.event is 'Null: a deadline.';

-- grants.sql
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

-- schema/release.sql
-- Which release this is: the newest migration that these sources are equal to.
insert into fsm_internal.releases (migration, release) values ('0001_core', '0.1.0');
-- As the doctor sees them: a search_path with our schemas in it would leave these out of the names of types.
set local search_path = pg_catalog, pg_temp;
delete from fsm_internal.installed_parts;
insert into fsm_internal.installed_parts (part, check_name, digest, parsed_by)
select d.part, d.check_name, d.digest, d.parsed_by from fsm_internal.part_digests() as d;

-- owner_end.sql
-- Back to the installer; its membership in fsm_owner is taken back if owner_begin.sql gave it.
reset role;

do $owner$
begin
  if pg_catalog.current_setting('fsmstore.granted_owner', true) = 'yes' then
    execute pg_catalog.format('revoke fsm_owner from %I', current_user);
  end if;
end
$owner$;
