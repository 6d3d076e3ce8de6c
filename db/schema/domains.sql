-- What a single value must be. Domains and not table checks, because PostgreSQL parses each check of a table anew in every
-- statement that writes to it (a dozen of them cost more than the write), and caches those of a domain.
create domain fsm_internal.state_name as text
  constraint state_name_length check (octet_length(value) between 1 and 128);
comment on domain fsm_internal.state_name is 'The name of a state.';

create domain fsm_internal.event_name as text
  constraint event_name_length check (octet_length(value) between 1 and 128);
comment on domain fsm_internal.event_name is 'The name of an event.';

create domain fsm_internal.version_number as bigint
  constraint version_counted_from_one check (value >= 1);
comment on domain fsm_internal.version_number is 'The per-session version: 1 at creation, plus one at every acknowledged write.';

create domain fsm_internal.context_object as jsonb
  constraint context_is_object check (jsonb_typeof(value) = 'object')
  constraint state_not_in_context check (not value ?| array['current_state', 'session_id']);
comment on domain fsm_internal.context_object is 'A context as it is stored: an object that repeats neither the state nor the id.';

create domain fsm_internal.history_kind as text
  constraint history_kind_known check (
    value in ('create', 'transition', 'update', 'rollback', 'upgrade', 'import', 'deadline', 'divert', 'fork'));
comment on domain fsm_internal.history_kind is 'What made a version.';
