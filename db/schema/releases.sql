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
create table fsm_internal.installed_parts (
  part text not null,
  check_name text not null,
  digest text not null,
  parsed_by integer,
  constraint installed_parts_pkey primary key (part)
);
comment on table fsm_internal.installed_parts is 'What fsm_internal.part_digests gave at the end of the last release step.';
comment on column fsm_internal.installed_parts.parsed_by is 'The major version of the server that printed it for the digest; null when nothing had to be printed.';
