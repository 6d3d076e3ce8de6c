create function fsm_internal.feed_horizon()
returns bigint
language plpgsql
stable
as $$
declare
  v_base bigint := (select max(e.base) from fsm_internal.feed_epochs e);
begin
  -- Nothing that is visible has an id that the snapshot has not seen, but what this transaction wrote itself.
  if (select max(h.feed_position) from fsm_internal.history h)
    >= v_base + greatest(pg_snapshot_xmax(pg_current_snapshot())::text::bigint, txid_current_if_assigned() + 1)
  then
    perform fsm_internal.refuse('55000', 'the feed was written in another cluster',
      jsonb_build_object('epoch', (select max(e.epoch) from fsm_internal.feed_epochs e)),
      'This database is a copy of one from another cluster, whose transactions were numbered further. Call fsm.new_feed_epoch() once; cursors stay valid.');
  end if;
  return v_base + pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
end
$$;
comment on function fsm_internal.feed_horizon() is
  'The position below which the feed is complete: no transaction with a lower id is running, and none can begin. 55000 when history has positions that this cluster has not reached.';

create function fsm_internal.feed_cursor_text(p_position bigint, p_at timestamptz, p_session_id text)
returns text
language sql
stable
return p_position::text || ':' || (extract(epoch from p_at) * 1000000)::bigint::text || ':' || p_session_id;
comment on function fsm_internal.feed_cursor_text(bigint, timestamptz, text) is 'The cursor of a row of the feed: position, microseconds since 1970, session.';

create function fsm_internal.feed_cursor(p_cursor text)
returns table (feed_position bigint, at timestamptz, session_id text)
language plpgsql
stable
as $$
declare
  v_parts text[] := regexp_match(p_cursor, '^([0-9]{1,18}|[0-8][0-9]{18}):(-?[0-9]{1,17}):(.+)');
begin
  if p_cursor is null then
    return query select 0::bigint, '-infinity'::timestamptz, '';
    return;
  end if;
  if v_parts is null or abs(v_parts[2]::bigint) > 20000000000000000 then
    perform fsm_internal.refuse(fsm_internal.argument_refusal('p_after', 'not a cursor of the feed', jsonb_build_object('bytes', octet_length(p_cursor)),
      'Give a cursor as fsm.changes returned it, unchanged, or null to begin with the oldest change.'));
  end if;
  return query select v_parts[1]::bigint, timestamptz 'epoch' + v_parts[2]::bigint * interval '1 microsecond', v_parts[3];
end
$$;
comment on function fsm_internal.feed_cursor(text) is 'Reads a cursor; null is before everything. 22023 for anything that is none.';
