create function fsm_internal.schema_ignored()
returns text[]
language sql
immutable
return array['title', 'description', 'default', 'examples', 'deprecated', 'format', '$schema', '$id', '$comment'];
comment on function fsm_internal.schema_ignored() is 'The keywords of a context_schema that say nothing about validity.';
