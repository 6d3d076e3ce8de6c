create function fsm_internal.refuse(p_sqlstate text, p_message text, p_detail jsonb, p_hint text)
returns void
language plpgsql
volatile
as $$
begin
  -- The server log outlives the rollback that the error brings. Findings quote values of a context, and paths its keys: they stay out of the log.
  raise log 'fsm.refused %', jsonb_build_object('sqlstate', p_sqlstate, 'message', p_message) || (p_detail - array['findings', 'path']);
  raise exception using errcode = p_sqlstate, message = p_message, detail = p_detail::text, hint = p_hint;
end
$$;
comment on function fsm_internal.refuse(text, text, jsonb, text) is
  'The one place where a rule says no: writes the line fsm.refused to the server log, then raises the error. p_message: a stable sentence without data; p_detail: a JSON object with the facts (findings and path are kept from the log); p_hint: what to do next.';
