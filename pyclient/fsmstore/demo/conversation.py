"""A conversation over a store: load the session, do what its state asks for, send the event, until the user must speak.

Which state an event leads to is not decided here. Nothing about the session is kept between two turns either: what
counts is what the store gives, so any process can take the next turn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class Snapshot(Protocol):
    """A session as the store holds it; `fsmstore.Session` is one."""

    @property
    def state(self) -> str:
        """Where the conversation is."""

    @property
    def version(self) -> int:
        """How often it was written."""

    @property
    def context(self) -> dict[str, Any]:
        """What it knows."""

    @property
    def is_final(self) -> bool:
        """Whether it is over."""


class Store(Protocol):
    """What a conversation needs of a store; `fsmstore.SessionStore` is one."""

    def create(self, session_id: str, machine: str, /, *, actor: str | None = None) -> Snapshot:
        """Make the session, in its machine's first state."""

    def load(self, session_id: str, /) -> Snapshot | None:
        """Return the session, or None if there is none."""

    def send(
        self,
        session_id: str,
        event: str,
        patch: dict[str, Any],
        /,
        *,
        append: dict[str, Any],
        expected_version: int,
        actor: str | None = None,
    ) -> Snapshot:
        """Change the context, let the event choose the next state, and return what is stored now."""


@dataclass(frozen=True, slots=True)
class Move:
    """What happened in a state: an event, and what the context learns by it."""

    event: str
    patch: dict[str, Any]


class Play(Protocol):
    """What is said and done in each state."""

    @property
    def machine(self) -> str:
        """The machine's name."""

    def question(self, state: str, context: Mapping[str, Any]) -> str | None:
        """Return what to say to the user in this state; None: it is the program's turn to work."""

    def hear(self, state: str, context: Mapping[str, Any], text: str) -> Move:
        """Take the user's answer to `question`."""

    def work(self, state: str, context: Mapping[str, Any]) -> Move:
        """Do what the state is there for."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the user gets to read at the end of a turn, and the session as it is then."""

    text: str
    session: Snapshot


class Conversation:
    """One session's conversation.

    Args:
        store: where the session lives.
        play: what is said and done.
        session_id: which session; it is made at the first turn.
        actor: who writes, for the history.
        on_saved: told after each acknowledged write, with the event and what is stored now.
    """

    def __init__(
        self,
        store: Store,
        play: Play,
        session_id: str,
        *,
        actor: str | None = None,
        on_saved: Callable[[str, Snapshot], None] = lambda event, session: None,
    ) -> None:
        self._store = store
        self._play = play
        self._session_id = session_id
        self._actor = actor
        self._on_saved = on_saved

    def turn(self, text: str | None = None) -> Reply:
        """Load the session, take what the user said, and go on until the user must speak (again).

        Args:
            text: the answer to the question of the state that the session is in. None: go on where it stands.
        """
        session = self._store.load(self._session_id) or self._begin()
        while True:
            question = self._play.question(session.state, session.context)
            said = []
            if question is None:
                move = self._play.work(session.state, session.context)
            elif text is None or session.is_final:
                return Reply(question, session)
            else:
                move = self._play.hear(session.state, session.context, text)
                said = [{"role": "assistant", "content": question}, {"role": "user", "content": text}]
            text = None  # it answered that state's question and no other
            session = self._store.send(
                self._session_id,
                move.event,
                move.patch,
                append={"conversation_history": said},
                expected_version=session.version,
                actor=self._actor,
            )
            self._on_saved(move.event, session)

    def _begin(self) -> Snapshot:
        session = self._store.create(self._session_id, self._play.machine, actor=self._actor)
        self._on_saved("", session)
        return session
