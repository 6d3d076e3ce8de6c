"""The limits of a definition: taken at the limit, a finding one beyond."""

from __future__ import annotations

import json
from typing import Any

from support.definitions import small, small_with
from support.faulty import GO


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
