create view fsm.active_turns as
select t.session_id, t.holder, t.turn, t.begun_at, t.expires_at
from fsm_internal.turns t
where t.expires_at > clock_timestamp();
comment on view fsm.active_turns is
  'The turns that are held now. A hot standby has none of them and cannot read this view.';
comment on column fsm.active_turns.holder is 'The caller''s claim: what it gave as p_holder.';
comment on column fsm.active_turns.turn is 'The fencing token. Rises per session, and says nothing across sessions.';
