"""What clients write down about their calls, line by line, so that a client that is killed has still written it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

DONE, REFUSED, UNKNOWN = "done", "refused", "unknown"


@dataclass(slots=True)
class Write:
    """One write that a call asked for."""

    session: str
    actor: str
    """Unique to the write, and kept in its history row; a repetition with the same request id has the same."""
    how: str
    """create, save, send, update, rollback or fork."""
    event: str | None = None
    state: str | None = None
    context: dict[str, Any] | None = None
    """The whole context, of create and save."""
    patch: dict[str, Any] | None = None
    append: dict[str, Any] | None = None
    source: str | None = None
    """The session that is forked."""
    to_version: int | None = None
    """The version that is rolled back to, or forked from."""
    expected: int | None = None
    request: str | None = None


@dataclass(slots=True)
class Answer:
    """One thing that a call was told about one session."""

    session: str
    version: int
    """0: there is no such session."""
    how: str = "read"
    """wrote; read (as it is now); past (as it was once); conflict (what it is now, in a refusal)."""
    state: str | None = None
    context: dict[str, Any] | None = None
    actor: str | None = None
    replayed: bool = False


@dataclass(slots=True)
class Call:
    """One call of one client. One that was never ended is unknown, and may take effect at any time."""

    id: str
    client: str
    name: str
    began: float
    writes: list[Write] = field(default_factory=list)
    ended: float = math.inf
    outcome: str = UNKNOWN
    sqlstate: str | None = None
    answers: list[Answer] = field(default_factory=list)
    error: str | None = None
    """What was said about it, where there is no SQLSTATE."""
    turn: str | None = None
    """The session whose turn was held all the time, by a token that had not expired."""
    atomic: bool = False
    """All of its writes or none."""


class Log:
    """Appends to one file; each line is with the kernel before the call goes on."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def began(self, call: Call) -> None:
        """Write down that a call is about to be sent."""
        self._line({
            "id": call.id, "client": call.client, "name": call.name, "began": call.began, "atomic": call.atomic,
            "turn": call.turn,
            "writes": [_short(one) for one in call.writes],
        })  # fmt: skip

    def ended(self, call: Call) -> None:
        """Write down what came of it."""
        self._line({
            "id": call.id, "ended": call.ended, "outcome": call.outcome, "sqlstate": call.sqlstate,
            "error": call.error,
            "answers": [_short(one) for one in call.answers],
        })  # fmt: skip

    def _line(self, what: dict[str, Any]) -> None:
        os.write(self._file, (json.dumps(what, separators=(",", ":")) + "\n").encode())

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _short(one: Write | Answer) -> dict[str, Any]:
    return {key: value for key, value in asdict(one).items() if value is not None}


def read(paths: Iterable[Path]) -> list[Call]:
    """Return the calls of some logs. A last line that was cut short by a kill is left out."""
    calls: dict[str, Call] = {}
    for path in paths:
        for line in _lines(path):
            if "began" in line:
                line["writes"] = [Write(**one) for one in line["writes"]]
                calls[line["id"]] = Call(**line)
            else:
                call = calls[line["id"]]
                call.ended, call.outcome = line["ended"], line["outcome"]
                call.sqlstate, call.error = line["sqlstate"], line["error"]
                call.answers = [Answer(**one) for one in line["answers"]]
    return list(calls.values())


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield json.loads(line)
