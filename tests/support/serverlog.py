"""What the server wrote to its log about one database."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

_LINE = re.compile(r"\S+ \S+ \S+ \[\d+\] (?P<user>\S*)@(?P<db>\S+) (?P<level>[A-Z0-9]+):  (?P<text>.*)")


class ServerLog:
    """The lines of one database that were logged since the last ``mark()`` (at first: since this was made)."""

    def __init__(self, path: Path | None, dbname: str) -> None:
        self._path = path
        self._dbname = dbname
        self._from = 0
        if path is not None:
            self.mark()

    def mark(self) -> None:
        """Forget what was logged so far."""
        self._from = self._readable().stat().st_size

    def lines(self) -> list[tuple[str, str]]:
        """Return (level, text) of each line, such as ``("LOG", 'fsm.refused {…}')``.

        The server writes a line before it answers, so what a returned call logged is there.
        """
        with self._readable().open("rb") as file:
            file.seek(self._from)
            text = file.read().decode("utf-8", "replace")
        found = (_LINE.fullmatch(line) for line in text.split("\n"))  # U+2028 ends no line of a log
        return [(one["level"], one["text"]) for one in found if one is not None and one["db"] == self._dbname]

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the JSON objects of the lines that start with a name, such as ``fsm.refused``."""
        texts = [text for level, text in self.lines() if level == "LOG"]
        return [json.loads(text[len(name) + 1 :]) for text in texts if text.startswith(f"{name} ")]

    def _readable(self) -> Path:
        if self._path is None:
            pytest.skip("the server was given by FSMSTORE_PG_URL: it is not ours, so its log cannot be read from here")
        return self._path
