create table fsm_internal.releases (
  migration text not null,
  release text not null,
  applied_at timestamptz not null default clock_timestamp(),
  constraint releases_pkey primary key (migration),
  constraint releases_names_not_empty check (migration <> '' and release <> '')
);
comment on table fsm_internal.releases is
  'One row per release step of the schema, written in the same transaction as its DDL, so that a migration tool that died before its own mark can tell.';
