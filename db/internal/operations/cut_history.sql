create function fsm_internal.cut_history(p_session_id text, p_keep_versions integer, p_before timestamptz, p_limit bigint)
returns bigint
language plpgsql
volatile
as $$
declare
  v_cut record;
  v_removed bigint;
begin
  select h.version, h.chain_hash into v_cut
  from (
    select o.version, o.chain_hash, o.at from fsm_internal.history o
    where o.session_id = p_session_id
      and o.version <= (select s.version - p_keep_versions from fsm_internal.sessions s where s.session_id = p_session_id)
    order by o.version limit p_limit) h
  where h.at < p_before
  order by h.version desc limit 1;
  if v_cut.version is null then
    return 0;
  end if;
  delete from fsm_internal.history h where h.session_id = p_session_id and h.version <= v_cut.version;
  get diagnostics v_removed = row_count;
  insert into fsm_internal.history_cuts (session_id, version, chain_hash, cut_at)
  values (p_session_id, v_cut.version, v_cut.chain_hash, fsm_internal.clock())
  on conflict on constraint history_cuts_pkey do update
  set version = excluded.version, chain_hash = excluded.chain_hash, cut_at = excluded.cut_at;
  return v_removed;
end
$$;
comment on function fsm_internal.cut_history(text, integer, timestamptz, bigint) is
  'Removes the oldest p_limit rows of a session''s history, but not its newest p_keep_versions nor what is not older than p_before, and notes where it was cut. Its lock must be held. Returns how many.';
