"""Every finding of check_machine: what draws it, where it points, whether it is an error."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.definitions import small, small_with
from support.machines import PURCHASE

FINAL = {"type": "final"}
A_ON = ("states", "a", "on")
GO = (*A_ON, "GO")


def with_go(*candidates: Any) -> dict[str, Any]:
    return small_with(GO, list(candidates))


def with_state(name: str, body: Any) -> dict[str, Any]:
    machine = small_with(("states", name), body)
    machine["states"]["a"]["on"]["THERE"] = name
    return machine


def in_meta(key: str, value: Any) -> dict[str, Any]:
    return small_with(("meta", key), value)


# What draws which findings, and where: errors, then warnings, each by path.
CASES: dict[str, tuple[Any, list[tuple[str, str, str]]]] = {
    # the root
    "a number": (1, [("error", "wrong_type", "$")]),
    "a string": ("small", [("error", "wrong_type", "$")]),
    "JSON null": (None, [("error", "wrong_type", "$")]),
    "a list": ([small()], [("error", "wrong_type", "$")]),
    "nothing in it": ({}, [("error", "missing_key", "$")] * 3),
    "wrong types at the root": (
        {"id": 1, "initial": ["a"], "states": [], "on": [], "meta": "none"},
        [("error", "wrong_type", f"$.{key}") for key in ("id", "initial", "meta", "on", "states")],
    ),
    "unknown key": (small(foo=1), [("error", "unknown_key", "$.foo")]),
    "unknown key that is no identifier": (small(**{"a b": 1}), [("error", "unknown_key", '$."a b"')]),
    "unknown key with quotes": (small(**{'q"\\': 1}), [("error", "unknown_key", '$."q\\"\\\\"')]),
    "parallel machine": (small(type="parallel"), [("error", "unsupported", "$.type")]),
    "invoke, entry, exit and always at the root": (
        small(invoke={}, entry=[], exit=[], always=[]),
        [("error", "unsupported", f"$.{key}") for key in ("always", "entry", "exit", "invoke")],
    ),
    "after at the root": (small(after={"1000": "b"}), [("error", "unsupported", "$.after")]),
    "schema outside meta": (small(context_schema={}), [("error", "unknown_key", "$.context_schema")]),
    "initial context": (small(context={"x": 1}), [("warning", "no_effect", "$.context")]),
    "kept without effect": (
        small(description="d", tags=["t"], version="7", types={}, output={"x": 1}, meta={"description": "m"}),
        [],
    ),
    # names
    "empty id": (small(id=""), [("error", "bad_name", "$.id")]),
    "id of 512 bytes": (small(id="é" * 256), []),
    "id of 513 bytes": (small(id="é" * 256 + "x"), [("error", "bad_name", "$.id")]),
    "state of 128 bytes": (with_state("é" * 64, FINAL), []),
    "state of 129 bytes": (
        with_state("x" * 129, {**FINAL, "unknown": 1}),
        [("error", "bad_name", "$.states." + "x" * 129)],
    ),
    "empty name of a state": (small_with(("states", ""), FINAL), [("error", "bad_name", '$.states.""')]),
    "state that starts with a point": (
        with_state(".c", FINAL),
        [("error", "bad_name", '$.states.".c"'), ("error", "unknown_target", "$.states.a.on.THERE")]
        + [("warning", "unreachable_state", '$.states.".c"')],
    ),
    "state that starts with #": (with_state("#c", FINAL), [("error", "bad_name", '$.states."#c"')]),
    "event of 128 bytes": (small_with((*A_ON, "é" * 64), "b"), []),
    "event of 129 bytes": (small_with((*A_ON, "e" * 129), "b"), [("error", "bad_name", "$.states.a.on." + "e" * 129)]),
    "eventless transition": (small_with((*A_ON, ""), "b"), [("error", "bad_name", '$.states.a.on.""')]),
    "control characters, quotes and emoji in names": (
        small(states={"a": {"on": {'\u0001\n"\\😀': "c\td"}}, "c\td": FINAL}),
        [],
    ),
    # the initial state
    "initial state unknown": (
        small(initial="start"),
        [("error", "unknown_target", "$.initial")]
        + [("warning", "unreachable_state", f"$.states.{name}") for name in "ab"],
    ),
    "initial state as a target": (
        small(initial=".a"),
        [("error", "unknown_target", "$.initial")]
        + [("warning", "unreachable_state", f"$.states.{name}") for name in "ab"],
    ),
    "initial state final": (
        small(initial="b"),
        [("error", "initial_is_final", "$.initial"), ("warning", "unreachable_state", "$.states.a")],
    ),
    "no states": (small(states={}), [("error", "unknown_target", "$.initial"), ("error", "no_states", "$.states")]),
    # states
    "state that is no object": (
        small_with(("states", "b"), "final"),
        [("error", "wrong_type", "$.states.b"), ("warning", "dead_end", "$.states.b")],
    ),
    "types of states": (
        small(
            states={
                "a": {"type": "atomic", "on": {"P": "p", "H": "h", "C": "c", "N": "n", "B": "b"}},
                **{name: {"type": kind, "on": {"B": "b"}} for name, kind in (("p", "parallel"), ("h", "history"))},
                **{name: {"type": kind, "on": {"B": "b"}} for name, kind in (("c", "compound"), ("n", 1))},
                "b": FINAL,
            }
        ),
        [
            ("error", "unsupported", "$.states.c.type"),
            ("error", "unsupported", "$.states.h.type"),
            ("error", "bad_value", "$.states.n.type"),
            ("error", "unsupported", "$.states.p.type"),
        ],
    ),
    "nested states": (
        small_with(("states", "b"), {"initial": "c", "states": {"c": {}}, "on": {"X": "a"}}),
        [("error", "unsupported", "$.states.b.initial"), ("error", "unsupported", "$.states.b.states")],
    ),
    "what else XState gives a state": (
        small_with(
            ("states", "a"),
            {"on": {"GO": "b"}, "entry": 1, "exit": 1, "always": 1, "invoke": 1, "onDone": 1, "history": "deep"}
            | {"id": "a", "invariant": "$.x", "loop": {}, "foo": 1},
        ),
        [
            ("error", "unsupported", "$.states.a.always"),
            ("error", "unsupported", "$.states.a.entry"),
            ("error", "unsupported", "$.states.a.exit"),
            ("error", "unknown_key", "$.states.a.foo"),
            ("error", "unsupported", "$.states.a.history"),
            ("error", "unsupported", "$.states.a.id"),
            ("error", "unknown_key", "$.states.a.invariant"),
            ("error", "unsupported", "$.states.a.invoke"),
            ("error", "unknown_key", "$.states.a.loop"),
            ("error", "unsupported", "$.states.a.onDone"),
        ],
    ),
    "wrong types in a state": (
        small_with(("states", "a"), {"on": [], "after": 5, "meta": True}),
        [("error", "wrong_type", f"$.states.a.{key}") for key in ("after", "meta", "on")]
        + [("warning", "dead_end", "$.states.a"), ("warning", "unreachable_state", "$.states.b")],
    ),
    "final state with exits": (
        small_with(("states", "b"), {**FINAL, "on": {"X": "a"}, "after": {"1": "a"}}),
        [("error", "final_with_exit", "$.states.b.after"), ("error", "final_with_exit", "$.states.b.on")],
    ),
    "final state with empty exits": (small_with(("states", "b"), {**FINAL, "on": {}, "after": {}}), []),
    "kept without effect in a state": (
        small_with(
            ("states", "b"), {**FINAL, "description": 1, "tags": "t", "output": None, "meta": {"description": ""}}
        ),
        [],
    ),
    "unknown key of a state's meta": (
        small_with(("states", "b", "meta"), {"color": "red"}),
        [("error", "unknown_key", "$.states.b.meta.color")],
    ),
    "invariants": (small_with(("states", "b", "meta", "invariant"), ["$.x > 1", '$.y starts with "z"']), []),
    "one invariant": (small_with(("states", "b", "meta", "invariant"), "$.x > 1"), []),
    "invariants that are no strings": (
        small_with(("states", "b", "meta", "invariant"), ["$.x > 1", 5, None]),
        [("error", "wrong_type", f"$.states.b.meta.invariant[{n}]") for n in (1, 2)],
    ),
    "one invariant that is no string": (
        small_with(("states", "b", "meta", "invariant"), {"x": 1}),
        [("error", "wrong_type", "$.states.b.meta.invariant")],
    ),
    "invariant that is no predicate": (
        small_with(("states", "b", "meta", "invariant"), ["$.x > 1", "$.x >"]),
        [("error", "bad_predicate", "$.states.b.meta.invariant[1]")],
    ),
    # events and candidates
    "wildcard events": (
        small_with(A_ON, {"*": "b", "x.*": "b", "x*": "b"}),
        [("error", "unsupported", '$.states.a.on."*"'), ("error", "unsupported", '$.states.a.on."x.*"')],
    ),
    "event that leads to no candidate": (
        small_with((*A_ON, "X"), 5),
        [("error", "wrong_type", "$.states.a.on.X")],
    ),
    "event that is null": (small_with((*A_ON, "X"), None), [("error", "wrong_type", "$.states.a.on.X")]),
    "candidate of a wrong type": (with_go(5, "b"), [("error", "wrong_type", "$.states.a.on.GO[0]")]),
    "lists in lists": (with_go(["b"], "b"), [("error", "wrong_type", "$.states.a.on.GO[0]")]),
    "all forms of a target": (
        small_with(A_ON, {"1": "b", "2": ".b", "3": "#small.b", "4": {"target": ".b"}, "5": ["#small.b"]}),
        [],
    ),
    "target of another machine": (
        small_with(GO, "#other.b"),
        [("error", "unknown_target", "$.states.a.on.GO")] + [("warning", "unreachable_state", "$.states.b")],
    ),
    "unknown targets": (
        with_go({"target": "c", "guard": "$.x"}, {"target": "..b", "guard": "$.y"}, "d"),
        [
            ("error", "unknown_target", "$.states.a.on.GO[0].target"),
            ("error", "unknown_target", "$.states.a.on.GO[1].target"),
            ("error", "unknown_target", "$.states.a.on.GO[2]"),
            ("warning", "unreachable_state", "$.states.b"),
        ],
    ),
    "target that is no string": (
        small_with((*GO,), {"target": ["b"]}),
        [("error", "wrong_type", "$.states.a.on.GO.target"), ("warning", "dead_end", "$.states.a")]
        + [("warning", "unreachable_state", "$.states.b")],
    ),
    "targetless candidates": (
        with_go({"guard": "$.x == 1"}, {}, "b"),
        [
            ("error", "no_target", "$.states.a.on.GO[0]"),
            ("error", "no_target", "$.states.a.on.GO[1]"),
            ("warning", "shadowed_candidate", "$.states.a.on.GO[2]"),
        ],
    ),
    "what else XState gives a transition": (
        with_go({"target": "b", "actions": [], "cond": "x", "in": "#x", "internal": True, "delay": 5, "loop": {}}),
        [
            ("error", "unsupported", "$.states.a.on.GO[0].actions"),
            ("error", "unknown_key", "$.states.a.on.GO[0].cond"),
            ("error", "unknown_key", "$.states.a.on.GO[0].delay"),
            ("error", "unsupported", "$.states.a.on.GO[0].in"),
            ("error", "unknown_key", "$.states.a.on.GO[0].internal"),
            ("error", "unknown_key", "$.states.a.on.GO[0].loop"),
        ],
    ),
    "wrong types in a transition": (
        with_go({"target": "b", "guard": {"type": "isBig"}, "reenter": "yes", "meta": []}),
        [("error", "wrong_type", f"$.states.a.on.GO[0].{key}") for key in ("guard", "meta", "reenter")],
    ),
    "guard that is no predicate": (
        with_go({"target": "b", "guard": "is big"}),
        [("error", "bad_predicate", "$.states.a.on.GO[0].guard")],
    ),
    "guard that is a number": (
        with_go({"target": "b", "guard": 5}),
        [("error", "wrong_type", "$.states.a.on.GO[0].guard")],
    ),
    "the same bad guard twice": (
        small_with(A_ON, {"GO": {"target": "b", "guard": "("}, "X": {"target": "b", "guard": "("}}),
        [("error", "bad_predicate", f"$.states.a.on.{name}.guard") for name in ("GO", "X")],
    ),
    "unknown key of a transition's meta": (
        small_with((*GO,), {"target": "b", "meta": {"color": 1, "description": "d"}}),
        [("error", "unknown_key", "$.states.a.on.GO.meta.color")],
    ),
    "root transitions are checked once": (
        small(on={"STOP": {"target": "c", "guard": "("}}),
        [("error", "bad_predicate", "$.on.STOP.guard"), ("error", "unknown_target", "$.on.STOP.target")],
    ),
    "candidates that are never taken": (
        with_go(
            {"target": "b", "guard": "$.x == 1"},
            {"target": "a", "guard": "$.x == 1"},
            {"target": "b", "guard": "$.x == 2"},
            "b",
            {"target": "a", "guard": "$.x == 3"},
        ),
        [("warning", "shadowed_candidate", f"$.states.a.on.GO[{n}]") for n in (1, 4)],
    ),
    "the same guard in another list": (
        small_with(A_ON, {"GO": [{"target": "b", "guard": "$.x"}], "X": [{"target": "b", "guard": "$.x"}]}),
        [],
    ),
    "event without candidates": (
        small_with((*A_ON, "X"), []),
        [("warning", "no_candidate", "$.states.a.on.X")],
    ),
    "event of the root without candidates": (small(on={"X": []}), [("warning", "no_candidate", "$.on.X")]),
    "event of the root taken out of a state": (
        small(on={"STOP": "b"}, states={"a": {"on": {"GO": "c"}}, "c": {"on": {"STOP": [], "X": "a"}}, "b": FINAL}),
        [],
    ),
    # deadlines
    "deadlines": (
        small_with(("states", "a", "after"), {"1": "b", "315576000000": {"target": ".b", "description": "d"}}),
        [],
    ),
    "delays that are none": (
        small_with(
            ("states", "a", "after"),
            dict.fromkeys(("", "0", "-1", "01", "1.5", "1e3", " 1", "PT1S", "315576000001", "9" * 30), "b"),
        ),
        [
            ("error", "bad_delay", f"$.states.a.after.{name}")
            for name in (
                '" 1"',
                '""',
                '"-1"',
                '"0"',
                '"01"',
                '"1.5"',
                '"1e3"',
                '"315576000001"',
                f'"{"9" * 30}"',
                "PT1S",
            )
        ],
    ),
    "deadline with a guard": (
        small_with(
            ("states", "a", "after"), {"1": {"target": "b", "guard": "$.x", "reenter": True, "meta": {}, "x": 1}}
        ),
        [("error", "unsupported", f'$.states.a.after."1".{key}') for key in ("guard", "meta", "reenter")]
        + [("error", "unknown_key", '$.states.a.after."1".x')],
    ),
    "deadlines that lead nowhere": (
        small_with(
            ("states", "a", "after"),
            {"1": "c", "2": {"target": "c"}, "3": {}, "4": ["b"], "5": None, "6": {"target": 1}},
        ),
        [
            ("error", "unknown_target", '$.states.a.after."1"'),
            ("error", "unknown_target", '$.states.a.after."2".target'),
            ("error", "no_target", '$.states.a.after."3"'),
            ("error", "wrong_type", '$.states.a.after."4"'),
            ("error", "wrong_type", '$.states.a.after."5"'),
            ("error", "wrong_type", '$.states.a.after."6".target'),
        ],
    ),
    # meta of the machine
    "unknown key of meta": (in_meta("color", 1), [("error", "unknown_key", "$.meta.color")]),
    "everything in meta": (
        small(
            meta={
                "context_version": 2147483647,
                "context_schema": {"type": "object"},
                "loop": {"limit": 10000, "window": "10 years", "action": {"divert": "#small.b"}},
                "max_context_bytes": 251658240,
                "audit": "chain",
            }
        ),
        [],
    ),
    **{
        f"context_version {value!r}": (in_meta("context_version", value), found)
        for values, found in (
            ((1, 2.0), []),
            ((0, -1, 1.5, "1", None, 2**31, 10**400), [("error", "bad_value", "$.meta.context_version")]),
        )
        for value in values
    },
    **{
        f"max_context_bytes {value!r}": (in_meta("max_context_bytes", value), found)
        for values, found in (
            ((2, 251658240), []),
            ((1, 251658241, 2.5, "8 MB", None, []), [("error", "bad_value", "$.meta.max_context_bytes")]),
        )
        for value in values
    },
    **{
        f"audit {value!r}": (in_meta("audit", value), found)
        for values, found in (
            (("none", "chain"), []),
            (("yes", True, None), [("error", "bad_value", "$.meta.audit")]),
        )
        for value in values
    },
    "schema that is none": (
        in_meta("context_schema", {"type": "text"}),
        [("error", "bad_value", "$.meta.context_schema.type")],
    ),
    "schema with an unknown keyword": (
        in_meta("context_schema", {"properties": {"odd key": {"oneOf": []}}}),
        [("error", "unknown_keyword", '$.meta.context_schema.properties."odd key".oneOf')],
    ),
    "schema null": (in_meta("context_schema", None), [("error", "bad_value", "$.meta.context_schema")]),
    # loop rules
    "loop detection turned off": (in_meta("loop", None), []),
    "empty loop rule": (in_meta("loop", {}), []),
    "loop rule of a wrong type": (in_meta("loop", 5), [("error", "wrong_type", "$.meta.loop")]),
    "unknown key of a loop rule": (in_meta("loop", {"times": 3}), [("error", "unknown_key", "$.meta.loop.times")]),
    **{
        f"loop limit {value!r}": (in_meta("loop", {"limit": value}), found)
        for values, found in (
            ((1, 10000, 3.0), []),
            ((0, 10001, 1.5, "3", None), [("error", "bad_value", "$.meta.loop.limit")]),
        )
        for value in values
    },
    **{
        f"loop window {value!r}": (in_meta("loop", {"window": value}), found)
        for values, found in (
            (("5 minutes", "PT5M", "1 day 2 hours", "0.000001 s", "10 years", "300"), []),
            (
                ("", "soon", "0", "-5 minutes", "1 day -1 hour", "5 minutes ago", "11 years", "infinity")
                + ("9" * 30 + " years", "1 s" + " " * 62, 300, None, {}),
                [("error", "bad_value", "$.meta.loop.window")],
            ),
        )
        for value in values
    },
    **{
        f"loop action {value!r}": (in_meta("loop", {"action": value}), found)
        for value, found in (
            ("log", []),
            ("block", []),
            ({"divert": "b"}, []),
            ("divert", [("error", "bad_value", "$.meta.loop.action")]),
            (None, [("error", "bad_value", "$.meta.loop.action")]),
            (["log"], [("error", "bad_value", "$.meta.loop.action")]),
            ({}, [("error", "missing_key", "$.meta.loop.action")]),
            ({"divert": "c"}, [("error", "unknown_target", "$.meta.loop.action.divert")]),
            ({"divert": 5}, [("error", "wrong_type", "$.meta.loop.action.divert")]),
            ({"divert": "b", "to": "c"}, [("error", "unknown_key", "$.meta.loop.action.to")]),
        )
    },
    "loop rule of a transition": (
        small_with(
            (*GO,),
            {"target": "b", "meta": {"loop": {"limit": 0, "window": "x", "action": {"divert": "c"}, "y": 1}}},
        ),
        [
            ("error", "unknown_target", "$.states.a.on.GO.meta.loop.action.divert"),
            ("error", "bad_value", "$.states.a.on.GO.meta.loop.limit"),
            ("error", "bad_value", "$.states.a.on.GO.meta.loop.window"),
            ("error", "unknown_key", "$.states.a.on.GO.meta.loop.y"),
        ],
    ),
    "loop detection turned off for a transition": (small_with(GO, {"target": "b", "meta": {"loop": None}}), []),
    # the graph
    "unreachable states": (
        small_with(("states", "c"), {"on": {"X": "b", "Y": "a"}}),
        [("warning", "unreachable_state", "$.states.c")],
    ),
    "a ring that nothing leads into": (
        small(states={"a": {"on": {"GO": "b"}}, "b": FINAL, "c": {"on": {"X": "d"}}, "d": {"on": {"X": "c"}}}),
        [("warning", "unreachable_state", f"$.states.{name}") for name in "cd"],
    ),
    "dead end": (with_state("c", {}), [("warning", "dead_end", "$.states.c")]),
    "dead end with a self-transition": (with_state("c", {"on": {"X": "c"}}), [("warning", "dead_end", "$.states.c")]),
    "the root is an exit": ({**with_state("c", {}), "on": {"STOP": "b"}}, []),
    "a deadline is an exit": (with_state("c", {"after": {"1": "b"}}), []),
    "reached by a deadline": (small(states={"a": {"after": {"1": "b"}}, "b": FINAL}), []),
    "reached by a diverted loop": (
        small(meta={"loop": {"action": {"divert": "c"}}}, states={"a": {"on": {"GO": "b"}}, "b": FINAL, "c": FINAL}),
        [],
    ),
    "reached by the diverted loop of a transition": (
        small_with((*GO,), {"target": "b", "meta": {"loop": {"action": {"divert": "c"}}}})
        | {
            "states": {
                "a": {"on": {"GO": {"target": "b", "meta": {"loop": {"action": {"divert": "c"}}}}}},
                "b": FINAL,
                "c": FINAL,
            }
        },
        [],
    ),
    # the whole
    "the purchase machine": (PURCHASE, []),
    "the small machine": (small(), []),
}


@pytest.mark.parametrize("case", CASES)
def test_finding(machines: Any, case: str) -> None:
    definition, expected = CASES[case]
    assert machines.places(definition) == expected


def test_every_message_is_a_sentence_about_what_to_do(machines: Any) -> None:
    found = [one for definition, _ in CASES.values() for one in machines.check(definition)]
    assert {one.severity for one in found} == {"error", "warning"}
    assert all(10 < len(one.message) < 400 and "%" not in one.message for one in found)


@pytest.mark.parametrize(
    ("definition", "key", "words"),
    [
        (small(type="parallel"), "type", "machine of its own"),
        (small_with(("states", "b", "states"), {}), "states", "a state of its own"),
        (small_with(("states", "b", "history"), "deep"), "history", "name the state to go back to"),
        (small_with(("states", "a", "entry"), []), "entry", "actions are not supported"),
        (small_with(("states", "a", "invoke"), []), "invoke", "sends its outcome as an event"),
        (small_with(("states", "a", "always"), []), "always", "name an event"),
        (small_with(("states", "a", "onDone"), []), "onDone", "send an event"),
        (small_with(GO, {"target": "b", "cond": "x"}), "cond", '"guard"'),
        (small_with(GO, {"target": "b", "internal": True}), "internal", '"reenter": true'),
        (small_with(("states", "a", "after"), {"1": {"target": "b", "guard": "x"}}), "guard", "no guard"),
        (small(foo=1), "foo", "known are id, initial, states, on, meta"),
    ],
)
def test_a_refused_key_is_named_with_what_to_do_instead(machines: Any, definition: Any, key: str, words: str) -> None:
    [message] = [one.message for one in machines.check(definition) if one.path.endswith(f".{key}")]
    assert f'"{key}"' in message
    assert words in message


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        (small_with((*A_ON, "*"), "b"), "wildcard events"),
        (with_go({"guard": "$.x"}), "a transition needs a target"),
        (small_with(GO, "nowhere"), 'there is no state "nowhere"'),
        (small_with(("states", "a", "type"), "history"), "history states"),
        (with_go({"target": "b", "guard": {"type": "isBig"}}), "jsonpath predicate as a string"),
    ],
)
def test_a_message_says_what_is_meant(machines: Any, definition: Any, words: str) -> None:
    assert any(words in one.message for one in machines.check(definition) if one.severity == "error")


# --- limits, at the limit and one beyond ------------------------------------------------------------------------------


def states(count: int) -> dict[str, Any]:
    names = [f"s{n}" for n in range(count)]
    return {name: {"on": {"NEXT": after}} for name, after in zip(names, [*names[1:], names[0]], strict=True)}


def guarded(count: int) -> list[dict[str, str]]:
    return [{"target": "b", "guard": f"$.x == {n}"} for n in range(count)]


def test_at_most_1000_states(machines: Any) -> None:
    assert machines.places(small(initial="s0", states=states(1000))) == []
    assert machines.places(small(initial="s0", states=states(1001))) == [("error", "too_many_states", "$.states")]


def test_at_most_100_candidates_of_an_event(machines: Any) -> None:
    assert machines.places(small_with(GO, guarded(100))) == []
    assert machines.places(small_with(GO, guarded(101))) == [("error", "too_many_candidates", "$.states.a.on.GO")]


def test_at_most_100_invariants_of_a_state(machines: Any) -> None:
    at = ("states", "b", "meta", "invariant")
    assert machines.places(small_with(at, ["$.x > 1"] * 100)) == []
    assert machines.places(small_with(at, ["$.x > 1"] * 101)) == [
        ("error", "too_many_invariants", "$.states.b.meta.invariant")
    ]


def test_at_most_20000_candidates_with_the_root_written_out(machines: Any) -> None:
    own = states(100)
    machine = small(initial="s0", states=own, on={f"E{n}": "s0" for n in range(199)})
    assert machines.places(machine) == []  # 100 of the states' own, 199 of the root in each
    own["s0"]["on"]["MORE"] = "s1"
    assert machines.places(machine) == [("error", "too_many_candidates", "$")]
    own["s1"]["on"]["E0"] = []  # takes one of the root out of this state
    assert machines.places(machine) == []


def test_at_most_128_mib_written_out(machines: Any) -> None:
    # 600 states with 30 targets each, and a schema that stands beside every pair
    names = [f"s{n}" for n in range(600)]
    ring = {
        name: {"on": {f"E{step}": names[(n + step) % 600] for step in range(1, 31)}} for n, name in enumerate(names)
    }
    machine = small(initial="s0", states=ring, meta={"context_schema": {"title": "x" * 5000}})
    assert machines.places(machine) == []
    machine["meta"]["context_schema"]["title"] *= 2
    assert machines.places(machine) == [("error", "too_large", "$")]


def test_at_most_1_mib(machines: Any) -> None:
    [(size,)] = machines.rows("select octet_length(%s::jsonb::text)", json.dumps(small(description="")))
    assert machines.places(small(description="x" * (2**20 - size))) == []
    assert machines.places(small(description="x" * (2**20 - size + 1))) == [("error", "too_large", "$")]
