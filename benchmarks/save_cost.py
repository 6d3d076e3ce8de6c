"""What a full save costs in server CPU, held against a hand-written statement that checks nothing.

Both sides save the same conversations with the same contexts, in turns, each over a connection of its own; the CPU
time is that of their backend processes, read from the kernel before and after each round. Quoted is the median of
the ratios of the rounds.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg

from benchmarks.conversation import STATES, contexts

FLOOR_CREATE = """
insert into floor.sessions values (%(id)s, 'purchase_item', 1, 'start', 1, %(context)s::jsonb,
  clock_timestamp(), clock_timestamp(), clock_timestamp())"""
FLOOR_SAVE = """
with saved as (
  update floor.sessions
  set state = %(state)s, context = %(context)s::jsonb, version = version + 1,
    entered_at = clock_timestamp(), updated_at = clock_timestamp()
  where session_id = %(id)s and version = %(version)s
  returning session_id, version, updated_at)
insert into floor.history (session_id, version, kind, from_state, to_state, event, db_user, at)
select session_id, version, 'transition', %(previous)s, %(state)s, null, session_user, updated_at from saved
returning version"""
FULL_CREATE = "select version from fsm.create_session(%(id)s, 'purchase_item', %(context)s::jsonb)"
FULL_SAVE = """
select version from fsm.save_session(%(id)s, %(state)s, %(context)s::jsonb, %(version)s::bigint, null::text,
  %(request_id)s::uuid, null::bigint, null::text, null::jsonb)"""


@dataclass(frozen=True)
class Side:
    """One way to save."""

    name: str
    create: str
    save: str
    request_ids: bool = False


FLOOR = Side("hand-written statement, nothing checked", FLOOR_CREATE, FLOOR_SAVE)
FULL = Side("full save", FULL_CREATE, FULL_SAVE)
FULL_WITH_ID = Side("full save with a request id", FULL_CREATE, FULL_SAVE, request_ids=True)


@dataclass(frozen=True)
class SaveCost:
    """Median microseconds of server CPU per save of each side, and each side's ratio to the floor."""

    microseconds: dict[str, float]
    ratios: dict[str, float]


def measure(dsn: str, *, rounds: int, sessions: int, prepared: bool) -> SaveCost:
    """Run ``rounds`` rounds of ``sessions`` conversations a side (after one round to warm up) and compare."""
    sides = (FLOOR, FULL, FULL_WITH_ID)
    connections = {
        side: psycopg.connect(dsn, autocommit=True, prepare_threshold=0 if prepared else None) for side in sides
    }
    per_save: dict[Side, list[float]] = {side: [] for side in sides}
    try:
        for number in range(rounds + 1):
            # In turns, and in another order each time, so that a noisy moment hits each side alike.
            for side in sides[number % 3 :] + sides[: number % 3]:
                spent = _round(connections[side], side, sessions, f"{side.name}/{prepared}/{number}/{uuid4()}")
                if number:
                    per_save[side].append(spent)
    finally:
        for connection in connections.values():
            connection.close()
    return SaveCost(
        {side.name: statistics.median(values) for side, values in per_save.items()},
        {
            side.name: statistics.median(a / b for a, b in zip(values, per_save[FLOOR], strict=True))
            for side, values in per_save.items()
        },
    )


def _round(connection: psycopg.Connection, side: Side, sessions: int, prefix: str) -> float:
    """Play the conversations and give the backend's CPU time per save, in microseconds. Creation is not counted."""
    texts = contexts()
    names = [f"{prefix}/{number}" for number in range(sessions)]
    for name in names:
        connection.execute(side.create, {"id": name, "context": texts[0]})
    spent = _cpu_clock(connection.info.backend_pid)
    before = spent()
    for name in names:
        previous = "start"
        for version, (state, context) in enumerate(zip(STATES, texts, strict=True), start=1):
            row = connection.execute(
                side.save,
                {
                    "id": name,
                    "state": state,
                    "previous": previous,
                    "context": context,
                    "version": version,
                    "request_id": uuid4() if side.request_ids else None,
                },
            ).fetchone()
            if row is None or row[0] != version + 1:
                raise RuntimeError(f"{side.name}: {name} was not saved as version {version + 1}")
            previous = state
    return (spent() - before) / (sessions * len(STATES))


def _cpu_clock(pid: int) -> Callable[[], float]:
    """A function that gives the CPU time of a process in microseconds, as the Linux scheduler counts it."""
    schedstat = Path(f"/proc/{pid}/schedstat")
    return lambda: int(schedstat.read_text().split()[0]) / 1000
