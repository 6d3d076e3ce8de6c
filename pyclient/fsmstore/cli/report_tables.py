"""Reports, as tables and lines for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fsmstore import DoctorFinding, FiredDeadline, LoopingSession, Violation

from .tables import facts

_COLOURS = {"error": "bold red", "warning": "yellow"}
_ROWS = 20
_UNITS = ("B", "kB", "MB", "GB", "TB")


def doctor(findings: Sequence[DoctorFinding]) -> RenderableType:
    """Return what doctor found, a paragraph each."""
    if not findings:
        return Text("nothing to say: all is well", style="green")
    lines: list[RenderableType] = []
    for one in findings:
        head = Text(f"{one.severity} {one.check_name}", style=_COLOURS.get(one.severity, ""))
        lines.append(Text().append_text(head).append(f": {one.message}"))
        if one.hint:
            lines.append(Padding(Text(one.hint, style="dim"), (0, 0, 0, 4)))
    return Group(*lines)


def violations(looked_at: int, found: Sequence[Violation]) -> RenderableType:
    """Return what verify found, or that it found nothing."""
    if not found:
        return Text(f"sound: {_counted(looked_at, 'session')} looked at", style="green")
    lines = []
    for one in found:
        head = Text(f"{one.session_id}  ", style="bold") + Text(one.code, style="bold red")
        lines.append(head + Text(f"  {json.dumps(one.detail, ensure_ascii=False, default=str)}"))
    told = f"{_counted(len(found), 'finding')}, {_counted(looked_at, 'session')} looked at"
    return Group(*lines, Text(told, style="red"))


def fired(one: FiredDeadline) -> Text:
    """Return one line about a deadline."""
    way = f"{one.from_state} → {one.to_state or '?'}"
    line = Text(datetime.now().strftime("%H:%M:%S  "), style="dim") + Text(one.session_id, style="bold") + Text("  ")
    if one.version is not None:
        return line + Text(way, style="green") + Text(f"  version {one.version}")
    return line + Text(f"{way}  refused: {one.sqlstate} {one.message}", style="yellow")


def top(metrics: Mapping[str, Any], loops: Sequence[LoopingSession]) -> Group:
    """Return the numbers of one moment."""
    sessions, deadlines, recent = metrics["sessions"], metrics["deadlines"], metrics["recent"]
    turns, size = metrics["turns"], metrics["bytes"]
    overdue = f"{deadlines['overdue']:,} overdue"
    if deadlines["oldest_overdue_seconds"] is not None:
        overdue += f" (by {deadlines['oldest_overdue_seconds']:,.0f} s)"
    head = facts(
        [
            ("sessions", f"{sessions['total']:,}, {sessions['final']:,} of them final"),
            ("writes", _rates(metrics["rates"])),
            ("loops", f"{recent['loops']:,} closed within {recent['seconds']} s"),
            ("deadlines", f"{deadlines['waiting']:,} waiting, {overdue}, {deadlines['refused']:,} refused"),
            ("turns", f"{turns['held']:,} held" if turns else "none on a standby"),
            ("stored", f"{_size(size['total'])}, {_size(size['history'])} of it history"),
        ]
    )
    parts: list[RenderableType] = [head]
    if sessions["by_state"]:
        parts += [Text(), _states(sessions["by_state"])]
    if metrics["transitions"]:
        parts += [Text(), _transitions(metrics["transitions"], recent["seconds"])]
    if loops:
        parts += [Text(), _loops(loops)]
    return Group(*parts)


def _table(title: str, *columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    for column in columns:
        number = column.startswith("#")
        table.add_column(column.lstrip("#"), justify="right" if number else "left", overflow="fold")
    return table


def _states(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("sessions by state", "machine", "#version", "state", "#sessions")
    for row in sorted(rows, key=lambda row: -row["sessions"])[:_ROWS]:
        table.add_row(Text(row["machine"]), str(row["machine_version"]), Text(row["state"]), f"{row['sessions']:,}")
    return _cut(table, len(rows))


def _transitions(rows: Sequence[Mapping[str, Any]], seconds: int) -> Table:
    table = _table(f"transitions within {seconds} s", "machine", "event", "from", "to", "#times")
    for row in rows[:_ROWS]:
        names = (row["machine"], row["event"] or "(deadline)", row["from_state"] or "", row["to_state"])
        table.add_row(*map(Text, names), f"{row['transitions']:,}")
    return _cut(table, len(rows))


def _loops(rows: Sequence[LoopingSession]) -> Table:
    table = _table("looping now", "session", "transition", "#times", "#allowed", "within")
    for row in rows:
        way = Text(f"{row.from_state} → {row.to_state}")
        table.add_row(
            Text(row.session_id, style="bold red"), way, str(row.occurrences), str(row.loop_limit), str(row.loop_window)
        )
    return table


def _cut(table: Table, rows: int) -> Table:
    if rows > _ROWS:
        table.caption = f"and {rows - _ROWS:,} more"
    return table


def _rates(rates: Mapping[str, Mapping[str, float]]) -> str:
    total = sum(rates["minute"].values())
    kinds = ", ".join(f"{kind} {rate:.2f}" for kind, rate in sorted(rates["minute"].items(), key=lambda one: -one[1]))
    return f"{total:.2f}/s in the last minute" + (f" ({kinds})" if kinds else "")


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def _size(count: float) -> str:
    for unit in _UNITS[:-1]:
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} {_UNITS[-1]}"
