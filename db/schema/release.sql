-- Which release this is: the newest migration that these sources are equal to.
insert into fsm_internal.releases (migration, release) values ('0001_core', '0.1.0');
