-- A refusal is a value until somebody raises it: a batch answers refusals as rows, without a subtransaction for each.
create function fsm_internal.refusal(p_sqlstate text, p_message text, p_detail jsonb, p_hint text)
returns jsonb
language sql
stable
return jsonb_build_object('sqlstate', p_sqlstate, 'message', p_message, 'detail', p_detail, 'hint', p_hint);
comment on function fsm_internal.refusal(text, text, jsonb, text) is
  'Why a rule says no, as {sqlstate, message, detail, hint}. p_message: a stable sentence without data; p_detail: a JSON object with the facts; p_hint: what to do next.';

create function fsm_internal.log_refusal(p_refusal jsonb)
returns void
language plpgsql
volatile
as $$
begin
  if p_refusal ->> 'sqlstate' = 'SM060' then
    raise log 'fsm.corrupt %', p_refusal -> 'detail';
  elsif p_refusal ->> 'sqlstate' like 'SM%' then
    -- Findings quote values of a context, and paths its keys: they stay out of the log.
    raise log 'fsm.refused %', (p_refusal - array['detail', 'hint']) || ((p_refusal -> 'detail') - array['findings', 'path']);
  end if;
end
$$;
comment on function fsm_internal.log_refusal(jsonb) is
  'Writes the line fsm.refused or fsm.corrupt to the server log, which outlives the rollback that an error brings. Misuse of an argument is not logged.';

create function fsm_internal.refuse(p_refusal jsonb)
returns void
language plpgsql
volatile
as $$
begin
  if p_refusal is null then
    return;
  end if;
  perform fsm_internal.log_refusal(p_refusal);
  raise exception using errcode = p_refusal ->> 'sqlstate', message = p_refusal ->> 'message',
    detail = (p_refusal -> 'detail')::text, hint = p_refusal ->> 'hint';
end
$$;
comment on function fsm_internal.refuse(jsonb) is 'The one place that raises what a rule says: writes the line to the server log, then raises. Null is no refusal and passes.';

create function fsm_internal.refuse(p_sqlstate text, p_message text, p_detail jsonb, p_hint text)
returns void
language plpgsql
volatile
as $$
begin
  perform fsm_internal.refuse(fsm_internal.refusal(p_sqlstate, p_message, p_detail, p_hint));
end
$$;
comment on function fsm_internal.refuse(text, text, jsonb, text) is 'Raises a refusal given by its parts.';
