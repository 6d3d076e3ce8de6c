"""How a command ends: what goes to which stream, and the exit status that a script can use."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

import psycopg
import typer
from rich.console import Console
from rich.text import Text

from fsmstore import FsmError
from fsmstore.errors import parse_detail

from . import tables

REFUSED, MISUSED, NOT_THERE, UNREACHABLE = 1, 2, 3, 4
EXIT_STATUS = (
    "Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 no such session, 4 the database cannot be reached."
)


class Failed(Exception):
    """A command cannot do what it was asked; the message is for the user."""

    def __init__(self, message: str, status: int = REFUSED) -> None:
        super().__init__(message)
        self.status = status


def console(stderr: bool = False) -> Console:
    """Return a console that prints words as they are; 80 columns wide where there is no terminal."""
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


def print_json(value: Any) -> None:
    """Print one JSON document to standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=_plain) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    # What the client answers; not by asdict(), which would copy it all.
    return {one.name: getattr(value, one.name) for one in fields(value)}


@contextmanager
def reported(as_json: bool) -> Iterator[None]:
    """Let what goes wrong in the block end the command: told on standard error, without a traceback."""
    try:
        yield
    except (FsmError, psycopg.Error) as error:
        _tell(error, as_json)
        raise typer.Exit(_status(error)) from error
    except Failed as error:
        if as_json:
            _tell_json({"message": str(error)})
        else:
            tables.put(console(stderr=True), Text(str(error), style="red"))
        raise typer.Exit(error.status) from error


def _status(error: FsmError | psycopg.Error) -> int:
    if isinstance(error, FsmError):
        return NOT_THERE if error.sqlstate == "SM010" else REFUSED
    return UNREACHABLE if unreachable(error) else REFUSED


def unreachable(error: psycopg.Error) -> bool:
    """Tell whether the database is away, or does not let us in."""
    lost = error.sqlstate is None or error.sqlstate[:2] in ("08", "57", "28", "3D")
    return isinstance(error, psycopg.OperationalError) and lost


def _tell(error: FsmError | psycopg.Error, as_json: bool) -> None:
    if not as_json:
        tables.put(console(stderr=True), tables.refusal(error))
    elif isinstance(error, FsmError):
        _tell_json({"sqlstate": error.sqlstate, "message": error.message, "detail": error.detail, "hint": error.hint})
    else:
        diag = error.diag
        detail: Any = parse_detail(diag.message_detail) or diag.message_detail
        message = (diag.message_primary or str(error)).strip()
        _tell_json({"sqlstate": error.sqlstate, "message": message, "detail": detail, "hint": diag.message_hint})


def _tell_json(value: Any) -> None:
    sys.stderr.write(json.dumps({"error": value}, ensure_ascii=False, default=_plain) + "\n")
