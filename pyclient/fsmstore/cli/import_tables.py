"""What an import did or would do, for people."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fsmstore import ImportOutcome, UndoneImport

from .tables import facts

OUTCOMES = ("imported", "conflict_resolved", "skipped", "quarantined")
_COLOURS = {"imported": "green", "conflict_resolved": "cyan", "skipped": "dim", "quarantined": "yellow"}
_ROWS = 40
_LONGEST_ID = 48


def by_outcome(outcomes: Sequence[ImportOutcome]) -> dict[str, int]:
    """Return how many sessions there are of each outcome, also of those that there are none of."""
    counted = Counter(one.outcome for one in outcomes)
    return {outcome: counted[outcome] for outcome in (*OUTCOMES, *sorted(counted.keys() - set(OUTCOMES)))}


def by_code(outcomes: Sequence[ImportOutcome]) -> dict[str, dict[str, int]]:
    """Return, for each outcome, how many sessions there are of each code, the most frequent first."""
    counted = Counter((one.outcome, one.code) for one in outcomes if one.code is not None)
    found: dict[str, dict[str, int]] = {}
    for (outcome, code), number in sorted(counted.items(), key=lambda one: (-one[1], str(one[0]))):
        found.setdefault(outcome, {})[str(code)] = number
    return found


def begun(batch: UUID, sessions: int, machine: str, copies: Sequence[Path]) -> RenderableType:
    """Return what an import is about."""
    rows = [("batch", str(batch)), ("read", _counted(sessions, "session")), ("machine", machine)]
    rows += [("copied" if not number else "", str(copy)) for number, copy in enumerate(copies)]
    return facts((name, Text(value)) for name, value in rows)


def report(title: str, outcomes: Sequence[ImportOutcome]) -> RenderableType:
    """Return how many sessions became what and why, and which are quarantined."""
    parts: list[RenderableType] = [counts(title, outcomes)]
    if any(one.code is not None for one in outcomes):
        parts += [Text(), _codes(outcomes)]
    quarantined = [one for one in outcomes if one.outcome == "quarantined"]
    if quarantined:
        parts += [Text(), _quarantined(quarantined)]
    return Group(*parts)


def counts(title: str, outcomes: Sequence[ImportOutcome]) -> RenderableType:
    """Return how many sessions became what."""
    rows = [(outcome.replace("_", " "), f"{number:,}") for outcome, number in by_outcome(outcomes).items()]
    return Group(Text(title, style="bold"), Padding(facts(rows), (0, 0, 0, 2)))


def ended(batch: UUID, outcomes: Sequence[ImportOutcome]) -> RenderableType:
    """Return what can be done next."""
    quarantined = by_outcome(outcomes)["quarantined"]
    lines = [Text(f"To take it back: fsmstore undo-import {batch}")]
    if quarantined:
        told = f"{_counted(quarantined, 'session')} not imported: view fsm.quarantine has them, with their originals."
        lines.insert(0, Text(told, style="yellow"))
    return Group(*lines)


def undone(result: UndoneImport) -> RenderableType:
    """Return what an undo has done."""
    lines = [Text(f"removed {_counted(result.removed, 'session')}")]
    if result.kept:
        lines.append(
            Text(f"kept {_counted(result.kept, 'session')}: written since, or in use just now", style="yellow")
        )
    else:
        lines.append(Text("kept none"))
    return Group(*lines)


def _codes(outcomes: Sequence[ImportOutcome]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), title="why", title_justify="left")
    for column in ("outcome", "code"):
        table.add_column(column, overflow="fold")
    table.add_column("sessions", justify="right")
    codes = by_code(outcomes)
    for outcome in (one for one in OUTCOMES if one in codes):
        for code, number in codes[outcome].items():
            table.add_row(Text(outcome.replace("_", " "), style=_COLOURS[outcome]), Text(harmless(code)), f"{number:,}")
    return table


def _quarantined(rows: Sequence[ImportOutcome]) -> Group:
    lines = [Text("quarantined", style="italic")]
    for one in rows[:_ROWS]:
        head = Text(f"  {shown_id(one.session_id)}  ", style="bold") + Text(harmless(one.code), style="yellow")
        lines.append(head + Text(f"  {harmless(one.message)}"))
    if len(rows) > _ROWS:
        lines.append(Text(f"  and {len(rows) - _ROWS:,} more; --json shows all", style="dim"))
    return Group(*lines)


def shown_id(session_id: str) -> str:
    """Return an id that does no harm to a terminal, and not more of it than fits."""
    text = session_id if session_id and session_id.isprintable() else json.dumps(session_id)
    return text if len(text) <= _LONGEST_ID else f"{text[: _LONGEST_ID - 1]}…"


def harmless(text: str | None) -> str:
    """Return what is said of a session without what would move a terminal's cursor: it quotes the old data."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text or "")


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")
