"""What is stored: put back as it was before each schedule, and told afterwards so that two runs can be compared."""

from __future__ import annotations

import re
from typing import Any

import psycopg
from psycopg import sql

from support.instrument import TABLES

Connection = psycopg.Connection[Any]

# Times and tokens made from them differ from run to run: what is not in the world at the beginning is only called new.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)?|-?infinity")
_TOKEN = re.compile(r"\d{16}")
# last_session_id is where an upgrade is to go on: after a session that is gone since as well as after the one before.
_LEFT_OUT = {"cursor", "feed_position", "db_user", "digest", "last_session_id"}


def keep(db: Connection, name: str) -> None:
    """Put what is stored aside as a world, and leave nothing."""
    schema = sql.Identifier(f"world_{name}")
    db.execute(sql.SQL("create schema {}").format(schema))
    steps = []
    for table in TABLES:
        db.execute(sql.SQL("create table {0}.{1} as table fsm_internal.{1}").format(schema, sql.Identifier(table)))
        db.execute(sql.SQL("delete from fsm_internal.{}").format(sql.Identifier(table)))
        steps.append(f"delete from fsm_internal.{table}; insert into fsm_internal.{table} table world_{name}.{table};")
    body = sql.Literal(f"begin {' '.join(steps)} end")
    db.execute(sql.SQL("create procedure {}.restore() language plpgsql as {}").format(schema, body))


class World:
    """The rows of the sessions' tables, kept in a schema of their own."""

    def __init__(self, db: Connection, name: str) -> None:
        self.db, self.name = db, name
        told = ", ".join(
            f"'{table}', (select coalesce(jsonb_agg(to_jsonb(t)), '[]') from fsm_internal.{table} t)"
            for table in TABLES
        )
        self._tell = f"select jsonb_build_object({told})".encode()
        self._restore = f"call world_{name}.restore()".encode()
        self.restore()
        known = str(self._read())
        self._known = {found.group() for pattern in (_TIME, _TOKEN) for found in pattern.finditer(known)}

    def restore(self) -> None:
        """Make it as it was."""
        self.db.execute(self._restore)

    def _read(self) -> Any:
        row = self.db.execute(self._tell).fetchone()
        assert row is not None
        return row[0]

    def told(self) -> Any:
        """Return what is stored now, as it can be compared with another run's."""
        return {table: sorted(self.plain(rows), key=str) for table, rows in self._read().items()}

    def plain(self, value: Any) -> Any:
        """Return a value without what differs from run to run."""
        if isinstance(value, dict):
            return {key: self.plain(one) for key, one in value.items() if key not in _LEFT_OUT}
        if isinstance(value, list):
            return [self.plain(one) for one in value]
        if isinstance(value, int) and not isinstance(value, bool) and value > 10**15 and str(value) not in self._known:
            return "new token"
        if isinstance(value, str):
            if _TIME.fullmatch(value) and value not in self._known:
                return "new time"
            if value.startswith("\\x"):
                return "hash"
        return value
