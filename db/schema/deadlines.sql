-- When fsm.fire_deadlines has to look at which session. What is due is always worked out anew from the session under its lock; a row here only
-- says when to look, and may be too early (the session went on meanwhile), never too late. So a transition between states with
-- deadlines need not write here: sessions.wake_at tells it that somebody will look soon enough.
create table fsm_internal.deadlines (
  session_id text collate "C" not null,
  wake_at timestamptz not null,
  refusals integer not null default 0,
  fired_ms bigint,
  fired_entered_at timestamptz,
  constraint deadlines_pkey primary key (session_id),
  constraint deadlines_refusals_counted check (refusals >= 0),
  constraint deadlines_fired_whole check ((fired_ms is null) = (fired_entered_at is null))
);
comment on table fsm_internal.deadlines is 'One row per session that has or had a deadline: when to look at it.';
comment on column fsm_internal.deadlines.wake_at is 'The same as sessions.wake_at. infinity: there is nothing to look for, but fired_ms is still to be remembered.';
comment on column fsm_internal.deadlines.refusals is 'How often in a row the deadline was refused; the pause until the next try doubles each time.';
comment on column fsm_internal.deadlines.fired_ms is
  'A deadline that leads to its own state has no other effect that tells it was fired: delays up to this one were, for the stay that began at fired_entered_at.';
create index deadlines_to_wake on fsm_internal.deadlines (wake_at);
