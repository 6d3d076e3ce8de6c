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
