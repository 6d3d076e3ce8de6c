"""One client of the load: picks calls by chance, sends them, and writes down what it was told."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import psycopg

from fsmstore import FsmError, Outcome, outcome_of
from fsmstore.errors import parse_detail

from . import machine
from .faces import Face
from .records import DONE, REFUSED, UNKNOWN, Answer, Call, Log, Write

Read = Callable[[Any], list[Answer]]
_SETTLING = 40
"""Attempts at learning what became of a call; each may take as long as the store waits."""


class Sessions:
    """The names of the sessions of a round."""

    def __init__(self, round_name: str) -> None:
        self.prefix = f"{round_name}-"
        self.hot = [f"{self.prefix}hot{number}" for number in range(5)]
        self.warm = [f"{self.prefix}warm{number}" for number in range(25)]

    def pick(self, chance: random.Random) -> str:
        """Return one; half of all calls go to few of them."""
        return chance.choice(self.hot if chance.random() < 0.5 else self.warm)

    @staticmethod
    def machine_of(name: str) -> str:
        """Return the machine of a session: every second one keeps a chain."""
        return machine.NAMES[name[-1] in "13579"]


class Client:
    """One client, for one round."""

    def __init__(
        self,
        name: str,
        face: Face,
        log: Log,
        sessions: Sessions,
        seed: str,
        over: Callable[[], bool],
        housekeeping: bool,
    ) -> None:
        self.name = name
        self.face = face
        self.sessions = sessions
        self._log = log
        self._chance = random.Random(seed)
        self._over = over
        self._number = 0
        self._unsettled: list[tuple[str, Callable[[], Awaitable[Any]], list[Write], Read, bool]] = []
        often: list[Callable[[], Awaitable[Any]]] = [*[self._save] * 5, *[self._send] * 6, *[self._update] * 5]
        often += [self._load] * 4 + [self._load_many, self._history, self._load_at, self._batch, self._rows_of_batch]
        self._steps: list[Callable[[], Awaitable[Any]]] = [*often, *often]
        self._steps += [self._roll_back, self._fork, self._create, self._first]
        if face.has_turns:
            self._steps += [self._turn]
        if housekeeping:
            self._steps = [*[self._fire] * 6, self._upgrade, self._trim, self._load, self._save]

    async def run(self) -> None:
        """Call until the round is over; then ask again what became of the calls of which that is not known."""
        while not self._over():
            if self._unsettled and self._chance.random() < 0.2:
                await self._settle()
            await self._chance.choice(self._steps)()
        for _ in range(_SETTLING):
            if not self._unsettled:
                break
            await self._settle()

    # -- sending and writing down -----------------------------------------------------------------------------------

    async def _call(
        self, name: str, send: Callable[[], Awaitable[Any]], read: Read, writes: list[Write] | None = None,
        atomic: bool = False, settling: bool = False,
    ) -> Any:  # fmt: skip
        """Send a call; returns its result, or None if it was refused or nobody knows."""
        self._number += 1
        call = Call(f"{self.name}:{self._number}", self.name, name, time.monotonic(), writes or [], atomic=atomic)
        self._log.began(call)
        result = None
        try:
            result = await send()
        except (FsmError, psycopg.Error) as error:
            call.sqlstate = error.sqlstate or type(error).__name__
            call.error = str(error)[:300] if error.sqlstate is None else None
            call.outcome = REFUSED if outcome_of(error) is Outcome.NOT_DONE else UNKNOWN
            call.answers = _conflict(error)
        else:
            call.outcome = DONE
            call.answers = read(result)
        call.ended = time.monotonic()
        self._log.ended(call)
        if call.outcome == UNKNOWN:
            if writes and all(write.request for write in writes):
                self._unsettled.append((name, send, writes, read, atomic))
            if not settling:
                await self.face.pause(0.05)
        return result

    async def _settle(self) -> None:
        """Send a call again with the same request id."""
        name, send, writes, read, atomic = self._unsettled.pop(0)
        await self.face.pause(0.05)
        await self._call(f"{name} again", send, read, writes, atomic, settling=True)

    def _write(self, session: str, how: str, **what: Any) -> Write:
        """Say what is about to be written; the request id is told by chance, too."""
        self._number += 1
        actor = f"{self.name}:{self._number}"
        request = str(UUID(int=self._chance.getrandbits(128), version=4)) if self._chance.random() < 0.8 else None
        write = Write(session, actor, how, request=request, **what)
        if write.context is not None:
            write.context["m"] = actor
        if write.patch is not None:
            write.patch["m"] = actor
        return write

    def _values(self) -> dict[str, Any]:
        return {"n": self._chance.randrange(10), self._chance.choice("xyz"): self._chance.randrange(1000)}

    def _appended(self) -> dict[str, Any]:
        return {"log": [self._chance.randrange(100)]}

    @staticmethod
    def _said(write: Write) -> dict[str, Any]:
        """The arguments that tell who writes."""
        return {"actor": write.actor, "request_id": write.request}

    # -- what is called ---------------------------------------------------------------------------------------------

    async def _load(self, session: str | None = None) -> Any:
        name = session or self.sessions.pick(self._chance)
        return await self._call(
            "load", lambda: self.face.call("load", name),
            lambda found: [_read(found) if found else Answer(name, 0)],
        )  # fmt: skip

    async def _first(self) -> None:
        """Create what is missing; several come at once, and one of them makes it."""
        for name in self._chance.sample([*self.sessions.hot, *self.sessions.warm], 3):
            await self._create(name)

    async def _create(self, session: str | None = None) -> None:
        name = session or f"{self.sessions.prefix}{self.name}-{self._number}"
        write = self._write(name, "create", context=self._values())
        await self._call(
            "create",
            lambda: self.face.call("create", name, self.sessions.machine_of(name), write.context, **self._said(write)),
            _wrote(write), [write],
        )  # fmt: skip

    async def _save(self, face: Face | None = None, session: str | None = None) -> None:
        name = session or self.sessions.pick(self._chance)
        now = await self._load(name)
        if now is None:
            await self._create(name)
            return
        if now.is_final:
            await self._roll_back(name)
            return
        state = now.state if self._chance.random() < 0.5 else self._chance.choice(machine.STATES)
        expected = now.version if self._chance.random() < 0.9 else None
        write = self._write(name, "save", state=state, context={**self._values(), "log": []}, expected=expected)
        changed = now.evolve(state=state, context=write.context)
        await self._call(
            "save",
            lambda: (face or self.face).call("save", changed, expected_version=expected, **self._said(write)),
            _wrote(write), [write],
        )  # fmt: skip

    async def _send(self, face: Face | None = None, session: str | None = None) -> None:
        name = session or self.sessions.pick(self._chance)
        event = self._chance.choice(machine.EVENTS)
        write = self._write(name, "send", event=event, patch=self._values(), append=self._appended())
        where = () if face else (name,)
        await self._call(
            "send",
            lambda: (face or self.face).call(
                "send", *where, event, write.patch, append=write.append, **self._said(write)
            ),
            _wrote(write), [write],
        )  # fmt: skip

    async def _update(self) -> None:
        name = self.sessions.pick(self._chance)
        write = self._write(name, "update", patch=self._values(), append=self._appended())
        await self._call(
            "update",
            lambda: self.face.call("update", name, write.patch, append=write.append, **self._said(write)),
            _wrote(write), [write],
        )  # fmt: skip

    async def _load_many(self) -> None:
        names = self._chance.sample(self.sessions.warm, 4) + [self.sessions.hot[0]]
        await self._call(
            "load_many", lambda: self.face.call("load_many", names),
            lambda found: [_read(found[name]) if name in found else Answer(name, 0) for name in names],
        )  # fmt: skip

    async def _history(self) -> None:
        name = self.sessions.pick(self._chance)
        await self._call(
            "history", lambda: self.face.call("history", name, 20),
            lambda rows: [
                Answer(name, row.version, "past" if place else "read", row.to_state) for place, row in enumerate(rows)
            ],
        )  # fmt: skip

    async def _load_at(self) -> None:
        now = await self._load()
        if now is not None:
            version = max(1, now.version - self._chance.randrange(10))
            await self._call(
                "load_at", lambda: self.face.call("load_at", now.session_id, version),
                lambda then: [_read(then, "past")] if then else [],
            )  # fmt: skip

    def _items(self) -> list[Write]:
        """Items of a batch in any order; one session may be there twice."""
        chosen = [self.sessions.pick(self._chance) for _ in range(3)]
        return [
            self._write(name, "save", state=self._chance.choice(machine.STATES[:3]), context=self._values())
            for name in chosen
        ]

    async def _batch(self, atomic: bool = True) -> None:
        writes = self._items()
        items = [
            {"session_id": one.session, "state": one.state, "context": one.context, **self._said(one)} for one in writes
        ]
        await self._call(
            "batch" if atomic else "rows of a batch", lambda: self.face.call("save_many", items, atomic=atomic),
            lambda rows: [
                Answer(one.session, row.version, "wrote", row.state, actor=one.actor, replayed=True)
                for one, row in zip(writes, rows, strict=True) if row.ok
            ],
            writes, atomic,
        )  # fmt: skip

    async def _rows_of_batch(self) -> None:
        await self._batch(atomic=False)

    async def _roll_back(self, session: str | None = None) -> None:
        name = session or self.sessions.pick(self._chance)
        now = await self._load(name)
        if now is None:
            return
        version = 1 if self._chance.random() < 0.2 else max(1, now.version - self._chance.randrange(6))
        write = self._write(name, "rollback", to_version=version, expected=now.version)
        await self._call(
            "rollback",
            lambda: self.face.call("rollback", name, version, expected_version=now.version, **self._said(write)),
            _wrote(write), [write],
        )  # fmt: skip

    async def _fork(self) -> None:
        now = await self._load()
        if now is None:
            return
        name = f"{self.sessions.prefix}{self.name}-{self._number}"
        write = self._write(name, "fork", source=now.session_id, to_version=now.version)
        await self._call(
            "fork", lambda: self.face.call("fork", now.session_id, now.version, name, **self._said(write)),
            _wrote(write), [write],
        )  # fmt: skip

    async def _turn(self) -> None:
        """Two writes under a turn, which others may have, or which may expire meanwhile."""
        name = self.sessions.pick(self._chance)
        seconds = self._chance.choice([0.05, 2.0])
        asked = time.monotonic()
        try:
            async with self.face.turn(name, self.name, seconds) as turn:
                began = time.monotonic()
                await self._send(turn, name)
                await self.face.pause(self._chance.choice([0.0, 0.07]))
                await self._save(turn, name)
                ended = time.monotonic()
                if ended - asked < 0.9 * seconds:  # so it has not expired by any clock that runs evenly
                    self._number += 1
                    held = Call(f"{self.name}:{self._number}", self.name, "turn", began, ended=ended, turn=name)
                    held.outcome = DONE
                    self._log.began(held)
                    self._log.ended(held)
        except (FsmError, psycopg.Error):  # Held by another, or the database was away: the writes tell of themselves.
            return

    async def _fire(self) -> None:
        await self.face.pause(0.03)
        await self._call(
            "fire", lambda: self.face.call("fire_deadlines"),
            lambda rows: [Answer(row.session_id, row.version, "wrote", row.to_state) for row in rows if row.version],
        )  # fmt: skip

    async def _upgrade(self) -> None:
        """Move some sessions to the other version of their machine."""
        first = self._chance.randrange(2)
        name = self._chance.choice(machine.NAMES)
        after = self.sessions.pick(self._chance)
        await self._call(
            "upgrade",
            lambda: self.face.call("upgrade", name, first + 1, 2 - first, limit=8, dry_run=False, after=after),
            lambda _: [],
        )  # fmt: skip

    async def _trim(self) -> None:
        await self._call("trim", lambda: self.face.call("trim_history", 800, 1000, 0.001), lambda _: [])


def _read(session: Any, how: str = "read") -> Answer:
    return Answer(session.session_id, session.version, how, session.state, session.context)


def _wrote(write: Write) -> Read:
    """What a single write was told; update and fork answer with the result alone."""

    def read(answer: Any) -> list[Answer]:
        result = getattr(answer, "result", answer)
        context = getattr(answer, "context", None)
        return [Answer(write.session, result.version, "wrote", result.state, context, write.actor, result.replayed)]

    return read


def _conflict(error: FsmError | psycopg.Error) -> list[Answer]:
    """A version conflict tells which version there is, and so must be right about it."""
    if error.sqlstate != "SM030":
        return []
    facts = parse_detail(error.diag.message_detail) if isinstance(error, psycopg.Error) else error.detail
    version = facts.get("version")
    session = facts.get("session_id")
    if not isinstance(version, int) or not isinstance(session, str):
        return []
    return [Answer(session, version, "conflict")]
