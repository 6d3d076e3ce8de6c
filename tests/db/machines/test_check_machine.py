"""check_machine takes any JSON: it never raises, always says the same, and points at what is there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings

from support.definitions import any_json, definitions, small, small_with, spoiled
from support.machines import BLOCKING, DOOR, PURCHASE

GO = ("states", "a", "on", "GO")


def test_null_is_refused(machines: Any) -> None:
    with machines.refused() as error:
        machines.rows("select * from fsm.check_machine(null)")
    assert error[0].sqlstate == "22004"
    assert error[0].detail == {"argument": "p_definition"}
    assert error[0].hint


@pytest.mark.parametrize("login", ["test_app", "test_reader", "test_admin"])
def test_whoever_defines_or_runs_machines_may_check_one(connect_as: Any, login: str) -> None:
    row = connect_as(login).execute("select * from fsm.check_machine('1')").fetchone()
    assert row == ("error", "wrong_type", "$", "a definition is an object, not number")


def test_nothing_is_stored(machines: Any) -> None:
    assert machines.check(small()) == []
    with machines.refused() as error:
        machines.definition("small")
    assert error[0].sqlstate == "SM001"


@pytest.mark.parametrize(
    "text",
    [
        "[" * 4000 + "]" * 4000,
        '{"id": "small", "initial": "a", "states": {"a": ' + '{"x":' * 3000 + "1" + "}" * 3001 + "}",
        '{"meta": {"context_schema": ' + '{"items":' * 3000 + "{}" + "}" * 3002,
        '{"states": {"a": {"meta": {"invariant": ' + "[" * 3000 + "]" * 3000 + "}}}}",
        '{"meta": {"context_version": 1e400, "max_context_bytes": -1e400, "loop": {"limit": 1e100000}}}',
        '{"id": "m", "initial": "a", "initial": "b", "states": {"b": {"after": {"%s": "b"}}}}' % ("9" * 5000),
        json.dumps({"states": {"a": {"on": {"GO": [[], {}, [[]], None, 1, "", {"target": {}}]}}}}),
        json.dumps({"on": {"": None, "*": []}, "states": {"": {}, " ": None, "x" * 4000: {"on": 1}}}),
        json.dumps(small_with(GO, {"target": "b", "guard": "(" * 4000})),
        json.dumps(small_with(GO, {"target": "b", "guard": "$" + "[0]" * 1300})),
        json.dumps(small_with(GO, {"target": "b", "guard": "-" * 4090 + "$.x"})),
        json.dumps(small_with(GO, {"target": "b", "guard": "$.x == " + "1e131071" + "+1e131071" * 400})),
        json.dumps(small_with(GO, {"target": "b", "guard": '$.x like_regex "' + "(a|b" * 500 + ")*" * 500 + '"'})),
        json.dumps(small_with(GO, {"target": "b", "guard": '$.x like_regex "((a{1,255}){1,255}){1,255}"'})),
    ],
)
def test_named_bad_definitions(machines: Any, text: str) -> None:
    assert any(one.severity == "error" for one in machines.check_text(text))


@settings(max_examples=150)
@given(value=any_json)
@example(value={"states": {"a": {"on": {"GO": {"target": "a", "meta": {"loop": {"action": {"divert": []}}}}}}}})
def test_any_json_is_answered(machines: Any, value: Any) -> None:
    found = machines.check(value)
    assert all(one.severity in ("error", "warning") and one.code and one.message for one in found)


@settings(max_examples=200)
@given(value=spoiled([PURCHASE, DOOR, BLOCKING, small(on={"STOP": "b"}, meta={"context_schema": {"type": "object"}})]))
def test_any_part_may_be_anything_and_every_path_leads_to_it(machines: Any, value: Any) -> None:
    found = machines.check(value)
    assert found == machines.check(value)
    keys = [(one.severity, *(text.encode() for text in one[2:0:-1]), one.message.encode()) for one in found]
    assert keys == sorted(keys)
    assert len(set(found)) == len(found)
    paths = [one.path for one in found if one.code != "more_findings"]
    lost = machines.rows(
        "select p from unnest(%s::text[]) p where not jsonb_path_exists(%s::jsonb, ('strict ' || p)::jsonpath)",
        paths,
        json.dumps(value),
    )
    assert lost == []


@settings(max_examples=120)
@given(value=spoiled([PURCHASE, small(on={"STOP": "b"}, meta={"loop": {"action": {"divert": ".b"}}})]))
def test_what_has_no_error_can_be_stored_and_what_has_one_cannot(machines: Any, value: Any) -> None:
    found = machines.check(value)
    if any(one.severity == "error" for one in found):
        with machines.refused() as error:
            machines.define(value)
        assert error[0].sqlstate == "SM002"
    else:
        assert machines.define(value).warnings == [one._asdict() for one in found]


@settings(max_examples=50)
@given(definition=definitions())
def test_right_definitions_have_no_errors(machines: Any, definition: Any) -> None:
    assert [one for one in machines.check(definition) if one.severity == "error"] == []


def test_at_most_1000_findings_and_one_that_counts_the_rest(machines: Any) -> None:
    machine = small(**{f"k{n:04}": n for n in range(1200)})
    found = machines.check(machine)
    assert len(found) == 1001
    assert [one.path for one in found[:1000]] == [f"$.k{n:04}" for n in range(1000)]
    assert found[1000] == ("error", "more_findings", "$", "there are 200 findings more")


def test_errors_are_not_crowded_out_by_warnings(machines: Any) -> None:
    machine = small(states={"a": {"on": {"GO": "nowhere"}}, **{f"s{n}": {} for n in range(900)}})
    found = machines.check(machine)
    assert found[0][:3] == ("error", "unknown_target", "$.states.a.on.GO")
    assert found[-1][:2] == ("warning", "more_findings")
    assert len(found) == 1001


@pytest.mark.parametrize("path", [("states",), ("states", "a", "on"), ("states", "a", "after")])
def test_a_name_that_is_too_long_is_reported_once_and_not_looked_into(machines: Any, path: Any) -> None:
    long, inside = "x" * 100_000, {f"k{n}": n for n in range(2000)}
    found = machines.check(small_with((*path, long), inside))
    assert [one[:3] for one in found] == [
        ("error", "bad_delay" if path[-1] == "after" else "bad_name", f"${''.join(f'.{step}' for step in path)}.{long}")
    ]


def test_a_message_quotes_no_more_than_128_characters_of_a_key(machines: Any) -> None:
    [found] = machines.check(small(**{"k" * 50_000: 1}))
    assert len(found.message) < 400
