"""The explorer: every order in which the steps of two calls can happen, each held against the two serial ones.

A schedule says who does the next step, wherever both could. The explorer runs one after the other from the same
starting point: first the serial ones, then those with one switch more, and so on, until there are none left or enough
were run. What a schedule leads to has to be what one call after the other leads to: both answers, and all that is
stored. Functions that pass over a busy session may also have passed over it.
"""

from __future__ import annotations

import heapq
import itertools
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import psycopg

from support.api import MESSAGES
from support.lanes import Call, Lane, Stand
from support.race import LOCK
from support.worlds import World

Connection = psycopg.Connection[Any]

# Those that never wait for a session: what is busy is left for the next time.
SKIPPING = {"fire_deadlines", "purge_sessions", "trim_history", "undo_import"}
LIMIT = 12
# Races need few switches to show. All schedules of two long calls would be millions.
MOST_SWITCHES = 2


def limit() -> int | None:
    """Return how many schedules of a pair are run; FSMSTORE_SCHEDULES says another number, or ``all``.

    All are those with at most two switches from a caller that could have gone on.
    """
    given = os.environ.get("FSMSTORE_SCHEDULES", str(LIMIT))
    return None if given == "all" else int(given)


# Both answers, and what is stored then.
Result = tuple[tuple[Any, ...], Any]

# What a transaction that has to be tried again is answered; never at READ COMMITTED, whose serial orders have none.
AGAIN = {"sqlstate": "40001"}


@dataclass(frozen=True)
class Run:
    """What a schedule was and what it led to."""

    trace: tuple[str, ...]
    choices: tuple[int, ...]
    enabled: tuple[tuple[int, ...], ...]
    answers: tuple[Any, ...]
    stored: Any

    @property
    def result(self) -> Result:
        return (self.answers, self.stored)


@dataclass
class Found:
    """What was explored, and the schedules that no serial order explains."""

    schedules: int = 0
    is_complete: bool = True
    waits: int = 0  # schedules in which one was held up by the other
    traces: set[tuple[str, ...]] = field(default_factory=set)
    violations: list[str] = field(default_factory=list)
    deadlocks: int = 0
    again: int = 0  # those in which one was to try again

    def add(self, run: Run, problems: Sequence[str]) -> None:
        """Count a schedule, and keep what is wrong with it."""
        self.schedules += 1
        self.traces.add(run.trace)
        self.waits += any(step.endswith("(waits)") for step in run.trace)
        self.deadlocks += any(answer.get("sqlstate") == "40P01" for answer in run.answers)
        self.again += AGAIN in run.answers
        if problems:
            self.violations.append("\n".join([*problems, "schedule:", *run.trace]))


class _Allowed:
    """What serial orders lead to; worked out as far as somebody asks."""

    def __init__(self, results: Iterator[Result]) -> None:
        self._results = results
        self.seen: list[Result] = []

    def __contains__(self, result: object) -> bool:
        if result in self.seen:
            return True
        for one in self._results:
            self.seen.append(one)
            if one == result:
                return True
        return False


