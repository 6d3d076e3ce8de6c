"""Whoever is faster creates the session; nobody is told that it exists already."""

from __future__ import annotations

from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

import psycopg
import pytest

from fsmstore import InvalidContext, Outcome, SessionExists, SessionStore, VersionConflict
from fsmstore.contract import UnifiedSessionStore
from support.engine import machine


def test_a_race_for_the_first_save_creates_one_session(app_dsn: str, sessions: SessionStore) -> None:
    count = 6
    barrier, saved = Barrier(count), list[bool]()

    def save(number: int) -> None:
        with UnifiedSessionStore(app_dsn) as store:
            store.load_fsm_state("warm")
            fsm = machine("search", number=number)
            barrier.wait()
            saved.append(store.save_fsm_state("s-1", fsm))

    threads = [Thread(target=save, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(saved) == count  # none raised
    entries = sessions.history("s-1")
    assert [entry.kind for entry in entries].count("create") == 1
    assert len(entries) == 1 + saved.count(True)


class Racing(SessionStore):
    """Somebody else is faster between the look and the creation, and sometimes again."""

    def __init__(self, target: str, erase: Callable[[str], None], losses: int) -> None:
        super().__init__(target)
        self.erase, self.losses = erase, losses

    def create(self, session_id: str, machine: str, *arguments: Any, **keywords: Any) -> Any:
        if self.losses:
            self.losses -= 1
            super().create(session_id, machine)
            try:
                return super().create(session_id, machine, *arguments, **keywords)
            finally:
                if self.losses:
                    self.erase(session_id)
        return super().create(session_id, machine, *arguments, **keywords)


@pytest.mark.parametrize(("losses", "saved"), [(1, True), (2, True), (3, False)])
def test_a_lost_race_goes_on_with_the_session_of_the_winner(
    app_dsn: str, dsn: Callable[..., str], losses: int, saved: bool
) -> None:
    with SessionStore(dsn("test_admin")) as admin, Racing(app_dsn, admin.delete, losses) as racing:
        store = UnifiedSessionStore(racing)
        assert store.save_fsm_state("s-1", machine()) is saved
        assert saved or isinstance(store.last_refusal, SessionExists)


def test_a_first_save_that_breaks_off_is_not_saved_over_another(app_dsn: str, sessions: SessionStore) -> None:
    class BreakingOff(SessionStore):
        """Its connection breaks between the creation and the save."""

        def save(self, *arguments: Any, **keywords: Any) -> Any:
            del self.__class__.save
            raise psycopg.OperationalError("the connection is lost")

    fsm = machine()
    with BreakingOff(app_dsn) as breaking:
        store = UnifiedSessionStore(breaking)
        with pytest.raises(psycopg.OperationalError):
            store.save_fsm_state("s-1", fsm)
        sessions.update("s-1", {"beside": True})
        assert store.save_fsm_state("s-1", fsm) is False
        assert isinstance(store.last_refusal, VersionConflict)
        assert fsm.context.beside is True


def test_an_error_after_the_commit_is_no_refusal(app_dsn: str, sessions: SessionStore) -> None:
    class Unreadable(SessionStore):
        """Its save is done, and only the answer could not be handed over."""

        def save(self, *arguments: Any, **keywords: Any) -> Any:
            super().save(*arguments, **keywords)
            error = InvalidContext("a stored number lies outside the range of a float")
            error.outcome = Outcome.DONE
            raise error

    with Unreadable(app_dsn) as unreadable:
        store = UnifiedSessionStore(unreadable)
        for save in (store.save_fsm_state, lambda session_id, fsm: store.save_many({session_id: fsm})):
            with pytest.raises(InvalidContext, match="outside the range of a float"):
                save("s-1" if save == store.save_fsm_state else "s-2", machine())
    assert [info.state for info in sessions.list_sessions()] == ["search", "search"]
