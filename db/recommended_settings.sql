-- The settings that fsmstore recommends for a login of an application, in the database that psql is connected to:
--   psql -v ON_ERROR_STOP=1 -v login=shop_app -f db/recommended_settings.sql
-- Run it once for each login that is granted fsm_app or fsm_admin, as a superuser or as a role that may alter the login. New sessions of the
-- login have them. Not part of install.sql: logins are yours. fsm.doctor() tells which logins lack them (login_settings).
--   default_transaction_isolation: writers of one session wait for each other; above read committed the later one gets 40001 instead.
--   statement_timeout, lock_timeout: a call that hangs, or waits for a session's lock, ends with an error the application can handle.
--   idle_in_transaction_session_timeout: a client that forgot its transaction lets go of the sessions it locked.
--   client_connection_check_interval: a call whose client is gone ends while it runs, not after it.
-- noqa: disable=PRS
alter role :"login" in database :"DBNAME" set default_transaction_isolation = 'read committed';
alter role :"login" in database :"DBNAME" set statement_timeout = '10s';
alter role :"login" in database :"DBNAME" set lock_timeout = '5s';
alter role :"login" in database :"DBNAME" set idle_in_transaction_session_timeout = '15s';
alter role :"login" in database :"DBNAME" set client_connection_check_interval = '5s';
