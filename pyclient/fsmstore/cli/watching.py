"""The commands that go on until they are told to end: deadlines, top."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import psycopg
import typer
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from rich.live import Live
from rich.text import Text

from fsmstore import FiredDeadline, SessionStore

from . import report_tables, tables
from .options import Dsn, Json, opened
from .reporting import console, print_json, reported, unreachable

Every = Annotated[float, typer.Option(metavar="SECONDS", min=0.01, help="How long to wait in between.")]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_CONNECT_TIMEOUT = 10
_LOOPS = 10
# Conflicts, exhausted resources, objects in use: another try may well succeed.
_PASSING = frozenset({"40", "53", "55"})


class _Word:
    """The word to end, given by a signal, waited for by the program that the signal interrupts.

    A threading.Event would not do: its set() takes the lock that the interrupted wait() may hold, and both would hang.
    """

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        self._given = False

    def give(self) -> None:
        """Take note; takes no lock, so that a handler of signals may call it wherever it comes."""
        self._given = True
        os.write(self._writing, b"!")

    def is_given(self) -> bool:
        return self._given

    def wait(self, seconds: float) -> None:
        """Wait for that long, or until the word is given."""
        select.select([self._reading], [], [], seconds)

    def close(self) -> None:
        os.close(self._reading)
        os.close(self._writing)


@contextmanager
def _until_told() -> Iterator[_Word]:
    """Give a word that SIGINT and SIGTERM give; a second signal ends the process as it would without this."""
    told = _Word()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def tell(number: int, frame: Any) -> None:
        signal.signal(number, signal.SIG_DFL)
        told.give()

    for number in before:
        signal.signal(number, tell)
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        told.close()


def deadlines(
    dsn: Dsn,
    every: Every = 1.0,
    limit: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="Sessions in one call at most.")] = 100,
    once: Annotated[bool, typer.Option("--once", help="Take what is due now, and end.")] = False,
    as_json: Json = False,
) -> None:
    """Take deadlines when they are due: the loop that makes "after" happen. Any number of them may run.

    Prints a line for each that is taken, or refused and tried again later (--json: one JSON object a line). A database
    that goes away is waited for. SIGINT and SIGTERM end it with status 0, between two calls.
    """
    with reported(as_json), _until_told() as told:
        if once:
            with opened(_patient(dsn)) as store:
                _fire(store, limit, told, as_json)
        else:
            _tick(dsn, every, limit, told, as_json)


def _tick(dsn: str, every: float, limit: int, told: _Word, as_json: bool) -> None:
    pause, reached = _FIRST_PAUSE, False
    while not told.is_given():
        try:
            with opened(_patient(dsn)) as store:
                reached = True
                while not told.is_given():
                    _fire(store, limit, told, as_json)
                    pause = _FIRST_PAUSE
                    told.wait(every)
        except psycopg.Error as error:
            # What does not work from the beginning will not work later: a wrong address, a wrong password.
            if not reached or not _passes(error):
                raise
            _say(f"{str(error).strip()}; next try in {pause:g} s")
            told.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)


def _fire(store: SessionStore, limit: int, told: _Word, as_json: bool) -> None:
    while not told.is_given():
        fired = store.fire_deadlines(limit)
        _tell(fired, as_json)
        if not fired:
            return


def _tell(fired: Sequence[FiredDeadline], as_json: bool) -> None:
    for one in fired:
        if as_json:
            fact = {name: getattr(one, name) for name in one.__slots__}
            sys.stdout.write(json.dumps(fact, ensure_ascii=False) + "\n")
        else:
            console().print(report_tables.fired(one), soft_wrap=True)
    sys.stdout.flush()


def _passes(error: psycopg.Error) -> bool:
    return unreachable(error) or (error.sqlstate or "")[:2] in _PASSING


def _patient(dsn: str) -> str:
    """Limit how long a connection may take, unless that is given."""
    given = conninfo_to_dict(dsn)
    return make_conninfo(dsn, connect_timeout=given.get("connect_timeout") or _CONNECT_TIMEOUT)


def _say(words: str) -> None:
    console(stderr=True).print(Text(words, style="yellow"), soft_wrap=True)


def top(
    dsn: Dsn,
    every: Every = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Print it once, and end.")] = False,
    as_json: Json = False,
) -> None:
    """Show states, rates, loops, deadlines and turns, and keep that up to date until Ctrl-C.

    With --json, and where there is no terminal, it is printed once.
    """
    screen = console()
    with reported(as_json), _until_told() as told:
        if as_json:
            with opened(_patient(dsn)) as store:
                print_json({**store.metrics(), "looping_sessions": store.looping_sessions(_LOOPS)})
        elif once or not screen.is_terminal:
            with opened(_patient(dsn)) as store:
                tables.put(screen, _picture(store))
        else:
            with Live(console=screen, screen=True, auto_refresh=False) as live:
                _keep_up(dsn, every, told, live)


def _keep_up(dsn: str, every: float, told: _Word, live: Live) -> None:
    reached = False
    while not told.is_given():
        try:
            with opened(_patient(dsn)) as store:
                reached = True
                while not told.is_given():
                    live.update(_picture(store), refresh=True)
                    told.wait(every)
        except psycopg.Error as error:
            if not reached or not _passes(error):
                raise
            live.update(Text(f"{str(error).strip()}\ntrying again", style="yellow"), refresh=True)
            told.wait(every)


def _picture(store: SessionStore) -> Any:
    return report_tables.top(store.metrics(), store.looping_sessions(_LOOPS))
