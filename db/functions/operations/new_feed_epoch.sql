create function fsm.new_feed_epoch()
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_epoch integer;
  v_base bigint;
begin
  perform fsm_internal.make_durable();
  -- Waits for every writer, and keeps new ones out until the new base is in force.
  lock table fsm_internal.history, fsm_internal.deleted_sessions in access exclusive mode;
  insert into fsm_internal.feed_epochs (epoch, base, system_identifier, timeline, began_at)
  select e.last + 1, e.last::bigint << 48, s.system_identifier::text, c.timeline_id, fsm_internal.clock()
  from (select max(o.epoch) as last from fsm_internal.feed_epochs o) e, pg_control_system() s, pg_control_checkpoint() c
  returning epoch, base into v_epoch, v_base;
  -- A default costs a write nothing; a base looked up in a table would cost every write a look.
  execute format('alter table fsm_internal.history alter column feed_position set default txid_current() + %s', v_base);
  execute format('alter table fsm_internal.deleted_sessions alter column feed_position set default txid_current() + %s', v_base);
  -- Whoever held a turn held it in the cluster that this is a copy of.
  delete from fsm_internal.turns;
  return v_epoch::text;
end
$$;
comment on function fsm.new_feed_epoch() is
  'To be called once in a copy of the database that was restored into another cluster, before it is written to: from now on what is written comes after all that was restored in fsm.changes, although this cluster numbers its transactions anew. Cursors stay valid. Turns that were held in the original are void. Until it was called fsm.doctor reports an error. To be called too after a recovery to a point in time, or after a failover to a standby that had not received everything: the server then uses the ids of what was lost again, and a reader that saw that would skip what is written under them. Waits for running writes and lets none in meanwhile, for the moment that it takes. Returns the number of the epoch as text. Called where it is not needed, it does no harm. Errors: none of its own; 55P03 when the caller''s lock_timeout passes while it waits.';
