-- The feed (fsm.changes) is ordered by the id of the writing transaction: below the oldest one that is still running
-- nothing can come any more, so nothing is skipped. Ids belong to a cluster: after a restore into another one they would begin
-- anew, so each cluster's ids stand above a base of their own. It is written into the defaults of the columns feed_position by
-- fsm.new_feed_epoch.
create table fsm_internal.feed_epochs (
  epoch integer not null,
  base bigint not null,
  system_identifier text not null,
  timeline integer not null,
  began_at timestamptz not null,
  constraint feed_epochs_pkey primary key (epoch),
  constraint feed_epochs_base_of_epoch check (epoch between 1 and 32767 and base = (epoch - 1)::bigint << 48)
);
comment on table fsm_internal.feed_epochs is 'The clusters that the history was written in, one after the other; the newest is the present one.';
comment on column fsm_internal.feed_epochs.base is 'What is added to the id of a transaction to give its position in the feed: 2^48 for each epoch before, which no cluster''s ids reach.';
comment on column fsm_internal.feed_epochs.system_identifier is 'Of the cluster, from pg_control_system(): a copy restored elsewhere finds another there.';
comment on column fsm_internal.feed_epochs.timeline is 'Of the cluster, from pg_control_checkpoint(): a server that took over, or was recovered to a point in time, has a higher one.';
insert into fsm_internal.feed_epochs (epoch, base, system_identifier, timeline, began_at)
select 1, 0, s.system_identifier::text, c.timeline_id, pg_catalog.clock_timestamp()
from pg_catalog.pg_control_system() s, pg_catalog.pg_control_checkpoint() c;

-- What is left of an erased session.
create table fsm_internal.deleted_sessions (
  session_id text collate "C" not null,
  at timestamptz not null,
  version bigint not null,
  state text collate "C" not null,
  turn bigint,
  feed_position bigint not null default txid_current(),
  constraint deleted_sessions_pkey primary key (session_id, at)
);
comment on table fsm_internal.deleted_sessions is 'The delete lines of fsm.changes: that a session was erased, and in which version and state it was.';
comment on column fsm_internal.deleted_sessions.turn is 'The session''s last turn token, so that a session made anew under the same id goes on above it.';
create index deleted_sessions_feed on fsm_internal.deleted_sessions (feed_position);
