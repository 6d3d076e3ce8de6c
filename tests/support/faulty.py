"""What draws findings from check_machine: small definitions with one thing wrong each, and what is to be found."""

from __future__ import annotations

from typing import Any

from support.definitions import small, small_with

FINAL = {"type": "final"}
A_ON = ("states", "a", "on")
GO = (*A_ON, "GO")
Cases = dict[str, tuple[Any, list[tuple[str, str, str]]]]
"""By name: a definition, and severity, code and path of each finding."""


def with_go(*candidates: Any) -> dict[str, Any]:
    """Return the small machine with these candidates of its event GO."""
    return small_with(GO, list(candidates))


def with_state(name: str, body: Any) -> dict[str, Any]:
    """Return the small machine with one state more, that can be reached."""
    machine = small_with(("states", name), body)
    machine["states"]["a"]["on"]["THERE"] = name
    return machine


def in_meta(key: str, value: Any) -> dict[str, Any]:
    """Return the small machine with this in its meta."""
    return small_with(("meta", key), value)


def each(*groups: tuple[tuple[Any, ...], list[tuple[str, str, str]]]) -> tuple[Any, ...]:
    """Return the groups: several values, and what each of them draws."""
    return groups


STRUCTURE: Cases = {
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
}
