-- Back to the installer; its membership in fsm_owner is taken back if owner_begin.sql gave it.
reset role;

do $owner$
begin
  if pg_catalog.current_setting('fsmstore.granted_owner', true) = 'yes' then
    execute pg_catalog.format('revoke fsm_owner from %I', current_user);
  end if;
end
$owner$;
