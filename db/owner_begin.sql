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
