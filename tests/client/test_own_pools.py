"""The pool that a store opens for itself, and the one that it is given."""

from __future__ import annotations

import time
from typing import Any
from unittest.mock import MagicMock

import psycopg_pool
import pytest

from fsmstore.connections import Connections
from support.clients import Flavour


def connections(store: Any) -> Any:
    return store.wrapped._connections


def test_what_it_is_opened_with(flavour: Flavour, app_dsn: str) -> None:
    store = flavour.store(app_dsn, max_size=3, timeout=7)
    store.schema_release()
    pool = connections(store)._own
    assert (pool.min_size, pool.max_size, pool.timeout, pool.reconnect_timeout) == (1, 3, 7, 5)
    assert pool.name == "fsmstore"
    assert pool.kwargs == {"autocommit": True, "prepare_threshold": None, "client_encoding": "utf8"}
    store.close()
    assert pool.closed


@pytest.mark.parametrize(("prepare", "may"), [(True, None), (False, False)])
def test_who_may_prepare(flavour: Flavour, app_dsn: str, prepare: bool, may: bool | None) -> None:
    assert connections(flavour.store(app_dsn, prepare=prepare))._may_prepare is may


def test_a_pool_is_looked_at_only_after_a_connection_broke(
    flavour: Flavour, app_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = flavour.store(app_dsn)
    store.schema_release()
    used, looks = connections(store), []
    check = used._own.check

    def counted() -> Any:
        looks.append(1)
        return check()

    monkeypatch.setattr(used._own, "check", counted)
    execute = used.execute
    for suspicious, seen in ((False, 0), (True, 1)):

        def asked(call: Any, forced: bool = suspicious, **more: Any) -> Any:
            return execute(call, timeout=5, suspicious=forced)

        monkeypatch.setattr(used, "execute", asked)
        store.schema_release()
        assert len(looks) == seen


def test_a_given_pool_waits_as_long_as_it_is_told(flavour: Flavour, app_dsn: str) -> None:
    pool = flavour.pool(app_dsn, min_size=1, max_size=1, timeout=0.3)
    store = flavour.store(pool, timeout=60)
    held = pool.getconn()
    began = time.monotonic()
    with pytest.raises(psycopg_pool.PoolTimeout):
        store.load("s-1")
    assert time.monotonic() - began < 30
    pool.putconn(held)
    assert store.load("s-1") is None


def test_threads_open_and_close_it_one_at_a_time(app_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads that come first at once would open two pools."""
    used = Connections(app_dsn, timeout=5, max_size=1, prepare=False)
    lock = MagicMock()
    monkeypatch.setattr(used, "_opening", lock)
    used._pool()
    used.close()
    assert lock.__enter__.call_count == lock.__exit__.call_count == 2
