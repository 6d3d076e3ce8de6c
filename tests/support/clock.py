"""A clock for a test's own database that the test sets, advances and steps back as it likes."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import psycopg

BASE = datetime(2031, 1, 1, tzinfo=timezone.utc)
MICROSECOND = timedelta(microseconds=1)

# The tick is a sequence, so that it rises also when the call that asked is refused, and nobody waits for anybody.
_INSTALL = """
create schema test_clock;
create table test_clock.reading (at timestamptz not null, step interval not null);
create sequence test_clock.tick minvalue 0;
grant usage on schema test_clock to fsm_owner;
grant select on test_clock.reading to fsm_owner;
grant usage on sequence test_clock.tick to fsm_owner;
create or replace function fsm_internal.clock() returns timestamptz language sql volatile
return (select r.at + r.step * nextval('test_clock.tick') from test_clock.reading r);
"""


class TestClock:
    """What ``fsm_internal.clock()`` says from now on, in the database of `owner`, a connection of a superuser.

    Each question gets a time of its own, a microsecond after the one before, unless the clock is `frozen`.
    """

    __test__ = False  # its name begins like a test's

    def __init__(self, owner: psycopg.Connection[Any], at: datetime = BASE, *, frozen: bool = False) -> None:
        self._owner = owner
        self._frozen = frozen
        self._set = at
        owner.execute(_INSTALL)
        self._write()

    @property
    def at(self) -> datetime:
        """What it was set to; with the questions since then, if it is not frozen, it says some microseconds more."""
        return self._set

    def set(self, at: datetime) -> None:
        """Set it, forward or back."""
        self._set = at
        self._write()

    def advance(self, by: timedelta) -> None:
        """Let time pass since it was last set; a negative time steps back."""
        self.set(self._set + by)

    def now(self) -> datetime:
        """Ask it, as the functions do."""
        row = self._owner.execute("select fsm_internal.clock()").fetchone()
        assert row is not None
        now: datetime = row[0]
        return now

    def _write(self) -> None:
        step = timedelta(0) if self._frozen else MICROSECOND
        with self._owner.transaction():
            self._owner.execute("delete from test_clock.reading")
            self._owner.execute("insert into test_clock.reading values (%s, %s)", (self._set, step))
            self._owner.execute("select setval('test_clock.tick', 0, false)")
