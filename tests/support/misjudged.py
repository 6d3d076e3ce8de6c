"""More of what draws findings from check_machine: in the meaning of a definition, beyond its structure."""

from __future__ import annotations

from support.definitions import small, small_with
from support.faulty import FINAL, GO, Cases, each, in_meta, with_state
from support.machines import PURCHASE

MEANING: Cases = {
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
        for values, found in each(
            ((1, 2.0), []),
            ((0, -1, 1.5, "1", None, 2**31, 10**400), [("error", "bad_value", "$.meta.context_version")]),
        )
        for value in values
    },
    **{
        f"max_context_bytes {value!r}": (in_meta("max_context_bytes", value), found)
        for values, found in each(
            ((2, 251658240), []),
            ((1, 251658241, 2.5, "8 MB", None, []), [("error", "bad_value", "$.meta.max_context_bytes")]),
        )
        for value in values
    },
    **{
        f"audit {value!r}": (in_meta("audit", value), found)
        for values, found in each(
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
        for values, found in each(
            ((1, 10000, 3.0), []),
            ((0, 10001, 1.5, "3", None), [("error", "bad_value", "$.meta.loop.limit")]),
        )
        for value in values
    },
    **{
        f"loop window {value!r}": (in_meta("loop", {"window": value}), found)
        for values, found in each(
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
