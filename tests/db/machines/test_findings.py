"""Every finding of check_machine: what draws it, where it points, whether it is an error."""

from __future__ import annotations

from typing import Any

import pytest

from support.definitions import small, small_with
from support.faulty import A_ON, GO, STRUCTURE, with_go
from support.misjudged import MEANING

CASES = STRUCTURE | MEANING


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
