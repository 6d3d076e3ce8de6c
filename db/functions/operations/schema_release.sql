create function fsm.schema_release()
returns text
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
return (select r.release from fsm_internal.releases r order by r.migration desc limit 1);
comment on function fsm.schema_release() is
  'The release of the schema in this database, for example 0.1.0; clients compare it with the releases they know (SM070).';
