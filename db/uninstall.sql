-- Removes fsmstore and everything stored in it from the database that psql is connected to, in one transaction:
--   psql -1 -v ON_ERROR_STOP=1 -f db/uninstall.sql
-- The roles stay: they are cluster-wide, and other databases may use them.
\ir owner_begin.sql
set local role fsm_owner;
drop schema fsm cascade;
drop schema fsm_internal cascade;
alter default privileges for role fsm_owner grant execute on functions to public;
alter default privileges for role fsm_owner grant usage on types to public;
\ir owner_end.sql
