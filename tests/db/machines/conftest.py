"""What a definition is asked: its findings, its stored and its compiled form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
import pytest

Connection = psycopg.Connection[Any]


class Finding(NamedTuple):
    severity: str
    code: str
    path: str
    message: str


class Defined(NamedTuple):
    machine: str
    machine_version: int
    created: bool
    warnings: list[dict[str, Any]]


class Refused(NamedTuple):
    sqlstate: str | None
    message: str | None
    detail: Any
    hint: str | None


def dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


class Machines:
    """The functions of the subject, called on Python values."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn

    def check(self, definition: Any) -> list[Finding]:
        return self.check_text(dump(definition))

    def check_text(self, definition: str) -> list[Finding]:
        query = "select severity, code, path, message from fsm.check_machine(%s::jsonb)"
        return [Finding(*row) for row in self.conn.execute(query, (definition,))]

    def places(self, definition: Any) -> list[tuple[str, str, str]]:
        return [found[:3] for found in self.check(definition)]

    def define(self, definition: Any) -> Defined:
        query = "select machine, machine_version, created, warnings from fsm.define_machine(%s::jsonb)"
        [row] = self.conn.execute(query, (dump(definition),)).fetchall()
        return Defined(*row)

    def definition(self, machine: str | None, version: int | None = None) -> Any:
        return self._one("select fsm.machine_definition(%s, %s)", machine, version)

    def retire(self, machine: str | None, version: int | None, retired: bool | None = True) -> bool:
        return bool(self._one("select fsm.retire_machine(%s, %s, %s)", machine, version, retired))

    def rows(self, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
        return self.conn.execute(query, arguments).fetchall()

    def _one(self, query: str, *arguments: Any) -> Any:
        [(value,)] = self.rows(query, *arguments)
        return value

    @contextmanager
    def refused(self) -> Iterator[list[Refused]]:
        """Expect an error; afterwards the list holds it."""
        caught: list[Refused] = []
        with pytest.raises(psycopg.Error) as error:
            yield caught
        diag = error.value.diag
        detail = json.loads(diag.message_detail) if diag.message_detail else None
        caught.append(Refused(diag.sqlstate, diag.message_primary, detail, diag.message_hint))


@pytest.fixture
def machines(connect_as: Any) -> Machines:
    """The functions as a machine's author has them: login test_admin."""
    return Machines(connect_as("test_admin"))
