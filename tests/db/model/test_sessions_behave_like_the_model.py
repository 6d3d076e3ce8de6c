"""Random calls on a few sessions do what the plain-Python model of the contract says, call by call."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from support.api import Api
from support.model import DEFINITION, Model, Refused, Session, candidates, events

Strategy = st.SearchStrategy[Any]
session_ids = st.sampled_from(["s-1"] * 6 + ["s-2"] * 2 + ["s-3"])
n = st.sampled_from([0, 1, 2, 3, 3, 3, 3, 3, 4])
items: Strategy = st.lists(st.sampled_from([1, "x", None, [], {"a": 1}]), max_size=3)
deep: Strategy = st.dictionaries(st.sampled_from("xy"), st.none() | st.integers(0, 2))
contexts: Strategy = st.fixed_dictionaries({"n": n}, optional={"log": items, "deep": deep})
odd_contexts: Strategy = st.sampled_from(
    [[], "x", None, {}, {"n": "x"}, {"n": 1.5}, {"n": 3, "log": {}}, {"n": 3, "t": "x" * 200}]
)
any_contexts = st.one_of(*[contexts] * 9, odd_contexts)
odd_patches: Strategy = st.sampled_from([None, {"n": None}, {"log": None}, [], 1, {"n": "x"}, {"t": "x" * 200}])
patches = st.one_of(*[st.fixed_dictionaries({}, optional={"n": n, "log": items, "deep": deep})] * 9, odd_patches)
odd_appends: Strategy = st.sampled_from([[], {"n": []}, {"log": 1}])
appends = st.one_of(*[st.none()] * 5, *[st.fixed_dictionaries({"log": items})] * 5, odd_appends)
versions = st.sampled_from(["any"] * 4 + ["right"] * 5 + ["stale"])
requests = st.sampled_from([None] * 8 + [UUID(int=number) for number in (1, 2)])


class Machine(RuleBasedStateMachine):
    """The model and the database side by side."""

    api: Api
    seen: Counter[str]
    runs: Iterator[int]

    @initialize()
    def begin(self) -> None:
        self.model = Model()
        self.prefix = f"{next(self.runs)}-"
        self._create("s-1", {"n": 3}, None)
        self._create("s-2", {"n": 0}, UUID(int=1))

    @rule(session_id=session_ids, context=any_contexts, request=requests)
    def create(self, session_id: str, context: Any, request: Any) -> None:
        self._create(session_id, context, request)

    @rule(session_id=session_ids, data=st.data(), context=any_contexts, which=versions, request=requests)
    def save(self, session_id: str, data: st.DataObject, context: Any, which: str, request: Any) -> None:
        event = data.draw(st.none() | self._events(session_id))
        here = self._state(session_id)
        leads = [one["target"] for name in events(here) for one in candidates(here, name) if event in (None, name)]
        state = data.draw(st.sampled_from([*leads * 3, here, *DEFINITION["states"], "nowhere"]))
        version = self._expected(session_id, which)
        expected = self.model.attempt("save", session_id, state, context, version, event, request)
        self._compare(
            session_id,
            expected,
            lambda: self.api.save(
                self.prefix + session_id, state, json.dumps(context), version, event=event, request_id=request
            ),
        )

    @rule(session_id=session_ids, data=st.data(), patch=patches, append=appends, which=versions, request=requests)
    def send(self, session_id: str, data: st.DataObject, patch: Any, append: Any, which: str, request: Any) -> None:
        event = data.draw(self._events(session_id))
        version = self._expected(session_id, which)
        expected = self.model.attempt("send", session_id, event, patch, append, version, request)
        more = {"patch": patch, "append": append, "expected_version": version, "request_id": request}
        self._compare(session_id, expected, lambda: self.api.send(self.prefix + session_id, event, **more))

    @rule(session_id=session_ids, patch=patches, append=appends, which=versions, request=requests)
    def update(self, session_id: str, patch: Any, append: Any, which: str, request: Any) -> None:
        version = self._expected(session_id, which)
        expected = self.model.attempt("update", session_id, patch, append, version, request)
        more = {"patch": patch, "append": append, "expected_version": version, "request_id": request}
        self._compare(session_id, expected, lambda: self.api.update(self.prefix + session_id, **more))

    @rule(session_id=session_ids, there=st.sampled_from(["HOP", "GO", "SELF"]))
    def to_and_fro(self, session_id: str, there: str) -> None:
        """The same way again and again, which single calls at random seldom go."""
        for event in (there, "BACK") * 2:
            self._send(session_id, event, {"n": 3})

    @rule()
    def to_the_end(self) -> None:
        """And beyond it."""
        self._create("s-3", {"n": 4}, None)
        for _ in range(2):
            self._send("s-3", "END", {"n": 4})

    @invariant()
    def loads_agree(self) -> None:
        for session_id, session in self.model.sessions.items():
            row = self.api.load(self.prefix + session_id)
            assert (row.state, row.version, row.context) == (session.state, session.version, session.context)

    def teardown(self) -> None:
        """Each version is in history and comes back as it was."""
        for session_id, session in self.model.sessions.items():
            entries = self.api.history(self.prefix + session_id, limit=None)[::-1]
            told = [(one.kind, one.from_state, one.to_state, one.event, one.loop_detected) for one in entries]
            made = session.versions
            assert told == [(one.kind, one.from_state, one.state, one.event, one.loop) for one in made]
            assert [entry.version for entry in entries] == list(range(1, len(made) + 1))
            for entry, one in zip(entries, made, strict=True):
                row = self.api.at(self.prefix + session_id, entry.version)
                assert (row.state, row.context, row.updated_at) == (one.state, one.context, entry.at)
                assert row.entered_at == entries[one.entered - 1].at

    def _send(self, session_id: str, event: str, patch: Any) -> None:
        expected = self.model.attempt("send", session_id, event, patch, None, None, None)
        self._compare(session_id, expected, lambda: self.api.send(self.prefix + session_id, event, patch=patch))

    def _create(self, session_id: str, context: Any, request: Any) -> None:
        expected = self.model.attempt("create", session_id, context, request)
        text = json.dumps(context)
        self._compare(
            session_id,
            expected,
            lambda: self.api.create(self.prefix + session_id, "model", context=text, request_id=request),
        )

    def _compare(self, session_id: str, expected: tuple[int, bool] | Refused, call: Callable[[], Any]) -> None:
        """The database refuses with the same SQLSTATE, or it answers what the model knows."""
        if isinstance(expected, Refused):
            with pytest.raises(psycopg.Error) as caught:
                call()
            assert caught.value.sqlstate == expected.sqlstate
            self.seen[expected.sqlstate] += 1
            return
        answer = call()
        version, replayed = expected
        made = self.model.sessions[session_id].versions[version - 1]
        assert (answer.version, answer.replayed) == (version, replayed)
        assert (answer.state, answer.previous_state) == (made.state, made.from_state)
        assert (answer.changed_state, answer.loop_detected) == (made.state != made.from_state, made.loop)
        assert answer.is_final is (made.state == "z")
        assert (answer.entered_at == answer.saved_at) is (made.entered == version)
        if "context" in answer._fields:
            assert answer.context == made.context
        self.seen["replay" if replayed else made.kind] += 1

    def _state(self, session_id: str) -> str:
        return self.model.sessions[session_id].state if session_id in self.model.sessions else "a"

    def _events(self, session_id: str) -> st.SearchStrategy[str]:
        """Mostly an event that the present state knows."""
        return st.sampled_from([*events(self._state(session_id)) * 3, "GO", "BACK", "SELF", "NO"])

    def _expected(self, session_id: str, which: str) -> int | None:
        version = self.model.sessions.get(session_id, Session()).version
        return None if which == "any" else version - (which == "stale")


def test_random_calls_do_what_the_model_says(api: Api, define: Callable[..., int]) -> None:
    define(DEFINITION)
    seen: Counter[str] = Counter()
    machine = type("Calls", (Machine,), {"api": api, "seen": seen, "runs": count()})
    run_state_machine_as_test(machine, settings=settings(max_examples=50, stateful_step_count=40))
    # Everything that the model can answer came up.
    refusals = {f"SM0{number}" for number in (10, 11, 12, 20, 21, 22, 30, 40)}
    assert set(seen) == {"create", "transition", "update", "divert", "replay"} | refusals, seen
