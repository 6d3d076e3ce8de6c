"""The model and a database side by side: each call is made on both, and their answers are compared."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import psycopg

from .api import Api
from .clock import BASE, TestClock
from .model import Answer, Refused, Row, Session
from .model_machines import Machine, random_definition
from .model_operations import Model

Call = Callable[[], Any]


class Differs(AssertionError):
    """The database does not do what the model says."""


def agree(said: Any, expected: Any, what: str) -> None:
    """Fail unless the database said what the model expected."""
    if said != expected:
        raise Differs(f"{what}: the database says {said!r}, the model {expected!r}")


class World:
    """Two versions of a machine made from a seed, a model of them, and a database with a frozen clock."""

    def __init__(self, app: Api, admin: Api, clock: TestClock, number: int, seed: int) -> None:
        self.app, self.admin, self.clock = app, admin, clock
        self.name, self.prefix = f"m{number}", f"{number}-"
        definitions = {version: random_definition(seed, self.name, version) for version in (1, 2)}
        for version, definition in definitions.items():
            made = admin.one("define_machine", definition=definition)
            agree((made.machine_version, made.created), (version, True), "define_machine")
        self.model = Model({version: Machine(one, version) for version, one in definitions.items()})
        self.seen: Counter[str] = Counter()
        self.calls: list[str] = []
        self.wait(0)

    def wait(self, microseconds: int) -> None:
        """Let time pass, or step back."""
        self.model.now += microseconds
        self.clock.set(self.when(self.model.now))

    @staticmethod
    def when(microseconds: int) -> datetime:
        return BASE + timedelta(microseconds=microseconds)

    def id(self, session_id: str) -> str:
        return self.prefix + session_id

    # Comparing.

    def both(self, label: str, expect: Call, call: Call) -> tuple[Any, Any]:
        """Make a call on both: (what the model answers, what the database answers), (None, None) if both refuse."""
        self.calls.append(f"{label} at {self.model.now / 1e6}")
        try:
            expected = expect()
        except Refused as refusal:
            self._refused(label, refusal, call)
            return None, None
        try:
            return expected, call()
        except psycopg.Error as error:
            raise Differs(f"{label}: refused with {error.sqlstate} {error.diag.message_detail}") from error

    def _refused(self, label: str, refusal: Refused, call: Call) -> None:
        try:
            answer = call()
        except psycopg.Error as error:
            detail = json.loads(error.diag.message_detail or "{}")
            self.facts(label, refusal, error.sqlstate, detail)
            self.seen[refusal.sqlstate] += 1
        else:
            raise Differs(f"{label}: the database answers {answer}, the model refuses with {refusal}")

    @staticmethod
    def facts(label: str, refusal: Refused, sqlstate: str | None, detail: dict[str, Any]) -> None:
        """Compare a refusal: its SQLSTATE and what the model knows of DETAIL."""
        agree(sqlstate, refusal.sqlstate, f"{label} {detail}")
        said = {name: detail.get(name) for name in refusal.facts}
        if "allowed_events" in said:
            said["allowed_events"] = sorted(said["allowed_events"] or [])
        agree(said, refusal.facts, f"{label} {sqlstate}")

    def write(self, label: str, expect: Callable[[], Answer], call: Call) -> Answer | None:
        """A call that answers with a save_result."""
        answer, said = self.both(label, expect, call)
        if answer is None:
            return None
        session, row = answer.session, answer.row
        machine = self.model.machines[row.machine_version]
        expected = {
            "session_id": session.session_id, "machine": self.name, "machine_version": row.machine_version,
            "version": row.version, "state": row.state, "previous_state": row.from_state,
            "changed_state": row.state != row.from_state, "loop_detected": row.loop, "replayed": answer.replayed,
            "is_final": machine.final(row.state), "context_version": machine.context_version,
            "entered_at": self.when(row.entered), "created_at": self.when(session.created),
            "saved_at": self.when(row.at),
        }  # fmt: skip
        told = said._asdict()
        agree({name: told[name] for name in expected}, expected, label)
        if "context" in told:
            agree(told["context"], row.context, f"{label}: context")
        self.seen["replay" if answer.replayed else row.kind] += 1
        self.seen["loop"] += row.loop
        found: Answer = answer
        return found

    def row_of(self, session: Session, row: Row) -> dict[str, Any]:
        """The session_row of a version."""
        machine = self.model.machines[row.machine_version]
        return {
            "session_id": session.session_id, "machine": self.name, "machine_version": row.machine_version,
            "state": row.state, "version": row.version, "context": row.context,
            "context_version": machine.context_version, "is_final": machine.final(row.state),
            "entered_at": self.when(row.entered), "created_at": self.when(session.created),
            "updated_at": self.when(row.at),
        }  # fmt: skip

    # What must hold at any time.

    def compare_sessions(self) -> None:
        """Everything that can be loaded is what the model has."""
        ids = sorted(self.id(f"s-{number}") for number in range(1, 6))
        said = {row.session_id: row._asdict() for row in self.app.rows("load_sessions", session_ids=ids)}
        expected = {name: self.row_of(one, one.head) for name, one in self.model.sessions.items()}
        agree(said, expected, "load_sessions")

    def compare_past(self, session: Session) -> None:
        """Every version that is retained, and none that is not."""
        told = [
            (one.version, one.kind, one.from_state, one.to_state, one.event, one.loop_detected, one.at)
            for one in self.app.history(session.session_id, limit=None)[::-1]
        ]
        rows = session.rows
        agree(
            told,
            [(r.version, r.kind, r.from_state, r.state, r.event, r.loop, self.when(r.at)) for r in rows],
            "history",
        )
        for version in range(max(rows[0].version - 1, 1), session.version + 2):
            row = session.retained(version)
            said = self.app.at(session.session_id, version)
            agree(said and said._asdict(), row and self.row_of(session, row), f"load_session_at {version}")

    def compare_all(self) -> None:
        """At the end: everything that is stored is sound, and all of the past is what the model has."""
        agree(self.admin.rows("verify_sessions"), [], "verify_sessions")
        self.compare_sessions()
        for session in self.model.sessions.values():
            self.compare_past(session)
        listed = [row.session_id for row in self.app.rows("list_sessions", machine=self.name)]
        agree(listed, sorted(self.model.sessions), "list_sessions")

    def clear(self) -> None:
        """Leave nothing to the next world: deadlines and trimming are of the whole database."""
        self.admin.conn.execute("select fsm.delete_session(s.session_id) from fsm.sessions s")
