"""What the demo looks like."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from fsmstore import FsmError
from fsmstore.cli import tables

_SPEAKERS = {"shop": "bold magenta", "you": "bold cyan"}


class Screen:
    """Prints the demo, on a terminal or into a file.

    Args:
        console: where to.
        states: the way through the machine, for the bar.
    """

    def __init__(self, console: Console, states: Sequence[str] = ()) -> None:
        self._console = console
        self.states = states
        self._visited: list[str] = []
        self._chapter = 0

    def _print(self, renderable: RenderableType, indent: int = 2) -> None:
        tables.put(self._console, renderable, indent)

    def blank(self) -> None:
        """Leave a line empty."""
        self._console.print()

    def intro(self, title: str, paragraphs: Iterable[str]) -> None:
        """Say in a frame what this is."""
        self._console.print(Panel("\n\n".join(paragraphs), title=title, title_align="left", padding=(1, 2)))

    def chapter(self, title: str) -> None:
        """Begin the next chapter."""
        self._chapter += 1
        self.blank()
        self._console.rule(Text(f"{self._chapter}  {title}", style="bold"), align="left", style="blue")

    def tell(self, text: str) -> None:
        """Tell the story."""
        self._print(Text(text))

    def heading(self, text: str) -> None:
        """Begin a part of a chapter."""
        self.blank()
        self._print(Text(f"▸ {text}", style="bold"))

    def done(self, text: str) -> None:
        """Tell something that was done, or that was seen to be as it should."""
        self._pair("✔", "green", text)

    def died(self, text: str) -> None:
        """Tell of something that ended badly, on purpose."""
        self._pair("✘", "bold red", text)

    def look(self, text: str) -> None:
        """Point at what is worth a second look."""
        self._pair("→", "bold yellow", text, "yellow")

    def _pair(self, mark: str, mark_style: str, text: str, style: str = "") -> None:
        line = Table.grid(padding=(0, 1))
        line.add_row(Text(mark, style=mark_style), Text(text, style=style))
        self._print(line)

    def chat(self, speaker: str, text: str) -> None:
        """Show what the shop or the user says."""
        line = Table.grid(padding=(0, 2))
        line.add_column(width=4, justify="right")
        line.add_row(Text(speaker, style=_SPEAKERS[speaker]), Text(text))
        self._print(line)

    def saved(self, version: int, event: str, state: str) -> None:
        """Show an acknowledged save: the bar of states."""
        self._visited.append(state)
        bar = Text.assemble((f"v{version}".rjust(4), "bold"))
        for one in self.states:
            mark, style = ("●", "green") if one in self._visited else ("○", "dim")
            mark, style = ("◉", "bold green") if one == state else (mark, style)
            bar.append(f"  {mark} {_short(one)}", style=style)
        self._print(Text(f"{'':8}saved: {event or 'a new session'} → {state}", style="dim"))
        self._print(bar)

    def facts(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Show names and values."""
        self._print(tables.facts((name, Text(value)) for name, value in pairs), indent=4)

    def refusal(self, error: FsmError) -> None:
        """Show what the database says to a caller whom it refuses."""
        self._print(tables.refusal(error), indent=4)

    def table(self, table: RenderableType) -> None:
        """Show a table."""
        self._print(table)

    def drawing(self, text: str, marked: Sequence[str]) -> None:
        """Show lines of characters as they are, with some words marked."""
        drawn = Text(text, no_wrap=True, overflow="ignore")
        drawn.highlight_regex("|".join(rf"\b{one}(?= +│)" for one in marked), style="bold green")
        self._print(drawn)

    def code(self, text: str, language: str) -> None:
        """Show code, or a command to be copied: never wrapped or cut, not even where the terminal ends."""
        shown = Syntax(text, language, theme="ansi_dark", background_color="default") if language else Text(text)
        lines = shown if isinstance(shown, Text) else shown.highlight(text)
        lines.rstrip()
        for line in lines.split("\n"):
            self._console.print(Text("    ") + line, soft_wrap=True)


def _short(state: str) -> str:
    return state.partition("_")[0]
