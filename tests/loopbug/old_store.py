"""A session store with faults that many have, and a conversation that goes in circles because of them.

It looks harmless: a row with a JSON column, a little mapper that writes what has changed, a copy in memory. Run it
(``python tests/loopbug/old_store.py``) and watch a user being asked the same question for ever.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fsmstore.demo.catalogue import Catalogue
from fsmstore.demo.conversation import Conversation, Reply, Store
from fsmstore.demo.purchase import Purchase

logger = logging.getLogger("old_store")

MEMORY_SECONDS = 300.0


class Row:
    """An object that stands for a row. Assigning to an attribute is what marks a column as changed."""

    def __init__(self, session_id: str, context: dict[str, Any] | None, updated_at: float) -> None:
        self.session_id = session_id
        self.context = context
        self.updated_at = updated_at


class Mapper:
    """Writes the columns of a row whose value is not the object that was loaded."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._loaded: dict[str, tuple[dict[str, Any] | None, float]] = {}

    def get(self, session_id: str) -> Row | None:
        """Load a row."""
        found = self._database.execute(
            "select context, updated_at from sessions where session_id = ?", (session_id,)
        ).fetchone()
        if found is None:
            return None
        row = Row(session_id, found[0] and json.loads(found[0]), found[1])
        self._loaded[session_id] = (row.context, row.updated_at)
        return row

    def commit(self, row: Row) -> None:
        """Write what has changed."""
        context, updated_at = self._loaded[row.session_id]
        changes: dict[str, Any] = {}
        if row.context is not context:  # FAULT 1: the same object, however different its content is by now
            changes["context"] = json.dumps(row.context)
        if row.updated_at is not updated_at:
            changes["updated_at"] = row.updated_at
        columns = ", ".join(f"{column} = ?" for column in changes)
        self._database.execute(
            f"update sessions set {columns} where session_id = ?", (*changes.values(), row.session_id)
        )


@dataclass(frozen=True)
class Loaded:
    """A session as this store gives it to the conversation."""

    state: str
    context: dict[str, Any]
    version: int = 0  # it counts nothing
    is_final: bool = False


@dataclass
class OldStore:
    """The store, with the face that `fsmstore.demo.conversation` asks of one."""

    database: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect(":memory:"))
    clock: Callable[[], float] = time.time
    walk: list[str] = field(default_factory=list)
    """The states that the program was in, as it loaded and saved them."""
    reported: list[bool] = field(default_factory=list)
    """What each save said: whether it had succeeded."""
    _memory: dict[str, tuple[float, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.database.execute("create table sessions (session_id text primary key, context text, updated_at real)")

    def create(self, session_id: str, machine: str, *, actor: str | None = None) -> Loaded:
        """Insert an empty row: nothing has been agreed yet."""
        self.database.execute("insert into sessions values (?, null, ?)", (session_id, self.clock()))
        return Loaded("start", {})

    def load(self, session_id: str) -> Loaded | None:
        """Return what the row says."""
        found = self.stored(session_id)
        if found is not None:
            self.walk.append(found.state)
        return found

    def stored(self, session_id: str) -> Loaded | None:
        """Return what the row says; None if there is none, or it cannot be read."""
        try:
            row = Mapper(self.database).get(session_id)
        except Exception:  # FAULT 3: the caller never learns of it
            logger.exception("could not load session %s", session_id)
            return None
        if row is None:
            return None
        context = dict(row.context or {})
        return Loaded(context.pop("current_state", "start"), context)

    def send(
        self,
        session_id: str,
        event: str,
        patch: dict[str, Any],
        *,
        append: dict[str, Any],
        expected_version: int,
        actor: str | None = None,
    ) -> Loaded:
        """Choose the next state here, in the program, and save it."""
        before = self.stored(session_id)
        context = {**(before.context if before else {}), **patch}
        for key, elements in append.items():
            context[key] = [*context.get(key, []), *elements]
        state = _next_state(event, context)
        self.reported.append(self._save(session_id, state, context))
        self.walk.append(state)
        return Loaded(state, context, is_final=state in ("completed", "cancelled", "failed"))

    def _save(self, session_id: str, state: str, context: dict[str, Any]) -> bool:
        self._memory[session_id] = (self.clock(), state)  # FAULT 2: a copy that nobody compares with the row
        try:
            mapper = Mapper(self.database)
            row = mapper.get(session_id)
            assert row is not None
            if row.context is None:
                row.context = {}
            row.context.update(context, current_state=state)
            row.updated_at = self.clock()
            mapper.commit(row)
        except Exception:  # FAULT 3 again
            logger.exception("could not save session %s", session_id)
            return False
        logger.info("saved session %s in state %s", session_id, state)
        return True

    def status(self, session_id: str) -> str | None:
        """Return the state for whoever asks for it often: out of memory, if it is not older than five minutes."""
        at, state = self._memory.get(session_id, (0.0, ""))
        if self.clock() - at < MEMORY_SECONDS:
            return state
        found = self.stored(session_id)
        return None if found is None else found.state


def _next_state(event: str, context: dict[str, Any]) -> str:
    if event == "RESULTS":
        found = len(context["search_results"])
        return "refine_constraints" if found > 50 else "collect_preferences" if found else "search"
    return {"BEGIN": "search", "REFINED": "search", "PREFERENCES": "match_preferences", "MATCHED": "confirm_purchase"}[
        event
    ]


def answer(question: str) -> str:
    """Return what the user says to the shop's question; the same to the same question, however often it comes."""
    for asked, said in {
        "looking for": "I am looking for a washing machine.",
        "limits": "At most 650 euro and at least 8 kg.",
        "matters most": "It must be quiet.",
        "brand": "I like Nordhus.",
        "Shall I order": "Yes, please.",
    }.items():
        if asked in question:
            return said
    raise AssertionError(f"the user does not know what to say to {question!r}")


def talk(store: Store, session_id: str, turns: int) -> Reply:
    """Let the user talk with the shop until it is over, or for so many turns at most; return the last reply."""
    conversation = Conversation(store, Purchase(Catalogue.read()), session_id)
    reply = conversation.turn()
    while turns and not reply.session.is_final:
        reply = conversation.turn(answer(reply.text))
        turns -= 1
    return reply


def main() -> None:
    """Show the conversation."""
    store = OldStore()
    talk(store, "s-1", turns=5)
    found = store.stored("s-1")
    print(textwrap.fill("the program went:  " + " ".join(store.walk), 90, subsequent_indent=" " * 19))
    print(f"each save said:    {', '.join('success' if one else 'failure' for one in store.reported)}")
    print(f"the row says:      {found and found.state}")
    print(f"the memory says:   {store.status('s-1')}")


if __name__ == "__main__":
    main()
