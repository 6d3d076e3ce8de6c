"""The compiled form of a machine says the same as a plain reading of its definition."""

from __future__ import annotations

import itertools
import re
from typing import Any

from hypothesis import given, settings

from support.definitions import (
    GUARDS,
    Definition,
    candidates_of,
    definitions,
    events_of,
    plain,
    rule,
    small,
    taken,
)

CONTEXTS = [dict(zip("pqrs", values, strict=True)) for values in itertools.product((True, False), repeat=4)]
MOVES = """select from_state, to_state, events, candidates, hits, guards::text[],
    loop_limit, extract(epoch from loop_window)::integer, loop_action, divert_to, same_rule
  from fsm_internal.machine_moves where machine = 'random' and machine_version = %s"""


def holds(guard: str | None, context: dict[str, bool]) -> bool:
    if guard is None:
        return True
    name = re.fullmatch(r'\(\$\."([pqrs])" == true\)', guard)
    assert name is not None
    return context[name[1]]


def winners(move: Any, context: dict[str, bool]) -> dict[str, int]:
    """Return, by the row of a pair, which events lead there, each with the candidate that is taken."""
    settled: dict[str, int | None] = {}
    for event, candidate, hit, guard in zip(*move[2:6], strict=True):
        if event not in settled and holds(guard, context):
            settled[event] = candidate if hit else None
    return {event: candidate for event, candidate in settled.items() if candidate is not None}


def pairs(definition: Definition) -> dict[tuple[str, str], dict[str, list[dict[str, Any]]]]:
    """Return every pair of states that some candidate leads along, with the candidates of each event that has one."""
    found: dict[tuple[str, str], dict[str, list[dict[str, Any]]]] = {}
    for state, body in definition["states"].items():
        if body.get("type") == "final":
            continue
        found.setdefault((state, state), {})
        for event in events_of(definition, state):
            listed = candidates_of(definition, state, event)
            for target in {plain(one["target"]) for one in listed}:
                found.setdefault((state, target), {})[event] = listed
    return found


@settings(max_examples=80)
@given(definition=definitions())
def test_moves_agree_with_the_definition(machines: Any, db: Any, definition: Definition) -> None:
    version = machines.define(definition).machine_version
    moves = {row[:2]: row for row in db.execute(MOVES, (version,)).fetchall()}
    expected = pairs(definition)
    assert moves.keys() == expected.keys()
    for (state, target), by_event in expected.items():
        move = moves[state, target]
        listed: list[tuple[str, int, bool, str | None]] = []
        for event in sorted(by_event, key=str.encode):
            leads = [plain(one["target"]) == target for one in by_event[event]]
            last = max(n for n, hit in enumerate(leads, 1) if hit)
            guards = [one.get("guard") for one in by_event[event]]
            listed += [(event, n, leads[n - 1], guards[n - 1]) for n in range(1, last + 1)]
        assert [row[:3] for row in zip(*move[2:6], strict=True)] == [row[:3] for row in listed]
        for context in CONTEXTS:
            won = {}
            for event, candidates in by_event.items():
                one = taken(candidates, context)
                if one is not None and plain(one["target"]) == target:
                    won[event] = candidates.index(one) + 1
            assert winners(move, context) == won

        hits = [one for listed in by_event.values() for one in listed if plain(one["target"]) == target]
        rules = {rule(definition, one) for one in hits}
        reenters = state == target and any(one.get("reenter") for one in hits)
        assert move[10] is (len(rules) <= 1 and not reenters)
        assert tuple(move[6:10]) == (rules.pop() if len(rules) == 1 else (None, None, None, None))


@settings(max_examples=50)
@given(definition=definitions())
def test_candidates_agree_with_the_definition(machines: Any, db: Any, definition: Definition) -> None:
    version = machines.define(definition).machine_version
    rows = db.execute(
        """select from_state, event, candidate, to_state, guard_source, reenter,
          loop_limit, extract(epoch from loop_window)::integer, loop_action, divert_to
        from fsm_internal.machine_candidates where machine = 'random' and machine_version = %s""",
        (version,),
    ).fetchall()
    expected = [
        (state, event, n, plain(one["target"]), one.get("guard"), one.get("reenter", False), *rule(definition, one))
        for state in definition["states"]
        for event in events_of(definition, state)
        for n, one in enumerate(candidates_of(definition, state, event), 1)
    ]
    assert sorted(map(repr, rows)) == sorted(map(repr, expected))


@settings(max_examples=30)
@given(definition=definitions())
def test_the_target_of_a_move_has_the_terms_of_its_state(machines: Any, db: Any, definition: Definition) -> None:
    version = machines.define(definition).machine_version
    [(different,)] = db.execute(
        """select count(*) from fsm_internal.machine_moves m
        join fsm_internal.machine_states s using (machine, machine_version)
        where s.state = m.to_state and m.machine = 'random' and m.machine_version = %s
          and ((m.target).is_final, (m.target).context_version, (m.target).max_context_bytes, (m.target).audit_chain,
              (m.target).schema_check::text, (m.target).schema_rest, (m.target).invariants::text)
            is distinct from (s.is_final, s.context_version, s.max_context_bytes, s.audit_chain,
              s.schema_check::text, s.schema_rest, s.invariants::text)""",
        (version,),
    ).fetchall()
    assert different == 0


def test_a_final_state_has_no_moves(machines: Any, db: Any) -> None:
    machines.define(small())
    assert db.execute("select from_state, to_state from fsm_internal.machine_moves order by 2").fetchall() == [
        ("a", "a"),
        ("a", "b"),
    ]


def test_the_pair_of_a_state_with_itself_is_there_without_any_event(machines: Any, db: Any) -> None:
    machines.define(small())
    row = db.execute(
        "select events, candidates, hits, guards, loop_limit, loop_window, loop_action, divert_to, same_rule"
        " from fsm_internal.machine_moves where from_state = to_state"
    ).fetchone()
    assert row == ([], [], [], [], None, None, None, None, True)


def test_the_guards_of_the_model_are_those_of_the_machine() -> None:
    assert sorted(GUARDS.values()) == list("pqrs")
