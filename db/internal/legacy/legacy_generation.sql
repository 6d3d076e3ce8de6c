create function fsm_internal.legacy_generation(p_contract jsonb)
returns text
language sql
immutable
return case
  when p_contract -> 'serialization_version' = '"1.0"' then case when p_contract ? 'fsm_state_history' then 'V7' else 'V6' end
  when p_contract ? 'refinement_attempts' then 'V5'
  when p_contract ? 'extracted_attributes' then 'V4'
  when p_contract ? 'top_products' then case jsonb_typeof(p_contract -> 'constraints') when 'object' then 'V2' else 'V3' end
  when jsonb_typeof(p_contract -> 'contract_template') = 'object' then 'V1'
  else 'V1p' end;
comment on function fsm_internal.legacy_generation(jsonb) is
  'In which shape the old engine wrote a contract''s context, told by its keys: serialization_version "1.0" stands for two of them and the rest have none.';

create function fsm_internal.legacy_template(p_template jsonb, p_machine text)
returns text
language sql
immutable
return case jsonb_typeof(p_template)
  when 'string' then coalesce(nullif(regexp_replace(regexp_replace(p_template #>> '{}', '^.*[/\\]', ''), '\.ya?ml$', ''), ''), p_machine)
  else p_machine end;
comment on function fsm_internal.legacy_template(jsonb, text) is
  'The name of a contract template: of a path, of whatever system, the last part without .yaml; the machine''s name when there is no path. Nothing is opened.';

create function fsm_internal.legacy_template_is_odd(p_contract jsonb, p_machine text)
returns boolean
language sql
immutable
return case jsonb_typeof(p_contract -> 'contract_template')
  when 'object' then false
  when 'string' then p_contract ->> 'contract_template' !~ case fsm_internal.legacy_generation(p_contract)
    when 'V7' then '^(/.*/)?contract_templates/[^/]*$' else '^contract_templates/[^/]*$' end
  -- The first builds kept the template itself, and null when its file was gone.
  when 'null' then fsm_internal.legacy_generation(p_contract) not in ('V1', 'V1p')
  else true end;
comment on function fsm_internal.legacy_template_is_odd(jsonb, text) is 'True when a contract names its template in another way than its build did: by a relative path, the last builds by an absolute one too.';
