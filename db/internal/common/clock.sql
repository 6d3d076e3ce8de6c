-- The one clock of every decision. Inlined, so that it costs what clock_timestamp() costs. Its owner, and nobody else, may replace it by
-- another one to try what happens when time is set back or runs ahead; fsm.doctor() finds that it is not the one that was installed.
create function fsm_internal.clock()
returns timestamptz
language sql
volatile
return clock_timestamp();
comment on function fsm_internal.clock() is
  'The time now, by the clock of the database. Unlike now() it goes on inside a transaction, so that what waited for a lock is not dated back.';
