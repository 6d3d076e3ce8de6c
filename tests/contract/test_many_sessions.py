"""Many objects in one call: each for itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from fsmstore import (
    CorruptSession,
    SessionNotFound,
    SessionStore,
    VersionConflict,
)
from fsmstore.contract import UnifiedSessionStore
from support.engine import machine

Connection = psycopg.Connection[Any]


def test_many_are_saved_and_loaded_together(store: UnifiedSessionStore, sessions: SessionStore) -> None:
    fsms = {f"s-{number}": machine("search", number=number) for number in range(5)}
    assert store.save_many(fsms) == dict.fromkeys(fsms, True)  # created one by one
    for fsm in fsms.values():
        fsm.context.step_log.append("again")
    fsms["s-1"].context.current_state = "completed"
    fsms["s-2"].context.metadata["at"] = float("nan")
    sessions.update("s-3", {"beside": True})
    fsms["s-9"] = machine("completed")
    saved = store.save_many(fsms)
    assert saved == {
        "s-0": True, "s-1": False, "s-2": False, "s-3": False, "s-4": True, "s-9": False,
    }  # fmt: skip
    assert store.get_performance_metrics()["refusals"] == {"SM021": 1, "SM020": 2, "SM030": 1}
    loaded = store.load_many(["s-4", "nobody", "s-0", "s-4", *fsms])
    assert list(loaded) == ["s-4", "s-0", "s-1", "s-2", "s-3", "s-9"]
    for session_id, fsm in loaded.items():
        assert fsms[session_id].context.step_log == fsm.context.step_log
        assert fsms[session_id].context.current_state == fsm.context.current_state
        assert fsm.context.session_id == session_id
    assert loaded["s-0"].context.step_log == ["again"]
    assert loaded["s-1"].context.step_log == []
    assert loaded["s-3"].context.beside is True
    assert all(store.save_many(loaded).values())
    assert not any(store.save_many(fsms).values())  # all of these are stale now
    assert all(store.save_many(fsms).values())


def test_a_batch_is_one_round_trip(store: UnifiedSessionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    fsms = {f"s-{number}": machine("search") for number in range(20)}
    store.save_many(fsms)
    calls: list[str] = []
    for name in ("save", "load", "create", "load_many", "save_many"):
        original = getattr(store.sessions, name)
        monkeypatch.setattr(
            store.sessions, name, lambda *a, _name=name, _call=original, **k: (calls.append(_name), _call(*a, **k))[1]
        )
    assert all(store.save_many(fsms).values())
    assert len(store.load_many(fsms)) == 20
    assert calls == ["save_many", "load_many"]
    assert store.save_many({}) == {}
    assert store.load_many([]) == {}


def test_objects_never_seen_are_remembered_by_a_batch_too(
    store: UnifiedSessionStore, fsm_with_known_state: Any
) -> None:
    unseen = machine("search", odd=1)
    assert store.save_many({"known": unseen}) == {"known": True}
    store.sessions.update("known", {"beside": True})
    assert store.save_fsm_state("known", unseen) is False
    assert isinstance(store.last_refusal, VersionConflict)


def test_a_corrupt_session_does_not_keep_a_batch_from_being_saved(
    store: UnifiedSessionStore, corrupted_session_data: dict[str, str], app_dsn: str
) -> None:
    broken = corrupted_session_data["a state that the machine does not have"]
    with UnifiedSessionStore(app_dsn) as other:
        assert other.save_many({broken: machine(), "s-1": machine()}) == {broken: False, "s-1": True}
        assert isinstance(other.last_refusal, CorruptSession)


def test_what_is_broken_in_a_batch_raises(app_dsn: str, db: Connection) -> None:
    class Broken(SessionStore):
        """Something breaks the session between its creation and its save."""

        def create(self, *arguments: Any, **keywords: Any) -> Any:
            created = super().create(*arguments, **keywords)
            db.execute("update fsm_internal.sessions set state = 'nowhere'")
            return created

    with Broken(app_dsn) as sessions, pytest.raises(CorruptSession):
        UnifiedSessionStore(sessions).save_many({"s-1": machine()})


def test_a_session_that_was_erased_is_not_made_again_by_a_stale_copy(
    store: UnifiedSessionStore, fsm_with_known_state: Any, dsn: Callable[..., str]
) -> None:
    with SessionStore(dsn("test_admin")) as admin:
        admin.delete("known")
    assert store.save_many({"known": fsm_with_known_state}) == {"known": False}
    assert isinstance(store.last_refusal, SessionNotFound)
    assert store.load_fsm_state("known") is None
    assert store.save_many({"known": fsm_with_known_state}) == {"known": True}  # it is a first save now
