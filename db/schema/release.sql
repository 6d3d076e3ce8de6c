-- Which release this is: the newest migration that these sources are equal to.
insert into fsm_internal.releases (migration, release) values ('0001_core', '0.1.0');
-- As the doctor sees them: a search_path with our schemas in it would leave these out of the names of types.
set local search_path = pg_catalog, pg_temp;
delete from fsm_internal.installed_functions;
insert into fsm_internal.installed_functions (function, digest, parsed_by)
select d.function, d.digest, d.parsed_by from fsm_internal.function_digests() as d;
delete from fsm_internal.installed_relations;
insert into fsm_internal.installed_relations (part, digest, parsed_by)
select d.part, d.digest, d.parsed_by from fsm_internal.relation_digests() as d;
