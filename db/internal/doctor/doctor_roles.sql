create function fsm_internal.doctor_roles()
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
as $$
begin
  return query
    select 'error', 'role', format('role %s %s', r.rolname, x.what), format('alter role %I %s;', r.rolname, x.remedy)
    from pg_roles r
    cross join lateral (values
      (r.rolcanlogin, 'can log in', 'nologin'),
      (r.rolsuper, 'is a superuser', 'nosuperuser'),
      (r.rolcreaterole, 'may create roles', 'nocreaterole'),
      (r.rolcreatedb, 'may create databases', 'nocreatedb'),
      (r.rolreplication, 'may replicate', 'noreplication'),
      (r.rolbypassrls, 'bypasses row security', 'nobypassrls')) x (applies, what, remedy)
    where r.rolname in ('fsm_owner', 'fsm_app', 'fsm_reader', 'fsm_monitor', 'fsm_admin') and x.applies
    union all
    select 'warning', 'owner_member', format('role %s is a member of fsm_owner, and so may change every table by hand', m.name),
      format('If it need not: revoke fsm_owner from %I;', m.name)
    from fsm_internal.owner_members() m
    union all
    select 'warning', 'public_connect', format('PUBLIC may connect to database %s', d.datname),
      format('revoke connect on database %I from public; then grant connect on it to the logins that need it.', d.datname)
    from pg_database d
    where d.datname = current_database() and exists (
      select from aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a where a.grantee = 0 and a.privilege_type = 'CONNECT');
end
$$;
comment on function fsm_internal.doctor_roles() is 'Findings of fsm.doctor: what the roles of fsmstore are, who is fsm_owner too, and who may connect.';

create function fsm_internal.owner_members()
returns table (name text)
language plpgsql
stable
as $$
begin
  return query
    with recursive members (member) as (
      select 'fsm_owner'::regrole::oid
      union
      select m.member from members r join pg_auth_members m on m.roleid = r.member
      -- From 16 on who created a role may grant it and no more, which is no use of it yet; before, there are no such columns.
      where coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true) or coalesce((to_jsonb(m) ->> 'set_option')::boolean, true)
    )
    select r.rolname::text from members m join pg_roles r on r.oid = m.member
    where r.rolname <> 'fsm_owner' and not r.rolsuper;
end
$$;
comment on function fsm_internal.owner_members() is 'Roles, superusers excepted, that inherit from fsm_owner or may set it, directly or through others.';