class Explorer:
    """Runs schedules of two calls in a world."""

    def __init__(self, db: Connection, holder: Connection, lanes: Sequence[Lane]) -> None:
        self.db, self.holder, self.lanes = db, holder, tuple(lanes)

    def run(self, world: World, calls: Sequence[Call], prefix: Sequence[int] = ()) -> Run:
        """Run one schedule: `prefix` says who goes on at the first choices, later whoever went on last if it can."""
        world.restore()
        for lane in self.lanes:
            lane.stand = Stand.ENDED
        for lane, call in zip(self.lanes, calls, strict=True):
            lane.begin(call, self._other(lane))
        trace: list[str] = []
        choices: list[int] = []
        enabled: list[tuple[int, ...]] = []
        last = 0
        while able := tuple(lane.number for lane in self.lanes if lane.stand in (Stand.PAUSED, Stand.RETURNED)):
            wanted = prefix[len(choices)] if len(choices) < len(prefix) else last
            last = wanted if wanted in able else able[0]
            enabled.append(able)
            choices.append(last)
            lane = self.lanes[last]
            step = lane.at if lane.stand is Stand.PAUSED else calls[last].ends
            lane.go_on(self._other(lane))
            self._settle()
            trace.append(f"{'AB'[last]} {step}" + (" (waits)" if lane.stand is Stand.BLOCKED else ""))
        assert all(lane.stand is Stand.ENDED for lane in self.lanes), trace
        answers = tuple(answered(world, lane) for lane in self.lanes)
        return Run(tuple(trace), tuple(choices), tuple(enabled), answers, world.told())

    def _settle(self) -> None:
        """See what became of those that waited; of two that waited for each other one is refused, the other goes on."""
        before: list[Stand] = []
        while before != [lane.stand for lane in self.lanes]:
            before = [lane.stand for lane in self.lanes]
            for lane in self.lanes:
                # Nothing is let go before the end of a transaction.
                if lane.stand is Stand.BLOCKED and self._other(lane).stand in (Stand.ENDED, Stand.BLOCKED):
                    lane.settle(self._other(lane))

    def _other(self, lane: Lane) -> Lane:
        return self.lanes[1 - lane.number]

    def explore(
        self,
        world: World,
        calls: Sequence[Call],
        sessions: Sequence[str] = (),
        most: int | None = None,
        until_found: bool = False,
    ) -> Found:
        """Run the schedules, those with few switches first; `sessions`: what a call that passes over may find busy.

        most: how many; None: all with few switches. until_found: no more after the first that is as it should not be.
        """
        allowed = _Allowed(self._references(world, calls, sessions))
        found = Found()
        # Among those with as many switches in no order, so that a limit does not favour early places.
        random = Random(0)
        waiting: list[tuple[int, float, tuple[int, ...]]] = [(0, 0, (0,)), (0, 0, (1,))]
        while waiting and not (until_found and found.violations):
            if most is not None and found.schedules >= most:
                found.is_complete = False
                break
            switches, _, prefix = heapq.heappop(waiting)
            run = self.run(world, calls, prefix)
            found.add(run, self._problems(run, allowed))
            if most is None and switches == MOST_SWITCHES:
                continue
            for place in range(len(prefix), len(run.choices)):
                for lane in set(run.enabled[place]) - {run.choices[place]}:
                    # A switch from one that could have gone on; where it could not, there is no choice.
                    heapq.heappush(waiting, (switches + 1, random.random(), (*run.choices[:place], lane)))
        return found

    def _references(self, world: World, calls: Sequence[Call], sessions: Sequence[str]) -> Iterator[Result]:
        """Run one call after the other, in both orders; then so that they pass over what somebody is busy with."""
        orders: list[tuple[int, ...]] = [(0, 1), (1, 0)]
        if calls[0].level != "read committed":
            orders += [(0,), (1,)]  # the other is to try again
        some = [one for count in range(len(sessions) + 1) for one in itertools.combinations(sessions, count)]
        passed = [some if call.function in SKIPPING else some[:1] for call in calls]
        for busy in itertools.product(*passed):
            for order in orders:
                yield self._in_turn(world, calls, order, busy)

    def _in_turn(
        self, world: World, calls: Sequence[Call], order: Sequence[int], busy: Sequence[Sequence[str]]
    ) -> Result:
        """Run the calls one after the other; while one is made, somebody else is busy with some sessions."""
        world.restore()
        answers: dict[int, Any] = {}
        for number in order:
            lane, other = self.lanes[number], self._other(self.lanes[number])
            with self._busy_with(busy[number]):
                lane.begin(calls[number], other)
                while lane.stand is not Stand.ENDED:
                    assert lane.stand is not Stand.BLOCKED
                    lane.go_on(other)
            answers[number] = answered(world, lane)
        return (tuple(answers.get(number, AGAIN) for number in (0, 1)), world.told())

    @contextmanager
    def _busy_with(self, sessions: Sequence[str]) -> Iterator[None]:
        """Hold the locks and rows of sessions, as a writer does."""
        if not sessions:
            yield
            return
        self.holder.execute("begin")
        try:
            for one in sessions:
                self.holder.execute(LOCK, (one,))
            self.holder.execute(
                "select from fsm_internal.sessions where session_id = any (%s) for no key update", (list(sessions),)
            )
            yield
        finally:
            self.holder.execute("rollback")

    def _problems(self, run: Run, allowed: _Allowed) -> list[str]:
        """Say what is wrong with what a schedule led to."""
        # First what looks at what is stored: a serial order may have to be run, and that changes it.
        problems = [f"verify_sessions: {row}" for row in self.db.execute("select * from fsm.verify_sessions()")]
        for name, answer in zip("AB", run.answers, strict=True):
            state = answer.get("sqlstate")
            if answer != AGAIN and state is not None and answer["message"] not in MESSAGES.get(state, ()):
                problems.append(f"{name} was answered {state}: {answer['message']} {answer['detail']}")
        versions: dict[str, list[int]] = {}
        for row in run.stored["history"]:
            versions.setdefault(row["session_id"], []).append(row["version"])
        for session_id, numbers in versions.items():
            if sorted(numbers) != list(range(min(numbers), min(numbers) + len(numbers))):
                problems.append(f"versions of {session_id}: {sorted(numbers)}")
        if run.result not in allowed:
            problems.append(f"no serial order gives this: {run.answers} {differences(run, allowed)}")
        return problems


def answered(world: World, lane: Lane) -> Any:
    """Return what a call was answered, as it can be compared with another run's."""
    return AGAIN if lane.answer.get("sqlstate") == AGAIN["sqlstate"] else world.plain(lane.answer)


def differences(run: Run, allowed: _Allowed) -> str:
    """Say in which answers and tables a run differs from the serial order that is nearest to it."""

    def of(result: Result) -> list[str]:
        answers, stored = result
        told = [f"{'AB'[n]}: {answers[n]}" for n in (0, 1) if answers[n] != run.answers[n]]
        return told + [
            f"{table}: {[one for one in rows if one not in run.stored[table]]} is missing,"
            f" {[one for one in run.stored[table] if one not in rows]} is too much"
            for table, rows in stored.items()
            if rows != run.stored[table]
        ]

    nearest = min((of(one) for one in allowed.seen), key=lambda told: len(told), default=[])
    return "; nearest would be " + "; ".join(nearest)
