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
