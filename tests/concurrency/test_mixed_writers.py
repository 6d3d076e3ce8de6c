"""Eight writers on four sessions, everything at once; then nothing is wrong and every acknowledged version is there.

Each writer is one connection that picks its next call by chance from all that write: saves, events, updates, batches,
turns, deadlines, rollbacks, upgrades, retention. What it was answered is written down; a refusal has to be one of those
that somebody else's write can bring about, and a deadlock is not one of them.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.api import Api
from support.machines import machine
from support.together import Running

Connection = psycopg.Connection[Any]
SECONDS = float(os.environ.get("FSMSTORE_STRESS_SECONDS", "6"))
SESSIONS = [f"s-{number}" for number in range(4)]
STATES = {
    "a": {"on": {"GO": "b", "SELF": {"target": "a", "reenter": True}}, "after": {"3": "b"}},
    "b": {"on": {"BACK": [{"target": "c", "guard": "$.n > 3"}, {"target": "a"}]}},
    "c": {"on": {"BACK": "a"}, "after": {"2": "d", "50": "a"}},
    "d": {"on": {"BACK": "a"}, "meta": {"invariant": "$.n < 7"}},
}
LOOP = {"limit": 40, "window": "1 second", "action": {"divert": "a"}}
# What a call may be refused with when others write to the same sessions.
EXPECTED = {"SM020", "SM021", "SM022", "SM030", "SM040", "SM050", "SM051", "22023"}


class Writer:
    """One connection, what it was acknowledged, and what it was refused with."""

    def __init__(self, api: Api, number: int) -> None:
        self.api = api
        self.random = random.Random(number)
        self.acknowledged: set[tuple[str, int]] = set()
        self.outcomes: Counter[str] = Counter()
        self.turns: dict[str, int] = {}
        self.name = f"writer-{number}"

    def run(self) -> None:
        calls: list[Callable[[str], Any]] = [
            self.save, self.save, self.send, self.send, self.update, self.batch, self.rows_of_batch, self.begin,
            self.end, self.fire, self.fire, self.roll_back, self.upgrade, self.trim, self.read,
        ]  # fmt: skip
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            call = self.random.choice(calls)
            try:
                call(self.random.choice(SESSIONS))
                self.outcomes[call.__name__] += 1
            except psycopg.Error as error:
                if error.sqlstate not in EXPECTED:
                    raise
                self.outcomes[str(error.sqlstate)] += 1

    def answered(self, row: Any) -> None:
        self.acknowledged.add((row.session_id, row.version))

    def patch(self) -> dict[str, Any]:
        return {"n": self.random.randrange(10), self.random.choice("xyz"): self.random.random()}

    def with_turn(self, session_id: str) -> dict[str, Any]:
        return {"turn": self.turns[session_id]} if session_id in self.turns else {}

    def save(self, session_id: str) -> None:
        now = self.api.load(session_id)
        state = self.random.choice(list(STATES))
        context = {**now.context, **self.patch()}
        self.answered(self.api.save(session_id, state, context, now.version, **self.with_turn(session_id)))

    def send(self, session_id: str) -> None:
        event = self.random.choice(["GO", "BACK", "SELF"])
        self.answered(self.api.send(session_id, event, patch=self.patch(), **self.with_turn(session_id)))

    def update(self, session_id: str) -> None:
        append = {"log": [self.random.randrange(100)]}
        self.answered(self.api.update(session_id, append=append, patch=self.patch(), **self.with_turn(session_id)))

    def items(self) -> list[dict[str, Any]]:
        chosen = self.random.choices(SESSIONS, k=3)  # in any order, and one may be there twice
        return [{"session_id": name, "state": self.api.load(name).state, "context": self.patch()} for name in chosen]

    def batch(self, _: str) -> None:
        for row in self.api.rows("save_sessions", items=self.items(), atomic=True):
            self.answered(row)

    def rows_of_batch(self, _: str) -> None:
        for row in self.api.rows("save_sessions", items=self.items(), atomic=False):
            if row.ok:
                self.answered(row)
            else:
                assert row.sqlstate in EXPECTED, row

    def begin(self, session_id: str) -> None:
        row = self.api.one("begin_turn", session_id=session_id, holder=self.name, ttl="20 milliseconds")
        assert row.turn > self.turns.get(session_id, 0)
        self.turns[session_id] = row.turn

    def end(self, session_id: str) -> None:
        if session_id in self.turns:
            self.api.one("end_turn", session_id=session_id, turn=self.turns.pop(session_id))

    def fire(self, _: str) -> None:
        for row in self.api.rows("fire_deadlines"):
            if row.version is not None:
                self.answered(row)
            else:
                assert row.sqlstate in {"SM021", "SM040", "SM050"}, row

    def roll_back(self, session_id: str) -> None:
        now = self.api.load(session_id)
        version = max(1, now.version - self.random.randrange(5))
        arguments = {"to_version": version, "expected_version": None, **self.with_turn(session_id)}
        self.answered(self.api.one("rollback_session", session_id=session_id, **arguments))

    def upgrade(self, _: str) -> None:
        first = self.random.randrange(2)
        self.api.rows("upgrade_sessions", machine="m", from_version=first + 1, to_version=2 - first, dry_run=False)

    def trim(self, _: str) -> None:
        self.api.one("trim_history", keep_versions=50, keep_for="0 seconds")

    def read(self, session_id: str) -> None:
        """A row that was read is one that its history knows, and a page of the feed never goes back."""
        now = self.api.load(session_id)
        then = self.api.at(session_id, now.version)
        assert then is None or (then.state, then.context) == (now.state, now.context)


@pytest.fixture
def writers(api: Api, db: Connection, connect_as: Callable[..., Any]) -> list[Writer]:
    for description in ("first", "second"):
        definition = machine(STATES, loop=LOOP, audit="chain") | {"description": description}
        db.execute("select fsm.define_machine(%s)", (json.dumps(definition),))
    for name in SESSIONS:
        api.create(name, "m", context={"n": 1, "log": []})
    return [Writer(Api(connect_as("test_admin")), number) for number in range(8)]


def test_everything_at_once_loses_nothing(writers: list[Writer], db: Connection) -> None:
    runs = [Running(writer.run) for writer in writers]
    for run in runs:
        run.result()
    outcomes = sum((writer.outcomes for writer in writers), Counter[str]())
    acknowledged = [one for writer in writers for one in writer.acknowledged]
    assert len(acknowledged) == len(set(acknowledged)), "one version was acknowledged to two"
    assert db.execute("select * from fsm.verify_sessions()").fetchall() == []
    for name in SESSIONS:
        [(newest, oldest)] = db.execute(
            "select max(version), min(version) from fsm_internal.history where session_id = %s", (name,)
        ).fetchall()
        mine = {version for session_id, version in acknowledged if session_id == name}
        kept = {version for (version,) in db.execute("select version from fsm.history(%s, null)", (name,))}
        assert {version for version in mine if version >= oldest} <= kept
        assert max(mine) <= newest
        # Upgrades report sessions, not versions; all else that was written was acknowledged to somebody.
        unknown = db.execute(
            "select version, kind from fsm.history(%s, null) where not version = any(%s)", (name, list(mine))
        ).fetchall()
        assert {kind for _, kind in unknown} <= {"create", "upgrade"}, unknown
    # Each sort of call came through, and each was in another's way: otherwise this shows nothing.
    assert set(outcomes) >= {
        *("save", "send", "update", "batch", "rows_of_batch", "begin", "end", "fire", "roll_back", "upgrade", "trim"),
        *("SM030", "SM050", "SM051"),
    }, outcomes
    kinds = {kind for (kind,) in db.execute("select distinct kind::text from fsm_internal.history")}
    assert kinds >= {"transition", "update", "deadline", "rollback", "upgrade"}, kinds
