create function fsm_internal.legacy_context(p_reading fsm_internal.legacy_reading, p_machine text, p_is_final boolean)
returns jsonb
language plpgsql
stable
as $$
declare
  v_contract jsonb := coalesce(p_reading.context, '{}') - array['current_state', 'session_id', 'contract_template_path'];
begin
  return jsonb_build_object(
      'contract_type', p_machine, 'constraints', jsonb '[]', 'preferences', jsonb '{}', 'search_results', jsonb '[]', 'selected_product', null,
      'step_log', jsonb '[]', 'tools_used', jsonb '[]', 'confirmation_pending', false, 'is_cancelled', false, 'contract_status', 'active',
      'extracted_attributes', jsonb '[]', 'pipeline_executions', jsonb '{}', 'last_pipeline_results', jsonb '{}',
      'pipeline_performance_metrics', jsonb '{}', 'pipeline_results', jsonb '{}', 'pipeline_execution_history', jsonb '[]',
      'fsm_state_history', jsonb '[]', 'user_id', null, 'user_preferences', jsonb '{}', 'search_constraints', jsonb '{}', 'metadata', jsonb '{}')
    || v_contract
    || jsonb_build_object('serialization_version', '1.0', 'contract_template', p_machine,
      'conversation_history', fsm_internal.merged_chats(p_reading.chat, coalesce(v_contract -> 'conversation_history', '[]')))
    || case when v_contract ? 'last_updated' or not v_contract ? 'updated_at' then '{}'
      else jsonb_build_object('last_updated', v_contract -> 'updated_at') end
    || case when p_reading.title is null then '{}' else jsonb_build_object('title', p_reading.title) end
    || case when p_reading.rest = '{}' then '{}' else jsonb_build_object('legacy_metadata', p_reading.rest) end
    || case
      when p_reading.pending is not null then jsonb_build_object('selected_product', p_reading.pending, 'confirmation_pending', true)
      -- An order that is closed is not to be confirmed once more.
      when p_is_final then jsonb_build_object('confirmation_pending', false)
      else '{}' end;
end
$$;
comment on function fsm_internal.legacy_context(fsm_internal.legacy_reading, text, boolean) is
  'The context that a session is imported with: the contract''s in the newest shape of the old engine (other keys kept), its chat as conversation_history, the template by its name.';
