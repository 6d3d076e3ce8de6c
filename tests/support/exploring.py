"""A database of its own for schedules, with the worlds made and the functions instrumented."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql

from support import databases
from support.explored import WORLDS, Start, build, calls
from support.instrument import instrument, make_pause
from support.lanes import Call, Lane
from support.schedules import Explorer, Found, limit

Connection = psycopg.Connection[Any]


class Ground:
    """Where schedules are run: the explorer and its worlds."""

    def __init__(self, db: Connection, explorer: Explorer, starts: dict[str, Start], functions: int) -> None:
        self.db, self.explorer, self.starts, self.functions = db, explorer, starts, functions

    def explore(
        self,
        world: str,
        one: str,
        other: str,
        ends: tuple[str, str] = ("commit", "commit"),
        level: str = "read committed",
        until_found: int = 0,
    ) -> Found:
        """Explore two calls of a world; until_found: up to so many schedules, and none after the first bad one."""
        start = self.starts[world]
        both = [
            replace(self.call(world, name), ends=end, level=level) for name, end in zip((one, other), ends, strict=True)
        ]
        return self.explorer.explore(start.world, both, start.sessions, until_found or limit(), until_found > 0)

    def call(self, world: str, name: str) -> Call:
        """Return a call of a world."""
        return calls(world, self.starts[world].turn)[name]


@contextmanager
def worlds(admin: Connection, template: str) -> Iterator[str]:
    """Clone the template and make the worlds there; yields the database's name, to be cloned in its turn."""
    with databases.cloned(admin, template) as name:
        with psycopg.connect(databases.conninfo(name), autocommit=True) as db:
            build(db)
        yield name


@contextmanager
def ground(admin: Connection, built: str, prepare: Callable[[Connection], object] = lambda _: None) -> Iterator[Ground]:
    """Clone the worlds, have `prepare` weaken what it likes, and put pauses into what there is then."""
    with databases.cloned(admin, built) as name, ExitStack() as opened:

        def connect(login: str | None = None) -> Connection:
            conn = psycopg.connect(databases.conninfo(name, login), autocommit=True)
            opened.callback(conn.close)
            return conn

        # Two that wait for each other are to be found out at once.
        for setting, value in (("deadlock_timeout", "20ms"), ("jit", "off"), ("timezone", "UTC")):
            change = sql.SQL("alter database {} set {} = {}")
            admin.execute(change.format(sql.Identifier(name), sql.Identifier(setting), sql.Literal(value)))
        db, control, holder = connect(), connect(), connect()
        make_pause(db)
        prepare(db)
        functions = instrument(db)
        lanes = [Lane(number, connect("test_admin"), control) for number in (0, 1)]
        yield Ground(db, Explorer(db, holder, lanes), {name: Start(db, name) for name in WORLDS}, functions)
