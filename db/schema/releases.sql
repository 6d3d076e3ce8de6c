create table fsm_internal.releases (
  migration text not null,
  release text not null,
  applied_at timestamptz not null default clock_timestamp(),
  constraint releases_pkey primary key (migration),
  constraint releases_names_not_empty check (migration <> '' and release <> '')
);
comment on table fsm_internal.releases is
  'One row per release step of the schema, written in the same transaction as its DDL, so that a migration tool that died before its own mark can tell.';

-- What the doctor compares with: a function that somebody weakened works, and nobody notices.
create table fsm_internal.installed_functions (
  function text not null,
  digest text not null,
  parsed_by integer,
  constraint installed_functions_pkey primary key (function)
);
comment on table fsm_internal.installed_functions is 'What fsm_internal.function_digests gave at the end of the last release step.';
comment on column fsm_internal.installed_functions.parsed_by is 'The major version of the server that printed the body for the digest; null when the body is kept as text.';

create table fsm_internal.installed_relations (
  part text not null,
  digest text not null,
  parsed_by integer,
  constraint installed_relations_pkey primary key (part)
);
comment on table fsm_internal.installed_relations is 'What fsm_internal.relation_digests gave at the end of the last release step.';
comment on column fsm_internal.installed_relations.parsed_by is 'The major version of the server that printed a view for the digest; null for the rest.';
