"""What the database answered, as tables and panels for people; the demo shows the same ones."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import psycopg
from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.highlighter import JSONHighlighter
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from fsmstore import AllowedEvent, Finding, FsmError, HistoryEntry, Session

_LONGEST_VALUE = 160  # characters


def put(console: Console, renderable: RenderableType, indent: int = 0) -> None:
    """Print something, moved to the right, and without blanks at the ends of lines."""
    console.print(_Indented(renderable, indent), end="")


class _Indented:
    """Something moved to the right, without blanks at the ends of its lines."""

    def __init__(self, renderable: RenderableType, indent: int) -> None:
        self._renderable = renderable
        self._indent = indent

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        inside = options.update(width=options.max_width - self._indent)
        for line in console.render_lines(self._renderable, inside, pad=False):
            text = list(line)
            while text and not text[-1].text.strip():
                text.pop()
            if text:
                yield Segment(" " * self._indent)
                yield from text[:-1]
                yield Segment(text[-1].text.rstrip(), text[-1].style)
            yield Segment.line()


def facts(pairs: Iterable[tuple[str, RenderableType]]) -> Table:
    """Return names and values in two columns."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(name, value)
    return table


def history(entries: Sequence[HistoryEntry]) -> Table:
    """Return a session's history, the newest last: as it happened. Fits 80 columns for names of usual length."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("v", justify="right", style="bold")
    table.add_column("at (UTC)", style="dim", no_wrap=True)
    table.add_column("event", overflow="fold")
    table.add_column("state", overflow="fold")
    table.add_column("actor", overflow="fold", style="cyan")
    for entry in reversed(entries):
        table.add_row(
            str(entry.version),
            entry.at.strftime("%H:%M:%S"),
            Text(entry.event or f"({entry.kind})") + Text(" loop!" if entry.loop_detected else "", style="bold red"),
            _move(entry),
            entry.actor or entry.db_user,
        )
    return table


def _move(entry: HistoryEntry) -> Text:
    if entry.from_state in (None, entry.to_state):
        return Text(entry.to_state)
    return Text(f"{entry.from_state} → {entry.to_state}")


def session(found: Session, events: Sequence[AllowedEvent], *, whole: bool = False) -> Group:
    """Return a session: what it is, what could happen next, and its context (cut short unless `whole`)."""
    head = facts(
        [
            ("session", Text(found.session_id, style="bold")),
            ("machine", f"{found.machine}, version {found.machine_version}"),
            ("state", Text(found.state, style="bold green") + Text(" (final)" if found.is_final else "")),
            ("version", str(found.version)),
            ("entered", _time(found.entered_at)),
            ("created", _time(found.created_at)),
            ("updated", _time(found.updated_at)),
        ]
    )
    next_ones = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="what could happen next", title_justify="left")
    for column in ("event", "to", "now?", "why"):
        next_ones.add_column(column, overflow="fold")
    for event in events:
        verdict = Text("yes", style="green") if event.allowed else Text("no", style="red")
        next_ones.add_row(Text(event.event), Text(event.to_state), verdict, Text(event.reason or ""))
    context = Padding(_context(found.context, whole), (0, 0, 0, 2))
    return Group(head, Text(), *([next_ones] if events else []), Text("context", style="italic"), context)


def _time(at: Any) -> str:
    return str(at.isoformat(sep=" ", timespec="milliseconds"))


def _context(context: Mapping[str, Any], whole: bool) -> RenderableType:
    if whole:
        return Text(json.dumps(context, indent=2, ensure_ascii=False))
    return facts((key, Text(_cut_short(context[key]))) for key in sorted(context))


def _cut_short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    if len(text) <= _LONGEST_VALUE:
        return text
    size = f", {len(value)} elements" if isinstance(value, (list, dict)) else ""
    return f"{text[:_LONGEST_VALUE]} … ({len(text)} characters{size}; --whole shows all)"


def findings(found: Sequence[Finding]) -> Group:
    """Return what the database has to say about a definition, one paragraph each."""
    lines = []
    for one in found:
        line = Text(f"{one.severity} {one.code}", style="bold red" if one.severity == "error" else "yellow")
        lines.append(line + Text(f" at {one.path or '$'}: {one.message}"))
    return Group(*lines)


def refusal(error: FsmError | psycopg.Error) -> Group:
    """Return SQLSTATE, MESSAGE, DETAIL and HINT of an error, as far as it has them."""
    if isinstance(error, FsmError):
        message, hint = error.message, error.hint
        detail = json.dumps(error.detail, ensure_ascii=False, default=str) if error.detail else None
    else:
        message = (error.diag.message_primary or str(error)).strip()
        detail, hint = error.diag.message_detail, error.diag.message_hint
    head = Text(f"{error.sqlstate or 'error'}  ", style="bold red") + Text(message, style="bold")
    if type(error).__module__.startswith("fsmstore"):
        head += Text(f"  ({type(error).__name__})", style="dim")
    rest = [("DETAIL", JSONHighlighter()(detail))] if detail else []
    rest += [("HINT", Text(hint))] if hint else []
    return Group(head, facts(rest)) if rest else Group(head)
