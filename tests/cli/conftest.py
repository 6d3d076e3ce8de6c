"""The command line, run in this process as the entry point does."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from fsmstore.cli import main


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document."""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """The error on standard error, which must be one line of JSON, with nothing on standard output."""
        assert self.out == ""
        assert self.err.count("\n") == 1
        error: dict[str, Any] = json.loads(self.err)["error"]
        return error


Command = Callable[..., Done]


@pytest.fixture
def fsmstore_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """``fsmstore_command("show", "s-1", dsn=…)`` runs that command. The database is given by the environment."""
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: str, dsn: str | None = None) -> Done:
        monkeypatch.setattr(sys, "argv", ["fsmstore", *arguments])
        if dsn is None:
            monkeypatch.delenv("FSMSTORE_DSN", raising=False)
        else:
            monkeypatch.setenv("FSMSTORE_DSN", dsn)
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Done(int(end.value.code or 0), said.out, said.err)

    return run
