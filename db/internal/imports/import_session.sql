create function fsm_internal.import_session(p_session_id text, p_batch uuid, p_items fsm_internal.import_item[], p_dry_run boolean)
returns table (session_id text, outcome text, code text, message text)
language plpgsql
volatile
as $$
declare
  v_initial fsm_internal.machine_states := fsm_internal.initial_state((p_items[cardinality(p_items)]).machine, null);
  v_readings fsm_internal.legacy_reading[] := array(select fsm_internal.legacy_reading_of(i, v_initial.machine_version) from unnest(p_items) i);
  v_good fsm_internal.legacy_reading[] := array(select r from unnest(v_readings) r where r.problem is null);
  v_verdict fsm_internal.import_verdict;
  v_made bigint;
begin
  if exists (select from unnest(v_good) r where r.session_id = p_session_id) and p_session_id <> fsm_internal.legacy_shared_id() then
    v_verdict := fsm_internal.import_obstacle(p_session_id, p_batch, (select bool_and(i.is_kept) from unnest(p_items) i));
    if v_verdict.outcome is null then
      v_verdict := fsm_internal.judged_import(p_session_id, p_batch, v_good, v_initial.machine, v_initial);
      if not p_dry_run and v_verdict.outcome in ('imported', 'conflict_resolved') then
        v_made := fsm_internal.write_import(p_session_id, v_initial, v_verdict);
      end if;
    end if;
  end if;
  if not p_dry_run then
    perform fsm_internal.keep_import_item(p_batch, p_items[n], v_readings[n], v_verdict, v_made) from generate_series(1, cardinality(p_items)) n;
  end if;
  return query
    select o.session_id, o.outcome, o.code, o.message
    from generate_series(1, cardinality(p_items)) n
    cross join lateral fsm_internal.import_item_outcome(v_readings[n], null) o
    where o.outcome is not null and (p_items[n]).is_given
    order by n;
  -- Not of a session that only the shared row brought up again.
  if v_verdict.outcome is not null and (v_made is not null or exists (select from unnest(p_items) i where i.is_given and i.session_id = p_session_id)) then
    return query select p_session_id, v_verdict.outcome, v_verdict.code, v_verdict.message;
  end if;
end
$$;
comment on function fsm_internal.import_session(text, uuid, fsm_internal.import_item[], boolean) is
  'Imports one session, whose lock is held unless it is a dry run, from all of its originals in the batch: a row for each original that is quarantined or skipped by itself, then one for the session if any original can be trusted.';

create function fsm_internal.import_item_outcome(p_reading fsm_internal.legacy_reading, p_verdict fsm_internal.import_verdict)
returns table (session_id text, outcome text, code text, message text)
language plpgsql
immutable
as $$
begin
  session_id := p_reading.session_id;
  if p_reading.session_id = fsm_internal.legacy_shared_id() then
    outcome := 'skipped'; code := 'sentinel_session';
    message := 'the old engine''s shared row is no session; its contract counts as a snapshot of the session that it names';
  elsif p_reading.problem is not null then
    outcome := 'quarantined'; code := p_reading.problem; message := p_reading.message;
  else
    outcome := p_verdict.outcome; code := p_verdict.code; message := p_verdict.message;
  end if;
  return next;
end
$$;
comment on function fsm_internal.import_item_outcome(fsm_internal.legacy_reading, fsm_internal.import_verdict) is
  'What became of one original: its own fault, or what became of its session.';

create function fsm_internal.import_obstacle(p_session_id text, p_batch uuid, p_all_known boolean)
returns fsm_internal.import_verdict
language plpgsql
volatile
as $$
declare
  v_session record;
  v_verdict fsm_internal.import_verdict;
