"""A machine's diagram, drawn with characters for a terminal. For mermaid and dot there is fsm.diagram."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .graph import Edge, Graph

_UP, _DOWN, _LEFT, _RIGHT = 1, 2, 4, 8
_LINES = {
    _UP: "│", _DOWN: "│", _UP | _DOWN: "│", _LEFT: "─", _RIGHT: "─", _LEFT | _RIGHT: "─",
    _DOWN | _RIGHT: "╭", _DOWN | _LEFT: "╮", _UP | _RIGHT: "╰", _UP | _LEFT: "╯",
    _UP | _DOWN | _RIGHT: "├", _UP | _DOWN | _LEFT: "┤", _DOWN | _LEFT | _RIGHT: "┬", _UP | _LEFT | _RIGHT: "┴",
    _UP | _DOWN | _LEFT | _RIGHT: "┼",
}  # fmt: skip
_LONGEST_LABEL = 42


class _Canvas:
    """A grid of lines, which join where they meet, and of text over them."""

    def __init__(self) -> None:
        self._lines: dict[tuple[int, int], int] = {}
        self._text: dict[tuple[int, int], str] = {}

    def across(self, row: int, left: int, right: int) -> None:
        for column in range(left, right):
            self._add(row, column, _RIGHT)
            self._add(row, column + 1, _LEFT)

    def down(self, column: int, top: int, bottom: int) -> None:
        for row in range(top, bottom):
            self._add(row, column, _DOWN)
            self._add(row + 1, column, _UP)

    def write(self, row: int, column: int, text: str) -> None:
        for offset, character in enumerate(text):
            self._text[row, column + offset] = character

    def _add(self, row: int, column: int, direction: int) -> None:
        self._lines[row, column] = self._lines.get((row, column), 0) | direction

    def __str__(self) -> str:
        cells = {**{place: _LINES[directions] for place, directions in self._lines.items()}, **self._text}
        rows: dict[int, dict[int, str]] = {}
        for (row, column), character in cells.items():
            rows.setdefault(row, {})[column] = character
        return "\n".join(
            "".join(rows.get(row, {}).get(column, " ") for column in range(max(rows.get(row, {0: ""})) + 1)).rstrip()
            for row in range(max(rows) + 1)
        )


@dataclass(slots=True)
class _Lane:
    """An edge that is led around other boxes, on their right."""

    edge: Edge
    leaves: int = 0
    arrives: int = 0
    column: int = 0

    @property
    def span(self) -> range:
        return range(min(self.leaves, self.arrives), max(self.leaves, self.arrives) + 1)


@dataclass(slots=True)
class _Box:
    """A state with what is fastened to its right side, and the edges to the box below."""

    state: str
    outgoing: list[_Lane] = field(default_factory=list)
    incoming: list[_Lane] = field(default_factory=list)
    down: list[Edge] = field(default_factory=list)


def drawing(definition: Mapping[str, Any]) -> str:
    """Return the machine as boxes one below the other, with the edges between them.

    States that only deadlines and the events of the root lead to are told below it.
    """
    graph = Graph(definition)
    boxes = _boxes(graph)
    width = max(len(box.state) for box in boxes) + 5
    lanes = [lane for box in boxes for lane in box.outgoing]
    _place(boxes, lanes)
    _spread(lanes, width + 3 + max(len(text) for box in boxes for text in _beside(graph, box, width)))
    canvas = _Canvas()
    row = 0
    for box in boxes:
        row = _draw_box(canvas, graph, box, row, width)
    for lane in lanes:
        canvas.across(lane.leaves, width, lane.column)
        canvas.across(lane.arrives, width + 1, lane.column)
        canvas.down(lane.column, lane.span[0], lane.span[-1])
        canvas.write(lane.leaves, width + 3, f" {_short(lane.edge.label)} ")
        canvas.write(lane.arrives, width + 1, "◀")
    return "\n".join([str(canvas), *_notes(graph)])


def _boxes(graph: Graph) -> list[_Box]:
    moves = [edge for edge in graph.edges if edge.source != edge.target]
    drawn = {graph.initial} | {state for edge in moves for state in (edge.source, edge.target)}
    boxes = {state: _Box(state) for state in graph.states if state in drawn}
    order = list(boxes)
    for edge in moves:
        if order.index(edge.target) == order.index(edge.source) + 1:
            boxes[edge.source].down.append(edge)
        else:
            lane = _Lane(edge)
            boxes[edge.source].outgoing.append(lane)
            boxes[edge.target].incoming.append(lane)
    return list(boxes.values())


def _place(boxes: Sequence[_Box], lanes: Sequence[_Lane]) -> None:
    """Give each lane the rows where it leaves and arrives."""
    row = 0
    for box in boxes:
        row += 2  # the upper border and the name
        for lane in box.outgoing:
            lane.leaves, row = row, row + 1
        for lane in box.incoming:
            lane.arrives, row = row, row + 1
        row += 1 + len(box.down)


def _spread(lanes: Sequence[_Lane], first: int) -> None:
    """Give each lane a column, so that no two lie on each other; short ones inside."""
    placed: list[_Lane] = []
    for lane in sorted(lanes, key=lambda lane: (len(lane.span), lane.span[0])):
        lane.column = first
        while any(set(lane.span) & set(other.span) and other.column == lane.column for other in placed):
            lane.column += 2
        placed.append(lane)


def _draw_box(canvas: _Canvas, graph: Graph, box: _Box, top: int, width: int) -> int:
    middle = width // 2
    bottom = top + 2 + len(box.outgoing) + len(box.incoming)
    for row in (top, bottom):
        canvas.across(row, 0, width)
    for column in (0, width):
        canvas.down(column, top, bottom)
    mark = "●" if box.state == graph.initial else "◎" if box.state in graph.finals else " "
    canvas.write(top + 1, 2, f"{mark} {box.state}")
    canvas.write(top + 1, width + 2, _remarks(graph, box))
    if box.down:
        canvas.down(middle, bottom, bottom + len(box.down) + 1)
        for row, edge in enumerate(box.down, start=bottom + 1):
            canvas.write(row, middle + 2, _short(edge.label))
        canvas.write(bottom + len(box.down) + 1, middle, "▼")
    return bottom + len(box.down) + 1


def _remarks(graph: Graph, box: _Box) -> str:
    stays = dict.fromkeys(edge.event for edge in graph.edges if edge.source == edge.target == box.state)
    remarks = [f"↺ {', '.join(stays)}"] if stays else []
    remarks += [f"⧗ {edge.event} → {edge.target}" for edge in graph.deadlines if edge.source == box.state]
    return "   ".join(remarks)


def _beside(graph: Graph, box: _Box, width: int) -> Iterator[str]:
    """Yield what stands right of a box's border, filled up from there: lanes must pass beyond it."""
    yield _remarks(graph, box)
    for lane in box.outgoing:
        yield f"── {_short(lane.edge.label)} "
    for edge in box.down:
        yield _short(edge.label)[width - width // 2 :]


def _notes(graph: Graph) -> list[str]:
    notes = ["● initial   ◎ final   ↺ stays   ⧗ deadline"]
    if graph.everywhere:
        moves = ",  ".join(f"{edge.label} → {edge.target}" for edge in graph.everywhere)
        notes.append(f"from every open state:  {moves}")
    return notes


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…"
