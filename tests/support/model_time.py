"""Turns and deadlines of the model: what the clock of the database decides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .model import Begun, Move, Refused, Row, Session, Writes
from .model_machines import SECOND

NEVER = 10**18
Fired = tuple[str, str, str, int | None, str | None]
"""A row of fire_deadlines: session, from, to, version, SQLSTATE."""


class Timed(Writes):
    """Who holds a session, and where a session goes by itself."""

    def held(self, session: Session) -> Begun | None:
        """The turn that is held now."""
        begun = session.begun
        return begun if begun is not None and begun.expires is not None and begun.expires > self.now else None

    def check_turn(self, session: Session, turn: int | None) -> None:
        held = self.held(session)
        if turn is not None and (held is None or turn != held.turn):
            raise Refused("SM051", turn=turn, held_turn=None if held is None else held.turn)
        if turn is None and held is not None:
            raise Refused("SM050", holder=held.holder)

    def begin_turn(self, session_id: str, request: Any) -> Begun | None:
        """The turn that comes back because its request is known; None: a new one is begun, whose token is not said."""
        session = self.known(session_id)
        if session.begun is not None and request is not None and session.begun.request == request:
            return session.begun
        held = self.held(session)
        if held is not None:
            raise Refused("SM050", holder=held.holder)
        return None

    def begun(self, session_id: str, turn: int, holder: str, seconds: int, request: Any) -> Begun:
        """What a new turn is, its token being known: above every one that this id had, and above its creation."""
        session = self.sessions[session_id]
        assert turn > self.last_turns.get(session_id, 0)
        self.last_turns[session_id] = turn
        session.begun = Begun(turn, holder, request, self.now + seconds * SECOND)
        return session.begun

    def extend_turn(self, session_id: str, turn: int, seconds: int) -> int:
        session = self.known(session_id)
        held = self.held(session)
        if held is None or held.turn != turn:
            raise Refused("SM051", turn=turn, held_turn=None if held is None else held.turn)
        session.begun = replace(held, expires=self.now + seconds * SECOND)
        return self.now + seconds * SECOND

    def end_turn(self, session_id: str, turn: int) -> bool:
        session = self.known(session_id)
        held = self.held(session)
        if held is None or held.turn != turn:
            return False
        session.begun = replace(held, expires=None)
        if session.refusals and session.look is not None and session.look > self.now:
            session.look, session.refusals = self.now, 0
        return True

    # Deadlines.

    def due(self, session: Session) -> int:
        """When the next deadline of its stay is due that was not fired yet."""
        fired = self._fired(session)
        delays = [delay for delay, _ in self.machine(session).delays(session.state) if delay > fired]
        return session.head.entered + delays[0] if delays else NEVER

    def looks(self) -> list[int]:
        """When the next sessions are looked at for deadlines."""
        return sorted(
            {one.look for one in self.sessions.values() if one.look is not None and one.look > self.now} - {NEVER}
        )

    def moments(self) -> list[int]:
        """When something may change by itself: a deadline, the end of a turn, a passage that no longer counts."""
        found = []
        for session in self.sessions.values():
            held = self.held(session)
            found += [self.due(session), session.look or 0, (held.expires or 0) if held else 0]
            found += [row.at + row.rule.window for row in session.rows if row.rule is not None]
        return sorted({one for one in found if self.now < one < NEVER})

    def to_look_at(self) -> list[Session]:
        """The sessions that are looked at now, the longest overdue first."""
        waiting = [one for one in self.sessions.values() if one.look is not None and one.look <= self.now]
        return sorted(waiting, key=lambda one: one.look or 0)

    def fire_deadlines(self, limit: int | None) -> list[Fired]:
        rows: list[Fired] = []
        for session in self.to_look_at():
            row = self._fire(session)
            if row is not None:
                rows.append(row)
            if len(rows) == limit:
                break
        return rows

    def _fire(self, session: Session) -> Fired | None:
        here, entered, already = session.state, session.head.entered, self._fired(session)
        refused: tuple[str, str] | None = None
        for delay, way in self.machine(session).delays(here):
            if delay <= already or entered + delay > self.now:
                continue
            try:
                if self.held(session) is not None:
                    raise Refused("SM050")
                row = self.settle(session, Move("deadline", way.target, None, session.context, way.rule))
            except Refused as refusal:
                refused = refused or (way.target, refusal.sqlstate)
                continue
            self._settled(session, row, (entered, delay) if row.state == here else None)
            return session.session_id, here, row.state, row.version, None
        if refused is None:
            self._settled(
                session, session.head, session.fired if session.fired and session.fired[0] == entered else None
            )
            return None
        self._put_off(session)
        return session.session_id, here, refused[0], None, refused[1]

    def _settled(self, session: Session, row: Row, fired: tuple[int, int] | None) -> None:
        session.fired, session.refusals = fired, 0
        due = self.due(session)
        session.look = None if due == NEVER and fired is None else due

    def _put_off(self, session: Session) -> None:
        session.refusals += 1
        pause = min(30 * 2 ** (session.refusals - 1), 3600) * SECOND
        held = self.held(session)
        until = held.expires if held is not None and held.expires is not None else NEVER
        session.look = min(self.now + pause, until)

    def _fired(self, session: Session) -> int:
        """The longest delay that was fired in this stay."""
        return session.fired[1] if session.fired is not None and session.fired[0] == session.head.entered else 0

    def _scheduled(self, session: Session) -> None:
        """After a write: it is looked at when its next deadline is due, or earlier if it would be anyhow.

        What had been put off until that earlier look goes on counting until then, also in another state.
        """
        delays = self.machine(session).delays(session.state)
        if delays and (session.look is None or session.look > session.head.entered + delays[0][0]):
            session.look, session.refusals = self.due(session), 0
