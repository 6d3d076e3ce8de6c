create function fsm.delete_session(p_session_id text)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.check_common_arguments(p_session_id, null, null);
  return fsm_internal.delete_session(p_session_id);
end
$$;
comment on function fsm.delete_session(text) is
  'Erases a session for good: its row, its whole history, its turn (held or not), its deadline, and the originals that were imported or quarantined under its id (these also when there is no such session). What is left is one line of kind delete in fsm.changes, with the id, the last version and the last state. Waits for whoever is writing to the session. True: it was there; false: there is no such session. Forks made from it stay. Errors: 22004, 22023.';
