-- uninstall.sql
-- Removes fsmstore and everything stored in it from the database that psql is connected to, in one transaction:
--   psql -1 -v ON_ERROR_STOP=1 -f db/uninstall.sql
-- The roles stay: they are cluster-wide, and other databases may use them.

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
  if v_recorded is false then
    raise exception using errcode = 'SM071',
      message = 'this migration is not applied',
      detail = pg_catalog.jsonb_build_object('migration', '0001_core'),
      hint = 'Nothing was changed. The applied releases are in fsm_internal.releases.';
  end if;
end
$guard$;
reset role;

-- uninstall.sql
set local role fsm_owner;
drop schema fsm cascade;
drop schema fsm_internal cascade;
alter default privileges for role fsm_owner grant execute on functions to public;
alter default privileges for role fsm_owner grant usage on types to public;

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
