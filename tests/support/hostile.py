"""Bad input by name: what a case is, the world it is thrown at, and what must be true of every answer."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import psycopg

from support.api import MESSAGES, Api
from support.machines import DOOR, PURCHASE
from support.originals import contract, table_row

ACCEPTED = "accepted"
"""What is expected of a case that is odd but right; anything else that is expected is a SQLSTATE."""

BATCH = "00000000-0000-0000-0000-000000000001"
"""The import that the world has."""

EVERY = 25
"""So many calls are made from one look at everything that is stored to the next."""

MACHINE: dict[str, Any] = {
    "id": "m",
    "initial": "a",
    "states": {
        "a": {
            "on": {"GO": [{"target": "b", "guard": "$.n > 1"}, {"target": "a"}], "END": "z", "STAY": "a"},
            "after": {"86400000": "z"},
        },
        "b": {"on": {"BACK": "a"}, "meta": {"invariant": "$.n >= 0"}},
        "z": {"type": "final"},
    },
    "meta": {
        "audit": "chain",
        "max_context_bytes": 200_000,
        "context_schema": {"properties": {"t": {"type": "string", "pattern": "^[a-z]*$"}}},
    },
}
"""A bit of everything that a save looks at."""


@dataclass(frozen=True)
class Case:
    """One call with something wrong, or odd, in it."""

    name: str
    function: str
    expected: str
    arguments: dict[str, Any] = field(compare=False)


def furnish(admin: psycopg.Connection[Any], db: psycopg.Connection[Any]) -> None:
    """Make the world: machines, sessions in every condition, an import. By role fsm_admin, and a superuser."""
    api = Api(admin)
    for definition in (DOOR, PURCHASE, MACHINE, {**MACHINE, "description": "the second"}):
        api.one("define_machine", definition=definition)
    for name in ("s-1", "s-2", "fin", "held"):
        api.create(name, "m", context={"n": 2, "log": [1], "t": "x", "o": {"k": [0]}}, machine_version=1)
    api.update("s-1", patch={"n": 3}, request_id=BATCH)
    api.move("s-1", "GO", "BACK")
    api.send("fin", "END")
    api.begin("held", "somebody", ttl="1 hour")
    db.execute("update fsm_internal.turns set turn = 7")
    items = [table_row("old-1", contract("old-1", "search")), {"source": "postgres", "session_id": "old-2", "data": 5}]
    api.rows("import_sessions", items=items, batch=BATCH, dry_run=False)


def digest_query(db: psycopg.Connection[Any]) -> str:
    """Return a query for one text that changes with any row of any of our tables."""
    tables = db.execute(
        "select oid::regclass::text from pg_class"
        " where relnamespace = 'fsm_internal'::regnamespace and relkind = 'r' order by 1"
    ).fetchall()
    assert len(tables) > 10
    rows = " union all ".join(f"select '{name}' || t::text as line from {name} t" for (name,) in tables)
    return f"select md5(string_agg(md5(line), '' order by md5(line))) from ({rows}) everything"


class Judge:
    """Throws cases at a world, and says what is wrong with an answer."""

    def __init__(self, admin: psycopg.Connection[Any], db: psycopg.Connection[Any]) -> None:
        self.api = Api(admin)
        self.db = db
        self._digest = digest_query(db)
        self.stored = self.digest()
        self.pid = admin.info.backend_pid

    def digest(self) -> str:
        row = self.db.execute(self._digest).fetchone()
        assert row is not None
        return str(row[0])

    def problems(self, cases: Iterable[Case]) -> list[str]:
        """Make the calls; return what the rules forbid about their outcomes."""
        found, since = [], []
        for number, case in enumerate(cases, 1):
            problem = self._called(case)
            since.append(case.name)
            if problem is not None:
                found.append(f"{case.name}: {problem}")
                self.stored = self.digest()  # what was not refused may have written: the next ones are not to blame
            elif number % EVERY == 0:
                found += self._changed(since)
                since = []
        return found + self._changed(since)

    def _changed(self, since: list[str]) -> list[str]:
        found = self.digest()
        changed, self.stored = found != self.stored, found
        return [f"one of these has changed what is stored, though it was refused or rolled back: {since}"] * changed

    def _called(self, case: Case) -> str | None:
        if case.expected != ACCEPTED:  # Outside a block, as an application does: nothing but the call undoes its work.
            try:
                self.api.rows(case.function, **case.arguments)
            except psycopg.Error as error:
                return refusal_problem(error) or _differs(str(error.sqlstate), case.expected)
            return _differs(ACCEPTED, case.expected)
        try:
            with self.api.conn.transaction(force_rollback=True):
                self.api.rows(case.function, **case.arguments)
                found = self.api.rows("verify_sessions")
        except psycopg.Error as error:
            said = error.diag
            return (
                refusal_problem(error)
                or (f"expected to be accepted, was {said.sqlstate} {said.message_primary} {said.message_detail}"[:600])
            )
        return f"what it left is not sound: {found[:3]}" if found else None


def _differs(found: str, expected: str) -> str | None:
    return None if found == expected else f"expected {expected}, was {found}"


def refusal_problem(error: psycopg.Error) -> str | None:
    """Return what is wrong with how a call was refused: an SQLSTATE of ours, its MESSAGE, facts, a hint."""
    said = error.diag
    text = f"{said.sqlstate} {said.message_primary} {said.message_detail} {said.context}"[:600]
    if said.sqlstate not in MESSAGES:
        return f"not a refusal of ours: {text}"
    if said.message_primary not in MESSAGES[said.sqlstate]:
        return f"not a message of ours: {text}"
    try:
        facts = json.loads(said.message_detail or "")
    except ValueError:
        return f"DETAIL is no JSON: {text}"
    if not isinstance(facts, dict):
        return f"DETAIL is no JSON object: {text}"
    if not said.message_hint or "\n" in said.message_hint:
        return f"no HINT of one line: {text}"
    return None
