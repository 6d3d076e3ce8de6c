create function fsm_internal.schema_length_limit()
returns integer
language sql
immutable
return 64;
comment on function fsm_internal.schema_length_limit() is
  'Up to this many characters a length is tested by a regular expression. Its cost rises with the square of the bound (6 us at 64, 75 us at 250), so longer ones are left to schema_rest.';
