"""A guard or invariant holds exactly when it is true: null, missing data and errors do not hold."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from support.api import Api, refused

# Predicate, context, and whether it holds.
TRUTH: list[tuple[str, str, bool]] = [
    ("$.n > 1", '{"n": 2}', True),
    ("$.n > 1", '{"n": 1}', False),
    ("$.n > 1", "{}", False),
    ("$.n > 1", '{"n": null}', False),
    ("$.n > 1", '{"n": "2"}', False),
    ("$.n > 1", '{"n": [0, 2]}', True),
    ("strict $.n > 1", '{"n": [0, 2]}', False),
    ("strict $.n > 1", "{}", False),
    ("$.n / $.d == 1", '{"n": 1, "d": 0}', False),
    ("$.n.double() == 2", '{"n": "x"}', False),
    ("$.n.double() == 2", '{"n": "2"}', True),
    ("exists($.n)", '{"n": null}', True),
    ("exists($.n)", "{}", False),
    ('$.n.type() == "number"', '{"n": 1e100}', True),
    ("$.n == 1", '{"n": 1.0}', True),
    ("($.n > 1) is unknown", '{"n": "x"}', True),
    ("!($.n > 1)", '{"n": "x"}', False),
    ("$.log.size() > 1", '{"log": [1, 2]}', True),
    ('$.t starts with "a"', '{"t": "ab"}', True),
    ('$.t like_regex "^a.$"', '{"t": "ab"}', True),
    ("$.ok == true", '{"ok": true}', True),
]


def test_as_a_guard(api: Api, define: Callable[..., int]) -> None:
    for predicate, context, holds in TRUTH:
        version = define(
            {"a": {"on": {"GO": {"target": "b", "guard": predicate}, "STAY": "a"}}, "b": {"type": "final"}}
        )
        ids = {way: f"{way} {context} {predicate} {version}" for way in ("send", "save", "named")}
        for session_id in ids.values():
            api.create(session_id, "m", context=context)
        [row] = [row for row in api.rows("allowed_events", session_id=ids["send"]) if row.event == "GO"]
        assert row.allowed is holds, (predicate, context)
        calls: list[Callable[[], Any]] = [
            partial(api.send, ids["send"], "GO"),
            partial(api.save, ids["save"], "b", context),
            partial(api.save, ids["named"], "b", context, event="GO"),
        ]
        for call in calls:
            if holds:
                assert call().state == "b", (predicate, context)
                continue
            with refused("SM022"):
                call()


def test_as_an_invariant(api: Api, define: Callable[..., int]) -> None:
    """Alone, and as the last of three."""
    for predicate, context, holds in TRUTH:
        for invariant in (predicate, ["exists($)", '$.type() == "object"', predicate]):
            states = {"a": {"on": {"GO": "b"}}, "b": {"on": {"STAY": "b"}, "meta": {"invariant": invariant}}}
            define(states)
            name = f"s-{context}-{holds}-{invariant}"
            api.create(name, "m")
            assert (api.rows("validate_context", machine="m", state="b", context=context) == []) is holds
            if holds:
                assert api.save(name, "b", context).state == "b", (invariant, context)
                assert api.update(name).state == "b"
                continue
            for call in (partial(api.save, name, "b", context), partial(api.send, name, "GO", patch=context)):
                with refused("SM021") as refusal:
                    call()
                assert refusal.detail["code"] == "invariant", (invariant, context)


def test_all_of_several_invariants_must_hold(api: Api, define: Callable[..., int]) -> None:
    conditions = [f"$.n{number} == {number}" for number in range(4)]
    define({"a": {"on": {"GO": "b"}}, "b": {"type": "final", "meta": {"invariant": conditions}}})
    api.create("s-1", "m")
    whole = {f"n{number}": number for number in range(4)}
    for missing in whole:
        with refused("SM021") as refusal:
            api.save("s-1", "b", {key: value for key, value in whole.items() if key != missing})
        [finding] = refusal.detail["findings"]
        assert missing in finding["message"]
    assert api.save("s-1", "b", whole).state == "b"


def test_the_schema_is_checked_on_every_kind_of_write(api: Api, define: Callable[..., int]) -> None:
    """With a part that jsonpath can express, and one that it cannot."""
    schemas = [
        {"properties": {"n": {"type": "integer", "minimum": 0}}},
        {"properties": {"n": {"type": "integer"}}, "additionalProperties": False},
        {"properties": {"n": {"enum": [1, 2, {"x": 1}]}}},
        {"properties": {"n": {"type": "integer"}, "t": {"type": "string", "minLength": 500}}},
    ]
    for schema in schemas:
        version = define({"a": {"on": {"GO": "a"}}}, context_schema=schema)
        name = f"s-{version}"
        with refused("SM021"):
            api.create(name, "m", context={"n": "x"})
        api.create(name, "m", context={"n": 1.0})
        calls: list[Callable[..., Any]] = [
            lambda name, n: api.save(name, "a", {"n": n}),
            lambda name, n: api.send(name, "GO", patch={"n": n}),
            lambda name, n: api.update(name, patch={"n": n}),
        ]
        for call in calls:
            with refused("SM021"):
                call(name, "x")
            call(name, 2)
