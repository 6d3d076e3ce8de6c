"""Two callers whose steps a controller lets happen one at a time, and what came of each."""

from __future__ import annotations

import json
import select
import time
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import psycopg
from psycopg import pq, sql

from support.api import JSON_ARGUMENTS
from support.instrument import PAUSE_CLASS

Connection = psycopg.Connection[Any]
_POLL_SECONDS = 0.0003
_TIMEOUT = 60.0


@dataclass(frozen=True)
class Call:
    """A call of a function of schema fsm, its arguments by name without ``p_``, and what its transaction is like."""

    function: str
    arguments: dict[str, Any] = field(default_factory=dict)
    ends: str = "commit"
    level: str = "read committed"

    def text(self) -> bytes:
        """Return the statement: its result is one JSON value."""
        given = [
            sql.SQL("{} => {}").format(
                sql.Identifier(f"p_{name}"),
                sql.Literal(
                    json.dumps(value) if name in JSON_ARGUMENTS and not isinstance(value, str | None) else value
                ),
            )
            for name, value in self.arguments.items()
        ]
        called = sql.SQL("select coalesce(jsonb_agg(to_jsonb(r)), '[]') from fsm.{}({}) r")
        return called.format(sql.Identifier(self.function), sql.SQL(", ").join(given)).as_string(None).encode()


def _error(result: pq.abc.PGresult) -> dict[str, Any]:
    """Return what an error says."""
    fields = (pq.DiagnosticField.SQLSTATE, pq.DiagnosticField.MESSAGE_PRIMARY, pq.DiagnosticField.MESSAGE_DETAIL)
    state, message, detail = ((result.error_field(one) or b"").decode() for one in fields)
    return {"sqlstate": state, "message": message, "detail": json.loads(detail) if detail[:1] == "{" else detail}


class Stand(Enum):
    """Where a caller stands."""

    PAUSED = "paused"  # before a statement; may go on
    BLOCKED = "blocked"  # by what the other holds
    RETURNED = "returned"  # its transaction is still open; may end
    ENDED = "ended"


class Lane:
    """A connection that makes one call in each schedule."""

    def __init__(self, number: int, conn: Connection, control: Connection) -> None:
        self.number, self.conn, self.control = number, conn, control
        self.pid = conn.info.backend_pid
        self.stand = Stand.ENDED
        self.at = ""
        self.answer: Any = None
        self._step = 0
        conn.execute("select set_config('explorer.lane', %s, false)", (str(number),))
        for parity in (0, 1):
            control.execute("select pg_advisory_lock(%s, %s)", (PAUSE_CLASS, number * 2 + parity))

    def begin(self, call: Call, other: Lane) -> None:
        """Open a transaction and make the call, up to its first pause."""
        self.call, self._step, self.answer = call, 0, None
        self.conn.pgconn.exec_(f"set explorer.step = '0'; begin isolation level {call.level}".encode())
        self.conn.pgconn.send_query(call.text())
        self.conn.pgconn.flush()
        self.settle(other)

    def go_on(self, other: Lane) -> None:
        """Let the next step happen: the statements up to the next pause, or the end of the transaction."""
        if self.stand is Stand.RETURNED:
            self._end(self.call.ends)
        else:
            key = self.number * 2 + self._step % 2
            self._step += 1
            # Taken back as soon as the caller has passed.
            self._ask(f"select pg_advisory_unlock({PAUSE_CLASS}, {key}), pg_advisory_lock({PAUSE_CLASS}, {key})")
            self.settle(other)

    def settle(self, other: Lane) -> None:
        """Wait until it stands: at a pause, for a lock of the other, or at the end of its call."""
        end = time.monotonic() + _TIMEOUT
        # By whom it is held up. When both wait for each other, one of them is about to be told so.
        asked = (
            f"select application_name, {self.control.info.backend_pid} = any (b), {other.pid} = any (b)"
            f" and not {self.pid} = any (pg_blocking_pids({other.pid}))"
            f" from pg_stat_get_activity({self.pid}), pg_blocking_pids({self.pid}) b"
        )
        while not self._returned():
            at, is_paused, is_blocked = self._ask(asked)
            if is_paused == b"t":
                self.stand, self.at = Stand.PAUSED, at.decode()
                return
            if is_blocked == b"t":
                self.stand = Stand.BLOCKED
                return
            assert time.monotonic() < end, f"caller {self.number} neither waits nor comes back after {self.at}"
        self.stand = Stand.RETURNED
        if "sqlstate" in self.answer:  # the server has undone it and let go of its locks already
            self._end("rollback")

    def _end(self, how: str) -> None:
        result = self.conn.pgconn.exec_(how.encode())
        if result.status != pq.ExecStatus.COMMAND_OK:  # a serialization failure may be told as late as that
            self.answer = _error(result)
        self.stand = Stand.ENDED

    def _ask(self, query: str) -> list[bytes]:
        """Ask the server; without psycopg's conveniences, because it is done some hundred thousand times."""
        result = self.control.pgconn.exec_(query.encode())
        assert result.status == pq.ExecStatus.TUPLES_OK, result.error_message
        return [result.get_value(0, column) or b"" for column in range(result.nfields)]

    def _returned(self) -> bool:
        """Collect the answer if it is there."""
        connection = self.conn.pgconn
        select.select([connection.socket], [], [], _POLL_SECONDS)
        connection.consume_input()
        if connection.is_busy():
            return False
        result = connection.get_result()
        assert result is not None
        if result.status == pq.ExecStatus.TUPLES_OK:
            value = result.get_value(0, 0)
            assert value is not None
            self.answer = {"rows": json.loads(value)}
        else:
            self.answer = _error(result)
        while connection.get_result() is not None:
            pass
        return True
