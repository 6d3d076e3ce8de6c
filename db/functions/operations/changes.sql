create function fsm.changes(p_after text default null, p_limit integer default 1000)
returns table (
  cursor text, session_id text, version bigint, kind text, from_state text, to_state text, event text, at timestamptz)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_after record;
  v_last bigint := fsm_internal.feed_horizon() - 1;
begin
  perform fsm_internal.check_limit(p_limit);
  select * into v_after from fsm_internal.feed_cursor(p_after);
  if p_limit is not null then
    -- The position that a page cannot go beyond, so that what is sorted is a page and not the rest of history.
    v_last := coalesce((
      select h.feed_position from fsm_internal.history h
      where h.feed_position > v_after.feed_position and h.feed_position <= v_last
      order by h.feed_position offset p_limit - 1 limit 1), v_last);
  end if;
  return query
    select fsm_internal.feed_cursor_text(c.feed_position, c.at, c.session_id),
      c.session_id, c.version, c.kind, c.from_state, c.to_state, c.event, c.at
    from (
      select h.feed_position, h.at, h.session_id, h.version, h.kind::text as kind, h.from_state, h.to_state, h.event
      from fsm_internal.history h
      where h.feed_position between v_after.feed_position and v_last
      union all
      select d.feed_position, d.at, d.session_id, d.version, 'delete', d.state, null, null
      from fsm_internal.deleted_sessions d
      where d.feed_position between v_after.feed_position and v_last
    ) c
    where (c.feed_position, c.at, c.session_id) > (v_after.feed_position, v_after.at, v_after.session_id)
    order by c.feed_position, c.at, c.session_id
    limit p_limit;
end
$$;
comment on function fsm.changes(text, integer) is
  'Every write of every session, in an order in which nothing is ever inserted before what was already shown: pass the cursor of the last row you have dealt with as p_after, and you miss nothing and see nothing twice. p_after null: from the oldest retained. Writes are ordered by the id of their transaction, and shown once every transaction with a lower id has ended: so the oldest transaction that is still running and has written anything in this cluster delays the feed (fsm.doctor tells of long ones), and no commit is skipped however late it comes. Rows are those of history, and a line of kind delete for an erased session (its last version, from_state its last state, the rest null); history that was trimmed, or erased with its session, is not shown. A cursor is text to be kept and handed back as it is; it stays valid across restores with fsm.new_feed_epoch. No rows: nothing new. p_limit null: all. Errors: 22023 p_limit below 1, or p_after is no cursor; 55000 this is a copy restored into another cluster: call fsm.new_feed_epoch once.';
