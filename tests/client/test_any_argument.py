"""Anything as an argument of any method: a documented exception or an answer, and the store goes on working."""

from __future__ import annotations

import inspect
import math
import os
from collections import Counter, OrderedDict
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fsmstore
from fsmstore import SessionStore
from support.api import case
from support.clients import Flavour
from support.machines import DOOR

EXAMPLES = 12 * int(os.environ.get("FSMSTORE_FUZZ", "1"))

METHODS = sorted(
    name
    for name, found in inspect.getmembers(SessionStore, inspect.isfunction)
    if not name.startswith("_") and name != "close"
)


class Colour(str, Enum):
    RED = "red"


class Number(IntEnum):
    ONE = 1


class Text(str):
    """A text that is not quite one."""


def deep(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [value, {"a": value}]
    return value


itself: list[Any] = []
itself.append({"again": itself})

JUNK: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2**31,
    2**63,
    -(2**63) - 1,
    10**1000,
    1.5,
    -0.0,
    math.nan,
    math.inf,
    -math.inf,
    1e308,
    Decimal("NaN"),
    Decimal(1),
    1j,
    "",
    "s-1",
    "x" * 513,
    "é" * 257,
    "a\0b",
    "\ud800",
    "💡",
    "closed",
    "OPEN",
    "door",
    "$.x",
    "$.**",
    b"s-1",
    bytearray(b"x"),
    memoryview(b"x"),
    Text("s-1"),
    Colour.RED,
    Number.ONE,
    object(),
    object,
    len,
    ...,
    NotImplemented,
    [],
    {},
    (),
    set(),
    frozenset(),
    [None],
    [[]],
    ["s-1"],
    ["s-1", 5],
    ["a\0b"],
    ("s-1",),
    {"s-1"},
    range(3),
    iter(()),
    {"a": math.nan},
    {1: 2},
    {"a": {None: 1}},
    {"a": "\ud800"},
    {"a": b"x"},
    {"current_state": "open"},
    {"session_id": 5},
    OrderedDict(a=1),
    MappingProxyType({"a": 1}),
    itself,
    {"x": itself},
    deep(10),
    {"x": deep(12)},
    {"x": 10**1000},
    datetime(2026, 1, 1),
    datetime(2026, 1, 1, tzinfo=timezone.utc),
    datetime.max.replace(tzinfo=timezone.utc),
    datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
    date(2026, 1, 1),
    timedelta.max,
    timedelta.min,
    timedelta(0),
    UUID(int=1),
    "not a uuid",
    "{00000000-0000-0000-0000-000000000001}",
    str(UUID(int=1)),
    ValueError("x"),
    type,
]
RIGHT: dict[str, list[Any]] = {
    "session_id": ["s-1"],
    "session_ids": [["s-1", "s-2"], []],
    "new_session_id": ["s-9"],
    "machine": ["door"],
    "state": ["open"],
    "event": ["OPEN"],
    "context": [{"n": 1}],
    "patch": [{"n": 1}],
    "append": [{"log": [1]}],
    "definition": [DOOR],
    "version": [1],
    "from_version": [1],
    "to_version": [1],
    "machine_version": [1],
    "limit": [1, None],
    "ttl": [5, 0.5],
    "idle": [0, timedelta(days=1)],
    "keep_for": [0],
    "keep_versions": [1],
    "at": [datetime.now(timezone.utc)],
    "holder": ["me"],
    "paths": [["$.n"]],
    "format": ["dot"],
    "batch": [UUID(int=1)],
    "dry_run": [True],
    "state_map": [{}],
    "max_age": [0, 1.5],
    "items": [
        [],
        [{"session_id": "s-1", "state": "closed", "context": {}}],
        ['{"source": "p", "session_id": "x", "data": null}'],
    ],
    "with_each": [()],
    "atomic": [True, False],
}


def arguments_of(method: str) -> st.SearchStrategy[dict[str, Any]]:
    junk = st.sampled_from(range(len(JUNK))).map(JUNK.__getitem__)  # not all of it can be compared
    required: dict[str, Any] = {}
    optional: dict[str, Any] = {}
    for name, parameter in inspect.signature(getattr(SessionStore, method)).parameters.items():
        if name == "self":
            continue
        right = st.sampled_from(range(len(RIGHT[name]))).map(RIGHT[name].__getitem__) if name in RIGHT else junk
        if name == "session":
            right = st.builds(_session, junk, junk, junk, st.integers(0, 7))
        (required if parameter.default is parameter.empty else optional)[name] = right | right | junk
    return st.fixed_dictionaries(required, optional=optional)


