create function fsm_internal.lock_batch(p_batch uuid, p_alone boolean)
returns void
language plpgsql
volatile
as $$
begin
  if p_alone then
    perform pg_advisory_xact_lock(hashtextextended('fsm:import:' || p_batch::text, 0));
  else
    perform pg_advisory_xact_lock_shared(hashtextextended('fsm:import:' || p_batch::text, 0));
  end if;
end
$$;
comment on function fsm_internal.lock_batch(uuid, boolean) is
  'Takes the advisory lock of an import''s batch to the end of the transaction, before any lock of a session. p_alone: nobody else imports into the batch meanwhile.';

create function fsm_internal.is_as_imported(p_session_id text, p_batch uuid)
returns boolean
language plpgsql
volatile
as $$
begin
  return exists (
    select from fsm_internal.sessions s
    join fsm_internal.history h on h.session_id = s.session_id and h.version = s.version
    where s.session_id = p_session_id and h.kind = 'import' and h.note ->> 'batch' = p_batch::text
      and not exists (select from fsm_internal.turns t where t.session_id = s.session_id and t.expires_at > fsm_internal.clock()));
end
$$;
comment on function fsm_internal.is_as_imported(text, uuid) is
  'True when the newest version of a session is what this batch made of it, and no turn on it is held.';
