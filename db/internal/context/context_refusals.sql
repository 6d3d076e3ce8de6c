create function fsm_internal.findings_refusal(p_session_id text, p_state text, p_findings jsonb)
returns jsonb
language sql
stable
return fsm_internal.refusal('SM021', 'context rejected',
  jsonb_build_object('session_id', p_session_id, 'state', p_state,
    'code', p_findings #> '{0,code}', 'path', p_findings #> '{0,path}', 'findings', p_findings),
  'Nothing was written. Mend what the findings in DETAIL name; fsm.validate_context tries a context without saving it.');
comment on function fsm_internal.findings_refusal(text, text, jsonb) is
  'The refusal SM021. p_findings: an array of {code, path, message}; code and path of the first stand at the top of DETAIL.';

create function fsm_internal.context_refusal(p_session_id text, p_state text, p_code text, p_path text, p_message text)
returns jsonb
language sql
stable
return fsm_internal.findings_refusal(p_session_id, p_state,
  jsonb_build_array(jsonb_build_object('code', p_code, 'path', p_path, 'message', p_message)));
comment on function fsm_internal.context_refusal(text, text, text, text, text) is 'The refusal SM021 with one finding.';

create function fsm_internal.refuse_context(p_session_id text, p_state text, p_code text, p_path text, p_message text)
returns void
language plpgsql
volatile
as $$
begin
  perform fsm_internal.refuse(fsm_internal.context_refusal(p_session_id, p_state, p_code, p_path, p_message));
end
$$;
comment on function fsm_internal.refuse_context(text, text, text, text, text) is 'Raises SM021 with one finding.';

create function fsm_internal.refuse_findings(p_session_id text, p_state text, p_findings jsonb)
returns void
language plpgsql
volatile
as $$
begin
  perform fsm_internal.refuse(fsm_internal.findings_refusal(p_session_id, p_state, p_findings));
end
$$;
comment on function fsm_internal.refuse_findings(text, text, jsonb) is 'Raises SM021 with these findings.';
