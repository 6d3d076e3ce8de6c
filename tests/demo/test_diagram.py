"""Diagrams drawn with characters."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fsmstore import SessionStore
from fsmstore.demo.diagram import drawing
from fsmstore.demo.graph import Edge, Graph
from support.machines import DOOR, PURCHASE

LAMP: dict[str, Any] = {
    "id": "lamp",
    "initial": "off",
    "states": {
        "off": {"on": {"ON": [{"target": "#lamp.on", "guard": "$.power > 0"}, {"target": ".dark room"}]}},
        "on": {"on": {"OFF": "off", "BREAK": "dark room"}, "after": {"90000": {"target": "off"}}},
        "dark room": {"type": "final"},
        "end": None,
    },
}


def test_a_door() -> None:
    assert drawing(DOOR) == (
        "╭──────────╮\n"
        "│ ● closed │ ↺ KNOCK\n"
        "│          │◀──────────╮\n"
        "╰────┬─────╯           │\n"
        "     │ OPEN            │\n"
        "╭────▼─────╮           │\n"
        "│   open   │           │\n"
        "│          ├── CLOSE ──╯\n"
        "╰──────────╯\n"
        "● initial   ◎ final   ↺ stays   ⧗ deadline"
    )


def test_lanes_that_meet_lie_beside_each_other() -> None:
    assert drawing(LAMP).splitlines() == [
        "╭─────────────╮",
        "│ ● off       │",
        "│             ├── ON ────────────────╮",
        "│             │◀───────────────────╮ │",
        "╰──────┬──────╯                    │ │",
        "       │ ON [$.power > 0]          │ │",
        "╭──────▼──────╮                    │ │",
        "│   on        │ ⧗ after 90 s → off │ │",
        "│             ├── OFF ─────────────╯ │",
        "╰──────┬──────╯                      │",
        "       │ BREAK                       │",
        "╭──────▼──────╮                      │",
        "│ ◎ dark room │                      │",
        "│             │◀─────────────────────╯",
        "╰─────────────╯",
        "● initial   ◎ final   ↺ stays   ⧗ deadline",
    ]


def test_long_guards_are_cut_and_the_picture_stays_whole() -> None:
    guard = f"$.{'x' * 200} > 0"
    states = {"a": {"on": {"GO": {"target": "b", "guard": guard}, "JUMP": {"target": "c", "guard": guard}}}}
    long = {"id": "m", "initial": "a", "states": {**states, "b": {"on": {"GO": "c"}}, "c": {"type": "final"}}}
    drawn = drawing(long)
    assert guard not in drawn
    assert drawn.count("…") == 2
    assert max(map(len, drawn.splitlines())) < 80


def test_a_machine_of_one_state() -> None:
    alone = {"id": "m", "initial": "a", "states": {"a": {"type": "final"}}}
    assert drawing(alone).splitlines()[:3] == ["╭─────╮", "│ ● a │", "╰─────╯"]


def test_the_purchase_as_it_is_stored_fits_a_terminal(store: SessionStore) -> None:
    definition = store.machine_definition("purchase_item")
    assert drawing(definition) == drawing(PURCHASE)
    lines = drawing(definition).splitlines()
    assert max(map(len, lines)) <= 78
    boxes = [found[1] for line in lines if (found := re.match(r"│ [●◎ ] (\w+) +│", line))]
    assert boxes == [
        "start",
        "search",
        "refine_constraints",
        "collect_preferences",
        "match_preferences",
        "confirm_purchase",
        "completed",
    ]
    assert lines[-1] == "from every open state:  CANCEL → cancelled,  FAIL → failed"


@pytest.mark.parametrize(
    ("milliseconds", "label"),
    [
        ("1500", "1500 ms"),
        ("2000", "2 s"),
        ("120000", "2 min"),
        ("7200000", "2 h"),
        ("172800000", "2 d"),
        ("0", "0 ms"),
    ],
)
def test_deadlines_are_told_in_the_largest_whole_unit(milliseconds: str, label: str) -> None:
    states = {"a": {"after": {milliseconds: "b"}}, "b": {"type": "final"}}
    graph = Graph({"id": "m", "initial": "a", "states": states})
    assert graph.deadlines == [Edge("a", "b", f"after {label}")]
