"""The contract of the session functions in plain Python, for one small machine. It shares nothing with the SQL."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Context = dict[str, Any]
LIMITS = {"log": {"limit": 2, "window": "1 hour", "action": "log"}}
BLOCK = {"limit": 1, "window": "1 hour", "action": "block"}
DIVERT = {"limit": 1, "window": "1 hour", "action": {"divert": "d"}}

DEFINITION: dict[str, Any] = {
    "id": "model",
    "initial": "a",
    "states": {
        "a": {
            "on": {
                "GO": [{"target": "b", "guard": "$.n > 2"}, {"target": "c", "guard": "$.n > 0"}],
                "HOP": {"target": "b", "meta": {"loop": BLOCK}},
                "SELF": {"target": "a", "meta": {"loop": DIVERT}},
                "AGAIN": {"target": "a", "reenter": True, "meta": {"loop": None}},
            }
        },
        "b": {"on": {"BACK": "a", "GO": "c"}, "meta": {"invariant": "$.n != 1"}},
        "c": {"on": {"BACK": "a", "ASIDE": {"target": "d", "guard": "$.n == 3"}}},
        "d": {"on": {"BACK": "a", "GO": "c"}, "meta": {"invariant": "$.n < 4"}},
        "z": {"type": "final"},
    },
    "on": {"END": {"target": "z", "guard": "$.n == 4"}},
    "meta": {
        "loop": LIMITS["log"],
        "context_schema": {"properties": {"n": {"type": "integer"}, "log": {"type": "array"}}},
        "max_context_bytes": 200,
    },
}


def _n(test: Callable[[Any], bool]) -> Callable[[Context], bool]:
    """A predicate on n, which does not hold unless n is a number."""
    return lambda context: isinstance(context.get("n"), (int, float)) and test(context["n"])


PREDICATES: dict[str, Callable[[Context], bool]] = {
    "$.n > 2": _n(lambda n: n > 2),
    "$.n > 0": _n(lambda n: n > 0),
    "$.n == 3": _n(lambda n: bool(n == 3)),
    "$.n == 4": _n(lambda n: bool(n == 4)),
    "$.n != 1": _n(lambda n: bool(n != 1)),
    "$.n < 4": _n(lambda n: n < 4),
}


class Refused(Exception):
    """What the contract refuses, with its SQLSTATE."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


@dataclass(frozen=True)
class Version:
    """One row of history, with what load_session_at gives for it."""

    kind: str
    from_state: str | None
    state: str
    event: str | None
    context: Context
    loop: bool
    entered: int
    request: Any


@dataclass
class Session:
    """A session: its versions, counted from 1."""

    versions: list[Version] = field(default_factory=list)

    @property
    def version(self) -> int:
        return len(self.versions)

    @property
    def state(self) -> str:
        return self.versions[-1].state

    @property
    def context(self) -> Context:
        return copy.deepcopy(self.versions[-1].context)


def candidates(state: str, event: str) -> list[dict[str, Any]]:
    """The candidates of an event in a state, each as an object."""
    definition = DEFINITION["states"][state]
    if definition.get("type") == "final":
        return []
    found = definition["on"].get(event, DEFINITION["on"].get(event, []))
    return [
        one if isinstance(one, dict) else {"target": one} for one in (found if isinstance(found, list) else [found])
    ]


def events(state: str) -> list[str]:
    """The names of the events that a state knows, in collation C."""
    if DEFINITION["states"][state].get("type") == "final":
        return []
    return sorted({*DEFINITION["states"][state]["on"], *DEFINITION["on"]})


def taken(state: str, event: str, context: Context) -> dict[str, Any] | None:
    """The first candidate whose guard holds."""
    for candidate in candidates(state, event):
        if "guard" not in candidate or PREDICATES[candidate["guard"]](context):
            return candidate
    return None


def merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


