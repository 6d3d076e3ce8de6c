"""Arguments at random for the calls of a model's world: mostly what makes sense there, seldom something odd."""

from __future__ import annotations

import random
from typing import Any
from uuid import UUID

from .model import Session
from .model_machines import EVENTS
from .model_world import World

_LOGS: list[Any] = [[], [1], ["x", None], [[], {"a": 1}], [1, 1, 1]]
_DEEP: list[Any] = [{}, {"x": 1}, {"x": None, "y": 2}, {"y": 0}]
_ODD_CONTEXTS: list[Any] = [
    [], "x", {}, {"n": "x"}, {"n": 1.5}, {"n": 3, "log": {}}, {"n": 3, "t": "x" * 120}, {"n": 3, "current_state": "a"},
]  # fmt: skip
_ODD_PATCHES: list[Any] = [None, {"n": None}, {"log": None}, [], 1, {"n": "x"}, {"n": 1.5}, {"t": "x" * 120}]


class Arguments:
    """Draws from `dice`, which is new for each step."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.dice = random.Random(0)

    def any_id(self) -> str:
        """Mostly the session to which most happens, seldom one that is not there."""
        drawn = self.world.id(self.dice.choice(["s-1"] * 9 + ["s-2"] * 5 + ["s-3"] * 3 + ["s-4"] * 2 + ["s-5"]))
        there = list(self.world.model.sessions)
        return drawn if drawn in there or not there or self.dice.random() < 0.1 else self.dice.choice(there)

    def new_id(self) -> str:
        return self.world.id(self.dice.choice(["s-4", "s-5"] * 4 + ["s-1", "s-3"]))

    def holding(self) -> str:
        """A session whose turn is held, if there is one."""
        held = [name for name, session in self.world.model.sessions.items() if self.world.model.held(session)]
        return self.dice.choice(held) if held and self.dice.random() < 0.8 else self.any_id()

    def session(self, name: str) -> Session | None:
        return self.world.model.sessions.get(name)

    def context(self) -> Any:
        if self.dice.random() < 0.12:
            return self.dice.choice(_ODD_CONTEXTS)
        return {"n": self.dice.choice([0, 1, 2, 3, 3, 3])} | self._more()

    def patch(self) -> Any:
        if self.dice.random() < 0.15:
            return self.dice.choice(_ODD_PATCHES)
        return ({"n": self.dice.choice([0, 1, 2, 3, 3])} if self.dice.random() < 0.5 else {}) | self._more()

    def append(self) -> Any:
        if self.dice.random() < 0.07:
            return self.dice.choice([[], {"n": []}, {"log": 1}])
        return {"log": self.dice.choice(_LOGS)} if self.dice.random() < 0.4 else None

    def request(self, often: bool = False) -> UUID | None:
        return UUID(int=self.dice.randint(1, 3)) if self.dice.random() < (0.8 if often else 0.25) else None

    def expected(self, name: str) -> int | None:
        """The expected version of a write: none, the right one, seldom another."""
        session = self.session(name)
        version = session.version if session else 1
        return self.dice.choice([None] * 10 + [version] * 8 + [version - 1, version + 1])

    def turn(self, name: str) -> int | None:
        """The token that is held if one is, seldom none, or one that is not held any more."""
        model, session, chance = self.world.model, self.session(name), self.dice.random()
        if chance < 0.05:
            return model.last_turns.get(name, 2) - 1
        held = model.held(session) if session and chance < 0.85 else None
        return held.turn if held else None

    def event(self, name: str) -> str:
        """Mostly an event that the present state knows."""
        session = self.session(name)
        known = self.world.model.machine(session).events(session.state) if session else []
        return self.dice.choice([*known * 5, *EVENTS, "NO"])

    def way_back(self, name: str) -> str:
        """An event that leads to where the session is or was before, where there is such."""
        session = self.session(name)
        if session is None:
            return "E1"
        machine, wanted = self.world.model.machine(session), (session.state, session.head.from_state)
        known = machine.events(session.state)
        back = [one for one in known for way in machine.candidates(session.state, one)[:1] if way.target in wanted]
        return self.dice.choice(back or known or ["E1"])

    def past(self, name: str) -> int:
        """Mostly a version that is retained."""
        session = self.session(name)
        retained = [row.version for row in session.rows] if session else [1]
        return self.dice.choice([*retained * 3, 0, 1, retained[0] - 1, retained[-1] + 1])

    def item(self, name: str) -> tuple[Any, ...]:
        """The arguments of a save, mostly to a state that an event leads to."""
        model, session, context = self.world.model, self.session(name), self.context()
        machine = model.machine(session) if session else model.machines[1]
        here = session.state if session else "a"
        event = self.event(name) if self.dice.random() < 0.4 else None
        leads = [
            way.target
            for known in machine.events(here)
            for way in machine.candidates(here, known)
            if event in (None, known)
        ]
        state = self.dice.choice([*leads * 4, here, *machine.states, "nowhere"])
        if isinstance(context, dict) and self.dice.random() < 0.15:
            context = {**context, "current_state": state}
        return name, state, context, self.expected(name), event, self.request(), self.turn(name)

    def _more(self) -> dict[str, Any]:
        log = {"log": self.dice.choice(_LOGS)} if self.dice.random() < 0.4 else {}
        return log | ({"deep": self.dice.choice(_DEEP)} if self.dice.random() < 0.3 else {})
