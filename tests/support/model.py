"""The contract of the functions that write to sessions, in plain Python. It shares nothing with the SQL.

What belongs to turns and deadlines is in model_time.py, what goes over many sessions in model_operations.py.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from .model_machines import Candidate, Context, Machine, Rule


class Refused(Exception):
    """What the contract refuses: its SQLSTATE, and facts that must stand in DETAIL."""

    def __init__(self, sqlstate: str, **facts: Any) -> None:
        super().__init__(sqlstate, facts)
        self.sqlstate = sqlstate
        self.facts = facts


@dataclass(frozen=True)
class Row:
    """One row of history, with what the session was then."""

    version: int
    kind: str
    machine_version: int
    from_state: str | None
    state: str
    event: str | None
    context: Context
    loop: bool
    at: int
    entered: int
    request: Any
    rule: Rule | None = None
    """That of the way it went, for who asks for loops."""


@dataclass(frozen=True)
class Begun:
    """The turn that was begun last; `expires` is None once it was ended."""

    turn: int
    holder: str
    request: Any
    expires: int | None


@dataclass
class Session:
    """A session: what is retained of its history, oldest first, its turn, and its deadlines."""

    session_id: str
    rows: list[Row]
    created: int
    begun: Begun | None = None
    look: int | None = None
    """When it is looked at for deadlines. May be too early, never too late; None: never."""
    refusals: int = 0
    fired: tuple[int, int] | None = None
    """Since when the session is in its state, and the longest delay that was fired in this stay."""

    @property
    def head(self) -> Row:
        return self.rows[-1]

    @property
    def version(self) -> int:
        return self.head.version

    @property
    def state(self) -> str:
        return self.head.state

    @property
    def context(self) -> Context:
        return copy.deepcopy(self.head.context)

    def retained(self, version: int) -> Row | None:
        return next((row for row in self.rows if row.version == version), None)

    def replayed(self, request: Any) -> Row | None:
        return next((row for row in self.rows if request is not None and row.request == request), None)


@dataclass(frozen=True)
class Answer:
    """What a write answers: the row it made, or that an earlier call with the same request id made."""

    session: Session
    row: Row
    replayed: bool = False


@dataclass(frozen=True)
class Move:
    """What a write is to do."""

    kind: str
    state: str
    event: str | None
    context: Context
    rule: Rule | None = None
    reenter: bool = False


Decide = Callable[[Session], Move]


def merge(target: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


@dataclass
class Writes:
    """All sessions, and what each writing call must do to them."""

    machines: dict[int, Machine]
    now: int = 0
    sessions: dict[str, Session] = field(default_factory=dict)
    last_turns: dict[str, int] = field(default_factory=dict)
    """The highest token that an id ever had, also before it was deleted."""

    @property
    def newest(self) -> int:
        return max(self.machines)

    def machine(self, session: Session) -> Machine:
        return self.machines[session.head.machine_version]

    def known(self, session_id: str) -> Session:
        if session_id not in self.sessions:
            raise Refused("SM010", session_id=session_id)
        return self.sessions[session_id]

    def create(self, session_id: str, context: Any, version: int | None, request: Any) -> Answer:
        replayed = self._claimed(session_id, request)
        if replayed is not None:
            return replayed
        if version is not None and version not in self.machines:
            raise Refused("SM001", machine_version=version)
        machine = self.machines[version or self.newest]
        context = self._formed(context, machine, machine.initial)
        code = machine.inadmissible(context, machine.initial)
        if code:
            raise Refused("SM021", state=machine.initial, code=code)
        return self._made(session_id, "create", machine, machine.initial, context, request)

    def save(
        self,
        session_id: str,
        state: str,
        context: Any,
        expected: int | None,
        event: str | None,
        request: Any,
        turn: Any,
    ) -> Answer:
        def decide(session: Session) -> Move:
            machine, here = self.machine(session), session.state
            bare = self._formed(context, machine, state)
            if state == here and event is None:
                return Move("update", here, None, bare)
            tried = [
                name
                for name in (machine.events(here) if event is None else [event])
                if any(one.target == state for one in machine.candidates(here, name))
            ]
            if not tried:
                raise Refused("SM020", **self._moving(session, event, state))
            for name in tried:
                way = machine.taken(here, name, bare)
                if way is not None and way.target == state:
                    return _transition(name, way, bare)
            raise Refused("SM022", **self._moving(session, event, state))

        return self._write(session_id, expected, request, turn, decide)

    def send(
        self, session_id: str, event: str, patch: Any, append: Any, expected: int | None, request: Any, turn: Any
    ) -> Answer:
        def decide(session: Session) -> Move:
            machine = self.machine(session)
            context = self._changed(session, patch, append)
            if not machine.candidates(session.state, event):
                raise Refused("SM020", **self._moving(session, event, None))
            way = machine.taken(session.state, event, context)
            if way is None:
                raise Refused("SM022", **self._moving(session, event, None))
            return _transition(event, way, context)

        return self._write(session_id, expected, request, turn, decide)

    def update(self, session_id: str, patch: Any, append: Any, expected: int | None, request: Any, turn: Any) -> Answer:
        def decide(session: Session) -> Move:
            return Move("update", session.state, None, self._changed(session, patch, append))

        return self._write(session_id, expected, request, turn, decide)

    def rollback(self, session_id: str, to_version: int, expected: int | None, request: Any, turn: Any) -> Answer:
        def decide(session: Session) -> Move:
            machine, row = self.machine(session), self._retained(session, to_version)
            if row.state not in machine.states:
                raise Refused("SM020", state=session.state, to_state=row.state, to_version=to_version)
            if machine.too_large(row.context):
                raise Refused("SM021", state=row.state, code="too_large")
            return Move("rollback", row.state, None, copy.deepcopy(row.context))

        return self._write(session_id, expected, request, turn, decide, may_be_final=True)

    def fork(self, session_id: str, version: int, new_id: str, request: Any) -> Answer:
        replayed = self._claimed(new_id, request)
        if replayed is not None:
            return replayed
        row = self._retained(self.known(session_id), version)
        machine = self.machines[row.machine_version]
        return self._made(new_id, "fork", machine, row.state, copy.deepcopy(row.context), request)

    def delete(self, session_id: str) -> bool:
        return self.sessions.pop(session_id, None) is not None

    # What the writes have in common.

    def _claimed(self, session_id: str, request: Any) -> Answer | None:
        session = self.sessions.get(session_id)
        if session is None:
            return None
        row = session.replayed(request)
        if row is None:
            raise Refused("SM011", session_id=session_id, state=session.state, version=session.version)
        return Answer(session, row, replayed=True)

    def _made(self, session_id: str, kind: str, machine: Machine, state: str, context: Context, request: Any) -> Answer:
        row = Row(1, kind, machine.version, None, state, None, context, False, self.now, self.now, request)
        session = self.sessions[session_id] = Session(session_id, [row], self.now)
        self._scheduled(session)
        return Answer(session, row)

    def _write(
        self,
        session_id: str,
        expected: int | None,
        request: Any,
        turn: int | None,
        decide: Decide,
        may_be_final: bool = False,
    ) -> Answer:
        """Make the next version, or say which one is replayed, or refuse: in the order of the contract."""
        session = self.known(session_id)
        row = session.replayed(request)
        if row is not None:
            return Answer(session, row, replayed=True)
        self.check_turn(session, turn)
        if expected is not None and expected != session.version:
            raise Refused("SM030", version=session.version, expected_version=expected, state=session.state)
        if self.machine(session).final(session.state) and not may_be_final:
            raise Refused("SM012", state=session.state, version=session.version)
        return Answer(session, self.settle(session, decide(session), request=request))

    def settle(self, session: Session, move: Move, *, machine: Machine | None = None, request: Any = None) -> Row:
        """The end of every write: loop rule, schema and invariant of the state entered, then the next version."""
        head, machine = session.head, machine or self.machine(session)
        at = max(self.now, head.at + 1)
        rule, loop = move.rule, False
        if rule is not None and self._passage(session, head.state, move.state, rule.limit) >= at - rule.window:
            loop = True
            facts = {"from_state": head.state, "to_state": move.state, "event": move.event, "version": head.version,
                     "loop_limit": rule.limit, "action": rule.action, "divert_to": rule.divert}  # fmt: skip
            if rule.action == "block":
                raise Refused("SM040", **facts)
            if rule.divert is not None:
                move = replace(move, kind="divert", state=rule.divert, reenter=False)
        code = machine.inadmissible(move.context, move.state)
        if code and move.kind == "divert":
            raise Refused("SM040", **facts)
        if code:
            raise Refused("SM021", state=move.state, code=code)
        entered = at if move.reenter or move.state != head.state else head.entered
        session.rows.append(
            Row(
                head.version + 1,
                move.kind,
                machine.version,
                head.state,
                move.state,
                move.event,
                copy.deepcopy(move.context),
                loop,
                at,
                entered,
                request,
                rule,
            )
        )
        self._scheduled(session)
        return session.head

    @staticmethod
    def _passage(session: Session, from_state: str, to_state: str, number: int) -> int:
        """When the `number`-th last passage of a transition was; before all times if there were fewer."""
        passages = [
            row.at
            for row in session.rows
            if row.kind in ("transition", "deadline") and (row.from_state, row.state) == (from_state, to_state)
        ]
        return passages[-number] if len(passages) >= number else -(10**18)

    def _moving(self, session: Session, event: str | None, to_state: str | None) -> dict[str, Any]:
        return {
            "state": session.state, "event": event, "to_state": to_state, "version": session.version,
            "machine_version": session.head.machine_version,
            "allowed_events": self.machine(session).events(session.state),
        }  # fmt: skip

    @staticmethod
    def _retained(session: Session, version: int) -> Row:
        row = session.retained(version)
        if row is None:
            oldest, newest = session.rows[0].version, session.version
            raise Refused("22023", version=version, oldest_version=oldest, newest_version=newest)
        return row

    def _changed(self, session: Session, patch: Any, append: Any) -> Context:
        patch, append = ({} if one is None else one for one in (patch, append))
        if not isinstance(patch, dict) or not isinstance(append, dict):
            raise Refused("SM021", state=session.state, code="not_an_object")
        context: Context = merge(session.context, patch)
        for key, elements in append.items():
            if not isinstance(elements, list) or not isinstance(context.get(key, []), list):
                raise Refused("SM021", state=session.state, code="not_an_array")
            context[key] = [*context.get(key, []), *elements]
        return self._formed(context, self.machine(session), session.state)

    @staticmethod
    def _formed(context: Any, machine: Machine, state: str) -> Context:
        """The context without what is not stored in it."""
        if not isinstance(context, dict):
            raise Refused("SM021", state=state, code="not_an_object")
        if context.get("current_state", state) != state:
            raise Refused("SM021", state=state, code="state_disagrees")
        bare = {key: value for key, value in context.items() if key != "current_state"}
        if machine.too_large(bare):
            raise Refused("SM021", state=state, code="too_large")
        return bare

    def check_turn(self, session: Session, turn: int | None) -> None:
        """Turns and deadlines are told of in model_time.py."""
        raise NotImplementedError

    def _scheduled(self, session: Session) -> None:
        raise NotImplementedError


def _transition(event: str, way: Candidate, context: Context) -> Move:
    return Move("transition", way.target, event, context, way.rule, way.reenter)
