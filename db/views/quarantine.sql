create view fsm.quarantine as
select i.batch, i.session_id, i.source, i.code, i.message, i.original, i.at
from fsm_internal.import_items i
where i.outcome = 'quarantined' and not i.undone;
comment on view fsm.quarantine is
  'Originals of imports that could not be trusted, with the reason. They hold what people said: for fsm_admin only.';
comment on column fsm.quarantine.session_id is 'The id in the source, which need not be one that a session can have.';
comment on column fsm.quarantine.code is 'Why: a stable name such as unknown_state; message says it in words.';
comment on column fsm.quarantine.original is 'As it was given: text, or "base64:" and the bytes.';
