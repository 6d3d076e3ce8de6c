"""A machine as its definition says it, in plain Python, and machines at random. Nothing here is shared with the SQL."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Context = dict[str, Any]
SECOND = 1_000_000
"""All times of the model are whole microseconds."""


def _n(test: Callable[[Any], bool]) -> Callable[[Context], bool]:
    """A predicate on n, which does not hold unless n is a number."""
    return lambda context: isinstance(context.get("n"), (int, float)) and test(context["n"])


PREDICATES: dict[str, Callable[[Context], bool]] = {
    "$.n > 0": _n(lambda n: n > 0),
    "$.n > 2": _n(lambda n: n > 2),
    "$.n < 3": _n(lambda n: n < 3),
    "$.n == 1": _n(lambda n: bool(n == 1)),
    "$.n != 1": _n(lambda n: bool(n != 1)),
    "exists($.log)": lambda context: "log" in context,
}


@dataclass(frozen=True)
class Rule:
    """When passages of a transition are a loop, and what is done then."""

    limit: int
    window: int
    action: str
    divert: str | None = None


@dataclass(frozen=True)
class Candidate:
    """One way that an event or a deadline may go."""

    target: str
    guard: str | None
    reenter: bool
    rule: Rule | None

    def holds(self, context: Context) -> bool:
        return self.guard is None or PREDICATES[self.guard](context)


class Machine:
    """One version of a machine."""

    def __init__(self, definition: dict[str, Any], version: int) -> None:
        self.name: str = definition["id"]
        self.version = version
        self.initial: str = definition["initial"]
        self.states: dict[str, Any] = definition["states"]
        self.root: dict[str, Any] = definition.get("on", {})
        self.meta: dict[str, Any] = definition["meta"]
        self.context_version: int = self.meta["context_version"]
        self._rule = _rule(self.meta.get("loop", {}))

    def final(self, state: str) -> bool:
        return bool(self.states[state].get("type") == "final")

    def candidates(self, state: str, event: str) -> list[Candidate]:
        """The candidates of an event in a state, in the order tried; none where the event is not known."""
        if self.final(state):
            return []
        found = self.states[state].get("on", {}).get(event, self.root.get(event, []))
        return [self._candidate(one) for one in (found if isinstance(found, list) else [found])]

    def events(self, state: str) -> list[str]:
        """The names of the events that a state knows, in collation C."""
        names = {*self.states[state].get("on", {}), *self.root}
        return sorted(name for name in names if self.candidates(state, name))

    def taken(self, state: str, event: str, context: Context) -> Candidate | None:
        """The first candidate whose guard holds."""
        return next((one for one in self.candidates(state, event) if one.holds(context)), None)

    def delays(self, state: str) -> list[tuple[int, Candidate]]:
        """The deadlines of a state, in microseconds, the shortest first."""
        after = self.states[state].get("after", {})
        return sorted(((int(ms) * 1000, self._candidate(one)) for ms, one in after.items()), key=lambda pair: pair[0])

    def too_large(self, context: Context) -> bool:
        return len(json.dumps(context)) > int(self.meta.get("max_context_bytes", 8_388_608))

    def inadmissible(self, context: Context, state: str) -> str | None:
        """Why a state does not take a context: its schema or its invariant."""
        if self.meta.get("context_schema"):
            n, log = context.get("n", 0), context.get("log", [])
            if not isinstance(n, int) or not isinstance(log, list):
                return "type"
        invariant = self.states[state].get("meta", {}).get("invariant")
        return "invariant" if invariant and not PREDICATES[invariant](context) else None

    def longest_window(self) -> int:
        """The longest loop window of any of its transitions."""
        ways = [one for state in self.states for event in self.events(state) for one in self.candidates(state, event)]
        ways += [one for state in self.states for _, one in self.delays(state)]
        return max((one.rule.window for one in ways if one.rule), default=0)

    def _candidate(self, given: Any) -> Candidate:
        whole = given if isinstance(given, dict) else {"target": given}
        meta = whole.get("meta", {})
        rule = _rule(meta["loop"]) if "loop" in meta else self._rule
        return Candidate(whole["target"], whole.get("guard"), bool(whole.get("reenter")), rule)


def _rule(given: dict[str, Any] | None) -> Rule | None:
    if given is None:
        return None
    action = given.get("action", "log")
    seconds = int(given.get("window", "300 seconds").split()[0])
    divert = action["divert"] if isinstance(action, dict) else None
    return Rule(given.get("limit", 3), seconds * SECOND, "divert" if divert else action, divert)


EVENTS = ("E1", "E2", "E3", "ROOT")
SCHEMA = {"properties": {"n": {"type": "integer"}, "log": {"type": "array"}}}


def random_definition(seed: int, name: str, version: int) -> dict[str, Any]:
    """Return a machine of two to five states, some with a final one, that fsm.define_machine takes."""
    dice = random.Random(f"{seed} {version}")

    def maybe(chance: float) -> bool:
        return dice.random() < chance

    open_states = list("abcde")[: dice.choice([2, 2, 3, 3, 4, 5])]
    targets = open_states * 3 + (["z"] if maybe(0.6) else [])

    def rule() -> Any:
        divert = {"divert": dice.choice(targets)}
        return {"limit": dice.choice([1, 1, 2]), "window": dice.choice(["10 seconds", "60 seconds", "600 seconds"])} | (
            {"action": dice.choice(["log", "block", "block", divert, divert])} if maybe(0.9) else {}
        )

    def candidate(state: str | None) -> Any:
        target = dice.choice([*targets, *([state] * 2 if state else [])])
        whole: dict[str, Any] = {"target": target}
        if maybe(0.6):
            whole["guard"] = dice.choice(list(PREDICATES))
        if target == state and maybe(0.5):
            whole["reenter"] = True
        if maybe(0.4):
            whole["meta"] = {"loop": rule() if maybe(0.8) else None}
        return target if whole == {"target": target} and maybe(0.5) else whole

    def state(name: str) -> dict[str, Any]:
        events = [event for event in EVENTS[:3] if maybe(0.7)] or ["E1"]
        whole: dict[str, Any] = {"on": {event: _some(dice, lambda: candidate(name)) for event in events}}
        if maybe(0.15):
            whole["on"]["ROOT"] = []
        if maybe(0.45):
            delays = dice.sample(["5000", "10000", "60000", "90000"], dice.randint(1, 2))
            whole["after"] = {delay: dice.choice([*targets, name]) for delay in delays}
        if name != "a" and maybe(0.3):
            whole["meta"] = {"invariant": dice.choice(list(PREDICATES))}
        return whole

    definition: dict[str, Any] = {"id": name, "initial": "a", "states": {name: state(name) for name in open_states}}
    if "z" in targets:
        definition["states"]["z"] = {"type": "final"}
    if maybe(0.5):
        definition["on"] = {"ROOT": _some(dice, lambda: candidate(None))}
    definition["meta"] = {"context_version": version} | (
        ({"loop": rule() if maybe(0.8) else None} if maybe(0.7) else {})
        | ({"context_schema": SCHEMA} if maybe(0.5) else {})
        | ({"max_context_bytes": 120} if maybe(0.3) else {})
        | ({"audit": "chain"} if maybe(0.3) else {})
    )
    return definition


def _some(dice: random.Random, make: Callable[[], Any]) -> Any:
    made = [make() for _ in range(dice.choice([1, 1, 2, 3]))]
    return made[0] if len(made) == 1 else made
