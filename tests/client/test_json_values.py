"""Any JSON value comes back type for type, or is refused by name before anything is sent."""

from __future__ import annotations

import enum
import math
from collections import OrderedDict, defaultdict
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import fsmstore
from fsmstore import jsonvalues
from fsmstore.jsonvalues import Codec, copy_json

Connection = psycopg.Connection[Any]

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
numbers = st.one_of(
    st.integers(),
    st.integers(-(10**999), 10**999),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([1e16, -1e16, 1e22, 5e-324, 1.7976931348623157e308, -0.0, 0.1, 1e-7, 2**53 + 0.0]),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, text),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(text, inner)),
    max_leaves=12,
)
contexts = st.dictionaries(text.filter(lambda key: key not in ("current_state", "session_id")), values, max_size=6)


def same(one: Any, other: Any) -> bool:
    """Equal in value and in type all the way down; -0.0 counts as 0.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and not one:
        return math.copysign(1, other) == 1 and not other
    return bool(one == other)


@settings(max_examples=300)
@given(contexts)
@example({"": {"": []}, "a": {}, "b": [[], {}, [[]]]})
def test_any_context_comes_back_as_it_was_saved(db: Connection, context: dict[str, Any]) -> None:
    codec = Codec()
    row = db.execute("select %s::jsonb::text", (codec.encode(context),)).fetchone()
    assert row is not None
    assert same(context, codec.decode(row[0]))


@settings(max_examples=50)
@given(context=contexts, patch=contexts)
def test_through_the_store_too(store: Any, context: dict[str, Any], patch: dict[str, Any]) -> None:
    name = str(uuid4())
    session = store.create(name, "door", context)
    assert same(context, session.context)
    assert same(context, store.load(name).context)
    saved = store.save(session.evolve(context=patch))
    assert same(patch, saved.context)
    loaded = store.load_many([name])[name]
    assert same(patch, loaded.context)
    assert loaded == saved


decimals = st.decimals(allow_nan=False, allow_infinity=False, places=4) | st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20
)


@given(decimals)
@example(Decimal("1E+3"))
@example(Decimal("-0.00"))
@example(Decimal("1.10"))
@example(Decimal("9E+999"))
@example(Decimal("1E-1000"))
def test_decimals_come_back_as_decimals(db: Connection, number: Decimal) -> None:
    codec = Codec(decimals=True)
    row = db.execute("select %s::jsonb::text", (codec.encode({"d": number}),)).fetchone()
    assert row is not None
    back = codec.decode(row[0])["d"]
    assert type(back) is Decimal
    assert back == number
    if number and number.as_tuple().exponent < 0:  # type: ignore[operator]
        assert format(back, "f") == format(number, "f")
    assert back or not back.is_signed()
    sent = codec.decode(codec.encode(number))
    assert sent or not sent.is_signed()


def test_a_store_with_decimals(flavour: Any, app_dsn: str) -> None:
    store = flavour.store(app_dsn, decimals=True)
    session = store.create("s-1", "door", {"price": Decimal("1.10"), "n": 3, "f": 0.5, "z": -0.0})
    assert session.context == {"price": Decimal("1.10"), "n": 3, "f": Decimal("0.5"), "z": Decimal(0)}
    assert type(session.context["f"]) is Decimal
    assert store.load("s-1") == session
    plain = flavour.store(app_dsn)
    assert plain.load("s-1").context == {"price": 1.1, "n": 3, "f": 0.5, "z": 0.0}
    with pytest.raises(fsmstore.InvalidContext, match="Decimal") as caught:
        plain.update("s-1", {"price": Decimal("1.10")})
    assert "decimals=True" in str(caught.value.hint)


def test_a_number_beyond_every_float_is_not_loaded_as_infinity(flavour: Any, app_dsn: str) -> None:
    exact = flavour.store(app_dsn, decimals=True)
    exact.create("s-1", "door", {"x": Decimal(10) ** 400 + Decimal("0.5")})
    plain = flavour.store(app_dsn)
    with pytest.raises(fsmstore.InvalidContext, match="range of a float"):
        plain.load("s-1")
    with pytest.raises(fsmstore.InvalidContext) as caught:
        plain.send("s-1", "OPEN")
    assert caught.value.outcome is fsmstore.Outcome.DONE
    assert exact.load("s-1").state == "open"


class Colour(str, enum.Enum):
    RED = "red"


loop: list[Any] = []
loop.append({"again": loop})


def nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth - 1):
        value = [value]
    return value


REFUSED = [
    (math.nan, "$"),
    ({"a": [0, math.inf]}, "$.a[1]"),
    ({"a": -math.inf}, "$.a"),
    ({"a b": {'"': "x\0y"}}, '$."a b"."\\""'),
    ({"x\0": 1}, "$"),
    ({"é": {"a": "\ud800"}}, '$."\\u00e9".a'),
    ({"a": {"\udfff": 1}}, "$.a"),
    ({"a": {1: 2}}, "$.a"),
    ({"a": {None: 2}}, "$.a"),
    ({"a": {True: 2}}, "$.a"),
    ({"a": {("x",): 2}}, "$.a"),
    ({"a": {Colour.RED: 2}}, "$.a"),
    ({"a": {1, 2}}, "$.a"),
    ({"a": frozenset()}, "$.a"),
    ({"a": (1, 2)}, "$.a"),
    ({"a": b"x"}, "$.a"),
    ({"a": 1j}, "$.a"),
    ({"a": datetime.now(timezone.utc)}, "$.a"),
    ({"a": object()}, "$.a"),
    ({"a": Colour.RED}, "$.a"),
    ({"a": OrderedDict()}, "$.a"),
    ({"a": [defaultdict(list)]}, "$.a[0]"),
    ({"a": range(3)}, "$.a"),
    ({"a": Decimal(1)}, "$.a"),
    ({"a": 10**1000}, "$.a"),
    ({"a": [-(10**1000)]}, "$.a[0]"),
    ({"a": nested(100)}, "$.a" + "[0]" * 99),
    (loop, "$" + "[0].again" * 50),
]


@pytest.mark.parametrize(("value", "path"), REFUSED, ids=[str(number) for number in range(len(REFUSED))])
def test_what_json_or_jsonb_cannot_hold_is_refused_by_name(value: Any, path: str) -> None:
    with pytest.raises(fsmstore.InvalidContext) as caught:
        Codec().encode(value)
    error = caught.value
    assert (error.sqlstate, error.path, error.findings[0]["path"]) == ("SM021", path, path)
    assert error.outcome is fsmstore.Outcome.NOT_DONE
    assert error.hint
    assert error.__cause__ is None


@pytest.mark.parametrize("number", ["NaN", "sNaN", "Infinity", "-Infinity", "1E+1000", "1E-1001", "0E+1000"])
def test_decimals_that_jsonb_cannot_hold_are_refused(number: str) -> None:
    with pytest.raises(fsmstore.InvalidContext) as caught:
        Codec(decimals=True).encode([Decimal(number)])
    assert caught.value.path == "$[0]"


def test_the_limits_are_the_databases_own(flavour: Any, store: Any, app_dsn: str) -> None:
    fits = {"deep": nested(99), "big": 10**1000 - 1, "small": -(10**1000) + 1}
    assert store.create("s-1", "door", fits).context == fits
    assert store.update("s-1", fits).version == 2
    exact = flavour.store(app_dsn, decimals=True)
    numbers = {"small": Decimal("1E-1000"), "big": Decimal("9" * 1000 + "." + "9" * 1000)}
    assert exact.create("s-2", "door", numbers).context == numbers


def test_too_many_elements_end_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonvalues, "MAX_ELEMENTS", 1000)
    shared: list[Any] = []
    for _ in range(80):
        shared = [shared, shared]
    with pytest.raises(fsmstore.InvalidContext, match="too_large"):
        Codec().encode(shared)
    with pytest.raises(fsmstore.InvalidContext, match="too_large"):
        Codec().encode([0] * 1001)


@pytest.mark.parametrize("where", ["context", "patch", "append", "note"])
def test_nothing_is_sent(store: Any, where: str) -> None:
    store.create("s-1", "door")
    bad = {"x": [math.nan]}
    calls = {
        "context": lambda: store.save(store.load("s-1").evolve(context=bad)),
        "patch": lambda: store.send("s-1", "OPEN", bad),
        "append": lambda: store.update("s-1", append=bad),
        "note": lambda: store.update("s-1", note=bad),
    }
    with pytest.raises(fsmstore.InvalidContext) as caught:
        calls[where]()
    assert caught.value.path == "$.x[0]"
    assert store.load("s-1").version == 1


@pytest.mark.parametrize("value", [[1], "text", 7, True])
def test_what_is_json_but_no_object_is_refused_by_the_database(store: Any, value: Any) -> None:
    with pytest.raises(fsmstore.InvalidContext) as caught:
        store.create("s-1", "door", value)
    assert caught.value.__cause__ is not None


@given(values)
def test_a_copy_is_equal_and_shares_nothing(value: Any) -> None:
    copied = copy_json(value)
    assert copied == value
    for one, other in zip(_containers(value), _containers(copied), strict=True):
        assert one is not other


def _containers(value: Any) -> list[Any]:
    if isinstance(value, (dict, list)):
        inner = value.values() if isinstance(value, dict) else value
        return [value, *(found for member in inner for found in _containers(member))]
    return []


def test_a_value_that_contains_itself_can_be_copied_for_its_refusal() -> None:
    with pytest.raises(fsmstore.InvalidContext):
        Codec().encode(copy_json({"x": loop}))
    twice: list[Any] = []
    twice.extend([twice, twice])
    assert len(copy_json(twice)) == 2
