create function fsm_internal.schema_keyword_hint(p_keyword text)
returns text
language sql
immutable
return case
  when p_keyword = 'oneOf' then 'use anyOf'
  when p_keyword = 'allOf' then 'write the keywords side by side; a $ref may stand beside them'
  when p_keyword = 'discriminator' then 'leave it out; anyOf with a const in each alternative says the same'
  when p_keyword in ('prefixItems', 'additionalItems', 'unevaluatedItems', 'contains', 'minContains', 'maxContains', 'uniqueItems')
    then 'arrays have items (one schema for all), minItems and maxItems'
  when p_keyword in ('patternProperties', 'propertyNames', 'unevaluatedProperties', 'minProperties', 'maxProperties')
    then 'objects have properties, required and additionalProperties (true or false)'
  when p_keyword in ('not', 'if', 'then', 'else', 'dependentRequired', 'dependentSchemas', 'dependencies')
    then 'conditions between values belong into an invariant'
  when p_keyword = 'multipleOf' then 'use an invariant, such as $.amount % 5 == 0'
  when p_keyword = 'definitions' then 'use $defs at the top of the schema'
  when p_keyword in ('$anchor', '$dynamicRef', '$dynamicAnchor', '$recursiveRef', '$recursiveAnchor', '$vocabulary', 'id')
    then 'use $ref with #/$defs/Name'
  when p_keyword = 'nullable' then 'add "null" to type'
  when p_keyword in ('readOnly', 'writeOnly', 'contentEncoding', 'contentMediaType', 'contentSchema') then 'leave it out; it says nothing about validity'
  else 'the keywords are type, required, properties, additionalProperties, items, minItems, maxItems, enum, const, minimum, maximum, '
    'exclusiveMinimum, exclusiveMaximum, minLength, maxLength, pattern, anyOf, $ref and $defs'
end;
comment on function fsm_internal.schema_keyword_hint(text) is 'What to write instead of a keyword that is not supported.';
