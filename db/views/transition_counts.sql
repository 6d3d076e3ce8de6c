create view fsm.transition_counts as
select s.machine, h.machine_version, h.from_state, h.to_state, h.event, count(*) as transitions
from fsm_internal.history h
inner join fsm_internal.sessions s on h.session_id = s.session_id
where h.kind in ('transition', 'deadline')
group by s.machine, h.machine_version, h.from_state, h.to_state, h.event;
comment on view fsm.transition_counts is
  'How often each transition was made, by events and by deadlines, as far as history is retained. Reads all of the history.';
comment on column fsm.transition_counts.machine_version is 'The version on which the transition was made; the session may have been upgraded since.';
comment on column fsm.transition_counts.event is 'Null: a deadline.';