def _session(session_id: Any, state: Any, context: Any, which: int) -> Any:
    """A session of which one part, two or three are anything."""
    now = datetime.now(timezone.utc)
    return fsmstore.Session(
        session_id=session_id if which & 1 else "s-1",
        machine="door",
        machine_version=1,
        state=state if which & 2 else "closed",
        version=1,
        context=context if which & 4 else {},
        context_version=1,
        is_final=False,
        entered_at=now,
        created_at=now,
        updated_at=now,
    )


def undocumented(error: Exception | None) -> str | None:
    """Return what is wrong with an exception; None: it is one that the client says it raises."""
    if isinstance(error, fsmstore.FsmError):
        return None if error.hint and isinstance(error.detail, dict) else f"without a hint: {error!r}"
    if isinstance(error, psycopg.Error):
        return None if error.sqlstate in ("22004", "22023") else f"{error.sqlstate}: {error!r}"
    return None if error is None or type(error) in (TypeError, ValueError) else repr(error)


def fuzz(method: str, attempt: Callable[[str, dict[str, Any]], None], came: Counter[str]) -> None:
    """Try a method with anything; count what comes."""

    @settings(max_examples=EXAMPLES)
    @given(arguments=arguments_of(method))
    def call(arguments: dict[str, Any]) -> None:
        try:
            attempt(method, arguments)
        except Exception as caught:  # noqa: BLE001  # all but a few is what this test looks for
            error: Exception | None = caught
        else:
            error = None
        assert undocumented(error) is None
        came["an answer" if error is None else type(error).__name__] += 1

    call()


def test_anything_as_arguments_of_every_method(flavour: Flavour, dsn: Callable[..., str], in_turn: Any) -> None:
    store = flavour.store(dsn("test_admin"), max_size=2, timeout=20)

    def attempt(method: str, arguments: dict[str, Any]) -> None:
        if method == "turn":
            with in_turn(store, **arguments):
                pass
        else:
            getattr(store, method)(**arguments)

    for number, method in enumerate(METHODS):
        for name in ("s-1", "s-2"):
            if store.load(name) is None:
                store.create(name, "door", {"n": 1, "log": []})
        came: Counter[str] = Counter()

        with case(method):
            fuzz(method, attempt, came)
            store.retire_machine("door", 1, False)
            assert store.create(f"after {number}", "door").version == 1
            assert len(came) > 1 or len(inspect.signature(getattr(SessionStore, method)).parameters) == 1, came
    stats = store._connections._own.get_stats()
    assert stats["pool_available"] == stats["pool_size"] <= 2
    assert not any(store._cache._flights.values())
    assert store.verify() == []


def test_one_text_is_not_several(store: Any) -> None:
    """It would be taken for its characters, and found to be no session."""
    store.create("s-1", "door")
    with pytest.raises(TypeError, match="several str"):
        store.load_many("s-1")
    with pytest.raises(TypeError, match="several str"):
        store.load_context("s-1", "$")
    assert list(store.load_many(iter(["s-1", "s-1"]))) == ["s-1"]


def test_an_age_that_is_no_number_is_no_age(store: Any, app: psycopg.Connection[Any]) -> None:
    """Nothing is older than NaN: what is held would be handed out for ever."""
    store.create("s-1", "door", {"n": 1})
    app.execute("select fsm.update_context('s-1', '{\"n\": 2}')")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="max_age is nan"):
        store.load("s-1", max_age=math.nan)
    with pytest.raises(TypeError, match="max_age"):
        store.load("s-1", max_age="60")
    assert store.load("s-1", max_age=math.inf).context == {"n": 1}
    assert store.load("s-1").context == {"n": 2}


def test_what_is_no_session_is_not_saved(store: Any) -> None:
    for value in (None, "s-1", {"session_id": "s-1"}):
        with pytest.raises(TypeError, match="must be a Session"):
            store.save(value)


def test_only_true_and_false_are_boolean(flavour: Flavour, dsn: Callable[..., str]) -> None:
    """The text "f" is true to Python and false to PostgreSQL."""
    store = flavour.store(dsn("test_admin"))
    values: list[Any] = ["f", 0, [], "dry"]
    for value in values:
        with pytest.raises(TypeError, match="must be bool"):
            store.import_sessions([{"source": "p", "session_id": "x"}], UUID(int=1), dry_run=value)
        with pytest.raises(TypeError, match="must be bool"):
            store.retire_machine("door", 1, value)
