create view fsm.machines as
select v.machine, v.machine_version, v.retired, v.created_at, v.created_by, v.definition
from fsm_internal.machine_versions v;
comment on view fsm.machines is 'Every version of every machine, as it was defined.';
comment on column fsm.machines.retired is 'True: no new sessions on this version; running ones go on.';
comment on column fsm.machines.created_by is 'The session user who defined it.';
