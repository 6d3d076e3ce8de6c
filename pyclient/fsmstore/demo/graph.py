"""A machine's definition read as a graph: states in a sensible order, and what leads from one to another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"))


@dataclass(frozen=True, slots=True)
class Edge:
    """One way out of a state."""

    source: str
    target: str
    event: str
    guard: str | None = None

    @property
    def label(self) -> str:
        """The event with its guard."""
        return self.event if self.guard is None else f"{self.event} [{self.guard}]"


class Graph:
    """A stored definition as a graph. Nothing is checked: the database did, when it was defined."""

    def __init__(self, definition: Mapping[str, Any]) -> None:
        self._id: str = definition["id"]
        self._states: Mapping[str, Any] = definition["states"]
        self.initial: str = definition["initial"]
        self.finals = {name for name, state in self._states.items() if (state or {}).get("type") == "final"}
        self.everywhere = list(self._edges("", definition.get("on", {})))
        """What the root of the definition adds to every open state; their source is empty."""
        self.states = self._ordered()
        """Breadth first from the initial state; a stored definition does not keep the order it was written in."""
        self.edges = [edge for state in self.states for edge in self._edges_of(state)]
        """What the states' own events do, in the order in which their candidates are tried."""
        self.deadlines = [edge for state in self.states for edge in self._deadlines_of(state)]

    def _edges_of(self, name: str) -> Iterator[Edge]:
        return self._edges(name, (self._states[name] or {}).get("on", {}))

    def _edges(self, source: str, on: Mapping[str, Any]) -> Iterator[Edge]:
        for event in sorted(on):
            for target, guard in self._candidates(on[event]):
                yield Edge(source, target, event, guard)

    def _deadlines_of(self, name: str) -> Iterator[Edge]:
        after = (self._states[name] or {}).get("after", {})
        for milliseconds in sorted(after, key=int):
            for target, _ in self._candidates(after[milliseconds]):
                yield Edge(name, target, f"after {_duration(int(milliseconds))}")

    def _candidates(self, value: Any) -> Iterator[tuple[str, str | None]]:
        for one in value if isinstance(value, list) else [value]:
            target = one["target"] if isinstance(one, Mapping) else one
            guard = one.get("guard") if isinstance(one, Mapping) else None
            yield target.removeprefix(f"#{self._id}").removeprefix("."), guard

    def _ordered(self) -> list[str]:
        order = [self.initial]
        for state in order:  # grows meanwhile
            targets = dict.fromkeys(edge.target for edge in self._edges_of(state))
            order += [target for target in targets if target not in order]
        return order + sorted(set(self._states) - set(order))


def _duration(milliseconds: int) -> str:
    for size, unit in _UNITS:
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size} {unit}"
    return f"{milliseconds} ms"
