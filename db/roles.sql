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
