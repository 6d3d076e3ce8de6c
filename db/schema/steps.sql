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
