create function fsm_internal.legacy_field_types()
returns table (name text, wanted text)
language sql
immutable
begin atomic
  select f.name, f.wanted from (values
    ('step_log', 'array'), ('tools_used', 'array'), ('search_results', 'array'), ('top_products', 'array'), ('extracted_attributes', 'array'),
    ('conversation_history', 'array'), ('fsm_state_history', 'array'), ('pipeline_execution_history', 'array'),
    ('selected_product', 'object'), ('product_recommendations', 'object'), ('pipeline_executions', 'object'), ('last_pipeline_results', 'object'),
    ('pipeline_performance_metrics', 'object'), ('pipeline_results', 'object'), ('user_preferences', 'object'), ('search_constraints', 'object'),
    ('metadata', 'object'), ('confirmation_pending', 'boolean'), ('is_cancelled', 'boolean'), ('refinement_attempts', 'integer'),
    ('product_query', 'string'), ('contract_status', 'string'), ('user_id', 'string'),
    ('preferences', 'array or object'), ('constraints', 'array or object')) f (name, wanted);
end;
comment on function fsm_internal.legacy_field_types() is 'The fields of a contract''s context whose type the old engine checked when it loaded one.';

create function fsm_internal.legacy_coerced(p_value jsonb, p_wanted text)
returns jsonb
language plpgsql
immutable
as $$
declare
  v_text text := lower(btrim(p_value #>> '{}'));
begin
  if p_wanted like '%' || jsonb_typeof(p_value) || '%' then
    return p_value;
  end if;
  if jsonb_typeof(p_value) not in ('string', 'number', 'boolean') then
    return null;
  end if;
  return case
    when p_wanted = 'boolean' and v_text in ('true', 't', 'yes', 'y', 'on', '1') then 'true'
    when p_wanted = 'boolean' and v_text in ('false', 'f', 'no', 'n', 'off', '0') then 'false'
    when p_wanted = 'integer' and jsonb_typeof(p_value) = 'boolean' then to_jsonb((p_value::boolean)::integer)
    when p_wanted = 'integer' and jsonb_typeof(p_value) = 'number' and p_value::numeric = trunc(p_value::numeric) then p_value
    when p_wanted = 'integer' and jsonb_typeof(p_value) = 'string' and v_text ~ '^[+-]?\d{1,18}$' then to_jsonb(v_text::bigint) end;
end
$$;
comment on function fsm_internal.legacy_coerced(jsonb, text) is
  'A value as the type that its field has, where that is beyond doubt: "true" as true, "2" as 2. Null: it cannot be.';

create function fsm_internal.legacy_fields(p_contract jsonb)
returns table (contract jsonb, wrong text, warning text)
language plpgsql
immutable
as $$
declare
  v_field record;
  v_value jsonb;
begin
  contract := p_contract;
  for v_field in
    select t.name, t.wanted, p_contract -> t.name as value from fsm_internal.legacy_field_types() t
    where p_contract ? t.name order by t.name
  loop
    if v_field.value = 'null' then
      -- Absent by another name; what may be null in the present shape stays.
      if v_field.name not in ('selected_product', 'product_recommendations', 'user_id', 'product_query') then
        contract := contract - v_field.name;
      end if;
      continue;
    end if;
    v_value := fsm_internal.legacy_coerced(v_field.value, v_field.wanted);
    if v_value is null then
      wrong := coalesce(wrong, format('%s is of type %s, not %s', v_field.name, jsonb_typeof(v_field.value), v_field.wanted));
    elsif v_value <> v_field.value then
      contract := contract || jsonb_build_object(v_field.name, v_value);
      warning := 'type_coerced';
    end if;
  end loop;
  if wrong is null and jsonb_path_exists(contract, 'strict $.constraints[*] ? (@.type() != "string" && @.type() != "object")', '{}', true)
    and jsonb_typeof(contract -> 'constraints') = 'array'
  then
    wrong := 'an element of constraints is neither a string nor an object';
  end if;
  return next;
end
$$;
comment on function fsm_internal.legacy_fields(jsonb) is
  'A contract''s context with every checked field in its type: wrong says which one cannot be, warning is type_coerced when one had to be turned.';

create function fsm_internal.legacy_shapes(p_contract jsonb, p_generation text)
returns table (contract jsonb, warnings text[])
language plpgsql
immutable
as $$
begin
  contract := p_contract;
  warnings := '{}';
  if p_generation not in ('V3', 'V4', 'V5', 'V6') then
    return next;  -- V1 and V2 had the older shapes, V7 takes both
    return;
  end if;
  if jsonb_typeof(contract -> 'preferences') = 'array' then
    contract := contract || jsonb_build_object('preferences', (
      select coalesce(jsonb_object_agg('preference_' || e.nth, case jsonb_typeof(e.value) when 'string' then e.value else to_jsonb(e.value::text) end), '{}')
      from jsonb_array_elements(contract -> 'preferences') with ordinality e(value, nth)));
    warnings := array['older_shape_converted'];
  end if;
  if jsonb_typeof(contract -> 'constraints') = 'object' then
    contract := contract || jsonb_build_object('constraints', (
      select coalesce(jsonb_agg(format('%s: %s', e.key, e.value #>> '{}') order by e.key collate "C"), '[]')
      from jsonb_each(contract -> 'constraints') e));
    warnings := array['older_shape_converted'];
  elsif p_generation <> 'V6' and jsonb_path_exists(contract, 'strict $.constraints[*] ? (@.type() == "object")', '{}', true) then
    warnings := warnings || 'legacy_could_not_load'::text;
  end if;
  return next;
end
$$;
comment on function fsm_internal.legacy_shapes(jsonb, text) is
  'Preferences and constraints in the shape of their generation: from V3 on an object and a list. older_shape_converted: they had the older one. legacy_could_not_load: constraints hold objects, which the old engine wrote and then refused to load; they are kept.';