class Model:
    """All sessions, and what each call must do to them."""

    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}

    def attempt(self, call: str, session_id: str, *arguments: Any) -> tuple[int, bool] | Refused:
        """Do a call; return the version that it answers with and whether as a replay, or the refusal."""
        before = self.sessions[session_id].version if session_id in self.sessions else 0
        try:
            version: int = getattr(self, call)(session_id, *arguments)
        except Refused as refusal:
            return refusal
        return version, self.sessions[session_id].version == before

    def create(self, session_id: str, context: Any, request: Any) -> int:
        session = self.sessions.get(session_id)
        if session is not None:
            replayed = self._replay(session, request)
            if replayed:
                return replayed
            raise Refused("SM011")
        self._formed(context)
        self._admitted(context, "a")
        self.sessions[session_id] = Session([Version("create", None, "a", None, context, False, 1, request)])
        return 1

    def save(
        self, session_id: str, state: str, context: Any, version: int | None, event: str | None, request: Any
    ) -> int:
        def decide(session: Session) -> tuple[str, str, str | None, Context, dict[str, Any]]:
            self._formed(context)
            here = session.state
            if state == here and event is None:
                return "update", here, None, context, {}
            tried = [
                name
                for name in (events(here) if event is None else [event])
                if any(one["target"] == state for one in candidates(here, name))
            ]
            if not tried:
                raise Refused("SM020")
            for name in tried:
                candidate = taken(here, name, context)
                if candidate is not None and candidate["target"] == state:
                    return "transition", state, name, context, candidate
            raise Refused("SM022")

        return self._write(session_id, version, request, decide)

    def send(self, session_id: str, event: str, patch: Any, append: Any, version: int | None, request: Any) -> int:
        def decide(session: Session) -> tuple[str, str, str | None, Context, dict[str, Any]]:
            context = self._changed(session, patch, append)
            if not candidates(session.state, event):
                raise Refused("SM020")
            candidate = taken(session.state, event, context)
            if candidate is None:
                raise Refused("SM022")
            return "transition", candidate["target"], event, context, candidate

        return self._write(session_id, version, request, decide)

    def update(self, session_id: str, patch: Any, append: Any, version: int | None, request: Any) -> int:
        def decide(session: Session) -> tuple[str, str, str | None, Context, dict[str, Any]]:
            return "update", session.state, None, self._changed(session, patch, append), {}

        return self._write(session_id, version, request, decide)

    def _write(self, session_id: str, version: int | None, request: Any, decide: Any) -> int:
        """Make the next version, or say which one is replayed, or refuse: in the order of the contract."""
        session = self.sessions.get(session_id)
        if session is None:
            raise Refused("SM010")
        replayed = self._replay(session, request)
        if replayed:
            return replayed
        if version is not None and version != session.version:
            raise Refused("SM030")
        if DEFINITION["states"][session.state].get("type") == "final":
            raise Refused("SM012")
        kind, state, event, context, candidate = decide(session)
        loop = kind == "transition" and self._loop(session, state, candidate)
        rule = self._rule(candidate)
        if loop and rule["action"] == "block":
            raise Refused("SM040")
        if loop and isinstance(rule["action"], dict):
            kind, state, candidate = "divert", rule["action"]["divert"], {}
        try:
            self._admitted(context, state)
        except Refused:
            raise Refused("SM040" if kind == "divert" else "SM021") from None
        enters = state != session.state or bool(candidate.get("reenter"))
        entered = session.version + 1 if enters else session.versions[-1].entered
        made = Version(kind, session.state, state, event, copy.deepcopy(context), loop, entered, request)
        session.versions.append(made)
        return session.version

    @staticmethod
    def _replay(session: Session, request: Any) -> int:
        numbers = [nth for nth, one in enumerate(session.versions, 1) if request is not None and one.request == request]
        return numbers[0] if numbers else 0

    @staticmethod
    def _rule(candidate: dict[str, Any]) -> Any:
        return candidate.get("meta", {}).get("loop", LIMITS["log"])

    def _loop(self, session: Session, state: str, candidate: dict[str, Any]) -> bool:
        rule = self._rule(candidate)
        passages = [
            v for v in session.versions if v.kind == "transition" and (v.from_state, v.state) == (session.state, state)
        ]
        return rule is not None and len(passages) + 1 > rule["limit"]

    def _changed(self, session: Session, patch: Any, append: Any) -> Context:
        patch, append = ({} if one is None else one for one in (patch, append))
        if not isinstance(patch, dict) or not isinstance(append, dict):
            raise Refused("SM021")
        context: Context = merge(session.context, patch)
        for key, elements in append.items():
            if not isinstance(elements, list) or not isinstance(context.get(key, []), list):
                raise Refused("SM021")
            context[key] = [*context.get(key, []), *elements]
        self._formed(context)
        return context

    @staticmethod
    def _formed(context: Any) -> None:
        if (
            not isinstance(context, dict) or len(str(context)) > 200
        ):  # the same number of characters as jsonb's text here
            raise Refused("SM021")

    @staticmethod
    def _admitted(context: Context, state: str) -> None:
        invariant = DEFINITION["states"][state].get("meta", {}).get("invariant")
        whole = isinstance(context.get("n", 0), int) and isinstance(context.get("log", []), list)
        if not whole or (invariant and not PREDICATES[invariant](context)):
            raise Refused("SM021")