begin
  select s.version, fsm_internal.is_as_imported(s.session_id, p_batch) as is_unchanged, exists (
      select from fsm_internal.history h
      where h.session_id = s.session_id and h.kind = 'import' and h.note ->> 'batch' = p_batch::text) as is_ours
  into v_session
  from fsm_internal.sessions s where s.session_id = p_session_id;
  if v_session.version is null then
    return null;
  end if;
  v_verdict.outcome := 'skipped';
  if not v_session.is_ours then
    v_verdict.code := 'session_exists';
    v_verdict.message := format('there is a session of that id, at version %s, which this batch did not make', v_session.version);
  elsif p_all_known then
    v_verdict.code := 'already_imported';
    v_verdict.message := format('imported before by this batch; it is at version %s', v_session.version);
  elsif not v_session.is_unchanged then
    v_verdict.code := 'session_changed';
    v_verdict.message := format('imported before by this batch, and changed since: it is at version %s', v_session.version);
  else
    return null;
  end if;
  return v_verdict;
end
$$;
comment on function fsm_internal.import_obstacle(text, uuid, boolean) is
  'Why a session is left as it is: it exists and is not what this batch made of it, or nothing new came for it. Null: it may be written.';

create function fsm_internal.write_import(p_session_id text, p_initial fsm_internal.machine_states, p_verdict fsm_internal.import_verdict)
returns bigint
language plpgsql
volatile
as $$
declare
  v_state fsm_internal.machine_states;
  v_session fsm_internal.locked_session;
  v_outcome fsm_internal.outcome;
  v_write fsm_internal.pending_write := ('import', p_verdict.state, null, fsm_internal.bare_context(p_verdict.context), null, true, null, null, p_verdict.note);
begin
  if exists (select from fsm_internal.sessions s where s.session_id = p_session_id) then
    v_session := fsm_internal.read_locked_session(p_session_id);
    v_session.machine_version := p_initial.machine_version;
    v_write.undo := (fsm_internal.context_change(v_session.context, v_write.context)).undo;
    v_outcome := fsm_internal.settle_write(v_session, v_write, null,
      fsm_internal.admission_of(v_session.machine, v_session.machine_version, p_verdict.state));
  else
    select t.* into v_state from fsm_internal.machine_states t
    where t.machine = p_initial.machine and t.machine_version = p_initial.machine_version and t.state = p_verdict.state;
    v_outcome := fsm_internal.insert_session(p_session_id, v_state, v_write);
  end if;
  perform fsm_internal.refuse(v_outcome.refusal);
  return v_outcome.version;
end
$$;
comment on function fsm_internal.write_import(text, fsm_internal.machine_states, fsm_internal.import_verdict) is
  'Makes the session, or the next version of one that the same batch made and nobody changed; returns the version.';

create function fsm_internal.keep_import_item(
  p_batch uuid, p_item fsm_internal.import_item, p_reading fsm_internal.legacy_reading, p_verdict fsm_internal.import_verdict, p_version bigint)
returns void
language plpgsql
volatile
as $$
declare
  v_outcome record;
begin
  select o.outcome, o.code, o.message into v_outcome from fsm_internal.import_item_outcome(p_reading, p_verdict) o;
  if p_item.is_kept then
    -- A call later its session may have come to something else.
    update fsm_internal.import_items i
    set outcome = v_outcome.outcome, code = v_outcome.code, message = v_outcome.message, version = coalesce(p_version, i.version)
    where i.batch = p_batch and i.digest = p_item.digest and p_version is not null and p_reading.problem is null;
    return;
  end if;
  insert into fsm_internal.import_items as i (batch, digest, source, session_id, target, machine, data, problem, original, outcome, code, message, version, at)
  values (p_batch, p_item.digest, p_item.source, p_item.session_id, p_item.target, p_item.machine, p_item.data, p_item.problem, p_item.original,
    coalesce(v_outcome.outcome, 'skipped'), v_outcome.code, v_outcome.message, case when p_reading.problem is null then p_version end, fsm_internal.clock())
  on conflict on constraint import_items_pkey do update
  set undone = false, target = excluded.target, machine = excluded.machine, data = excluded.data, problem = excluded.problem, outcome = excluded.outcome, code = excluded.code, message = excluded.message, version = excluded.version, at = excluded.at;
end
$$;
comment on function fsm_internal.keep_import_item(uuid, fsm_internal.import_item, fsm_internal.legacy_reading, fsm_internal.import_verdict, bigint) is
  'Keeps an original in its batch, with what became of it.';
