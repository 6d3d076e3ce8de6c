-- Which release this is: the newest migration that these sources are equal to.
insert into fsm_internal.releases (migration, release) values ('0001_core', '0.1.0');
-- As the doctor sees them: a search_path with our schemas in it would leave these out of the names of types.
set local search_path = pg_catalog, pg_temp;
delete from fsm_internal.installed_parts;
insert into fsm_internal.installed_parts (part, check_name, digest, parsed_by)
select d.part, d.check_name, d.digest, d.parsed_by from fsm_internal.part_digests() as d;
