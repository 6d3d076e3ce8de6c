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
