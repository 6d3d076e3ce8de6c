"""A write whose connection breaks is applied exactly once, on whichever side of the commit it broke."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import psycopg_pool
import pytest

import fsmstore
from fsmstore import Outcome, connections, outcome_of
from fsmstore.retry import MAX_CONFLICTS, Attempts, Repeat
from support.clients import Flavour
from support.machines import DOOR
from support.proxy import Proxy
from support.together import backends, fill, holding, running, waiting_backend
from support.waiting import wait_until

Connection = psycopg.Connection[Any]

WRITES: dict[str, Callable[[Any], Any]] = {
    "create_session": lambda store: store.create("s-2", "door", {"n": 1}),
    "save_session": lambda store: store.save(store.load("s-1").evolve(state="open", context={"n": 2})),
    "send_event": lambda store: store.send("s-1", "OPEN", {"n": 2}),
    "update_context": lambda store: store.update("s-1", {"n": 2}, append={"log": [1]}),
}


@pytest.mark.parametrize("when", ["before", "inside", "after"])
@pytest.mark.parametrize("function", sorted(WRITES))
def test_a_write_is_applied_once(
    flavour: Flavour, proxy: Proxy, db: Connection, function: str, when: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = flavour.store(proxy.dsn)
    store.create("s-1", "door", {"secret": "xyzzy"})
    proxy.cut(f"fsm.{function}", when)
    written = WRITES[function](store)
    assert proxy.made == 1
    result = written if function == "update_context" else written.result
    assert result.replayed is (when == "after")
    session = store.load(result.session_id)
    assert session.version == result.version
    if function != "update_context":
        assert written == session
    rows = db.execute("select count(*), count(request_id) from fsm_internal.history").fetchone()
    assert rows == (2, 2)
    assert "sent again" in caplog.text
    assert "xyzzy" not in caplog.text


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_connection_that_breaks_again_and_again(flavour: Flavour, proxy: Proxy, when: str) -> None:
    store = flavour.store(proxy.dsn)
    store.create("s-1", "door")
    for _ in range(4):
        proxy.cut("fsm.send_event", when)
    assert store.send("s-1", "OPEN").version == 2
    assert proxy.made == 4
    assert [entry.version for entry in store.history("s-1")] == [2, 1]


def test_reads_are_asked_again(flavour: Flavour, proxy: Proxy) -> None:
    store = flavour.store(proxy.dsn)
    store.create("s-1", "door", {"n": 1})
    for function in ("load_session", "load_sessions", "history", "allowed_events", "schema_release"):
        proxy.cut(f"fsm.{function}(", "after")
    assert store.load("s-1").context == {"n": 1}
    assert list(store.load_many(["s-1"])) == ["s-1"]
    assert len(store.history("s-1")) == 1
    assert store.allowed_events("s-1")
    assert store.schema_release() == "0.1.0"
    assert proxy.made == 5


def test_a_backend_that_is_terminated_while_it_waits(
    flavour: Flavour, app_dsn: str, db: Connection, connect_as: Callable[..., Connection]
) -> None:
    store = flavour.store(app_dsn)
    store.create("s-1", "door")
    with holding(connect_as("test_app"), "s-1") as release:
        with running(lambda: store.send("s-1", "OPEN")) as sent:
            first = waiting_backend(db)
            db.execute("select pg_terminate_backend(%s)", (first,))
            # The next attempt waits for the same lock, on another connection.
            wait_until(lambda: waiting_backend(db) not in (None, first), "the call is sent again")
            release()
        assert sent.result().version == 2
    assert len(store.history("s-1")) == 2


def test_all_connections_of_a_pool_are_dead(
    flavour: Flavour, app_dsn: str, db: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    store = flavour.store(app_dsn, max_size=4)
    store.create("s-1", "door")
    before = fill(store, db, 4)
    for pid in before:
        db.execute("select pg_terminate_backend(%s)", (pid,))
    assert store.send("s-1", "OPEN").version == 2
    assert not backends(db) & before
    assert caplog.text.count("send_event is sent again") == 1


def test_a_given_pool_that_is_not_in_autocommit(flavour: Flavour, proxy: Proxy) -> None:
    pool = flavour.pool(proxy.dsn, min_size=1, max_size=2)
    store = flavour.store(pool)
    store.create("s-1", "door")
    proxy.cut("COMMIT", "after")
    assert store.send("s-1", "OPEN").result.replayed
    proxy.cut("COMMIT", "before")
    closed = store.send("s-1", "CLOSE")
    assert (closed.version, closed.result.replayed) == (3, False)
    assert store.load("s-1") == closed
    assert proxy.made == 2


def test_a_definition_is_not_sent_twice(flavour: Flavour, dsn: Callable[..., str], proxy: Proxy) -> None:
    store = flavour.store(psycopg.conninfo.make_conninfo(proxy.dsn, **_login(dsn("test_admin"))))
    assert store.load("s-1") is None
    changed = {**DOOR, "description": "another"}
    proxy.cut("fsm.define_machine", "after")
    with pytest.raises(psycopg.OperationalError) as caught:
        store.define_machine(changed)
    assert outcome_of(caught.value) is Outcome.UNKNOWN
    assert store.machine_definition("door") == changed
    proxy.cut("fsm.retire_machine", "before")
    with pytest.raises(psycopg.OperationalError):
        store.retire_machine("door", 2)
    assert store.machine_definition("door") == changed


def _login(dsn: str) -> dict[str, Any]:
    parts = psycopg.conninfo.conninfo_to_dict(dsn)
    return {name: parts[name] for name in ("user", "password")}


def test_it_ends_when_the_time_is_over(flavour: Flavour, proxy: Proxy) -> None:
    store = flavour.store(proxy.dsn, timeout=0.5)
    store.create("s-1", "door")
    for _ in range(100):
        proxy.cut("fsm.send_event", "before")
    with pytest.raises(psycopg.OperationalError) as caught:
        store.send("s-1", "OPEN")
    assert outcome_of(caught.value) is Outcome.UNKNOWN
    assert 1 < proxy.made < 100


def test_no_server_for_the_repetition_leaves_it_unknown(flavour: Flavour, proxy: Proxy) -> None:
    store = flavour.store(proxy.dsn, timeout=0.5)
    store.create("s-1", "door")
    proxy.on_cut = proxy.stop
    proxy.cut("fsm.send_event", "after")
    with pytest.raises(psycopg.OperationalError) as caught:
        store.send("s-1", "OPEN")
    assert outcome_of(caught.value) is Outcome.UNKNOWN
    with pytest.raises(psycopg_pool.PoolTimeout) as second:
        store.send("s-1", "OPEN")
    assert outcome_of(second.value) is Outcome.NOT_DONE


def test_the_server_comes_back(flavour: Flavour, proxy: Proxy) -> None:
    store = flavour.store(proxy.dsn)
    store.create("s-1", "door")
    proxy.on_cut = proxy.stop
    proxy.cut("fsm.send_event", "after")
    with running(lambda: store.send("s-1", "OPEN")) as sent:
        wait_until(lambda: proxy.refused >= 2, "the client tries to connect")
        proxy.refuse = False
    assert sent.result().result.replayed


def test_the_server_comes_back_after_a_long_time(
    flavour: Flavour, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool does not give up, and does not wait longer and longer, while a call waits for a connection."""
    monkeypatch.setattr(connections, "RECONNECT_TIMEOUT", 0.1)
    store = flavour.store(proxy.dsn)
    store.create("s-1", "door")
    proxy.stop()
    with running(lambda: store.load("s-1")) as loaded:
        wait_until(lambda: proxy.refused >= 12, "the pool has given up several times")
        proxy.refuse = False
    assert loaded.result().version == 1


def test_a_refusal_of_the_repetition_is_an_answer(
    flavour: Flavour, proxy: Proxy, app: Connection, db: Connection
) -> None:
    store = flavour.store(proxy.dsn)
    session = store.create("s-1", "door")
    proxy.on_cut = lambda: app.execute("select fsm.update_context('s-1')")
    proxy.cut("fsm.save_session", "before")
    with pytest.raises(fsmstore.VersionConflict) as caught:
        store.save(session.evolve(state="open"))
    assert outcome_of(caught.value) is Outcome.NOT_DONE
    assert proxy.made == 1


# Conflicts between transactions.


def test_a_serialization_failure_is_repeated(
    flavour: Flavour, app_dsn: str, db: Connection, connect_as: Callable[..., Connection]
) -> None:
    level = psycopg.conninfo.make_conninfo(app_dsn, options="-c default_transaction_isolation=serializable")
    store = flavour.store(level)
    store.create("s-1", "door", {"n": 0})
    with holding(connect_as("test_app"), "s-1", update=True) as release:
        with running(lambda: store.send("s-1", "OPEN", {"n": 1})) as sent:
            wait_until(lambda: waiting_backend(db) is not None, "the call waits for the lock")
            release()
        assert sent.result().version == 3
    assert [entry.kind for entry in store.history("s-1")] == ["transition", "update", "create"]


def test_in_the_callers_transaction_nothing_is_repeated(
    flavour: Flavour, app_dsn: str, db: Connection, connect_as: Callable[..., Connection]
) -> None:
    connection = flavour.connect(app_dsn)
    store = flavour.store(connection)
    store.create("s-1", "door")
    connection.commit()
    connection.execute("set transaction isolation level repeatable read")
    assert store.load("s-1").version == 1
    connect_as("test_app").execute("select fsm.update_context('s-1')")
    with pytest.raises(psycopg.errors.SerializationFailure) as caught:
        store.send("s-1", "OPEN")
    assert outcome_of(caught.value) is Outcome.NOT_DONE
    connection.rollback()
    pid = connection.wrapped.info.backend_pid
    db.execute("select pg_terminate_backend(%s)", (pid,))
    with pytest.raises(psycopg.OperationalError) as lost:
        store.send("s-1", "OPEN")
    assert outcome_of(lost.value) is Outcome.UNKNOWN


@pytest.mark.parametrize("error", [psycopg.errors.DeadlockDetected(), psycopg.errors.SerializationFailure()])
def test_conflicts_are_repeated_a_bounded_number_of_times(error: psycopg.Error) -> None:
    attempts = Attempts("save_session", Repeat.NEVER, 30)
    delays = [attempts.delay_after(error) for _ in range(MAX_CONFLICTS)]
    assert all(0 < delay <= 1 for delay in delays)
    assert max(delays) > 10 * min(delays)
    with pytest.raises(type(error)) as caught:
        attempts.delay_after(error)
    assert caught.value is error
    assert outcome_of(error) is Outcome.NOT_DONE


def test_conflicts_after_a_lost_answer_leave_it_unknown() -> None:
    attempts = Attempts("save_session", Repeat.SAME_REQUEST, 30)
    attempts.delay_after(psycopg.errors.AdminShutdown())
    error = psycopg.errors.SerializationFailure()
    for _ in range(MAX_CONFLICTS):
        attempts.delay_after(error)
    with pytest.raises(psycopg.errors.SerializationFailure):
        attempts.delay_after(error)
    assert outcome_of(error) is Outcome.UNKNOWN


def test_an_answer_of_the_server_after_a_lost_one_settles_it() -> None:
    attempts = Attempts("save_session", Repeat.SAME_REQUEST, 30)
    attempts.delay_after(psycopg.errors.AdminShutdown())
    error = psycopg.errors.InvalidParameterValue()
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        attempts.delay_after(error)
    assert outcome_of(error) is Outcome.NOT_DONE


def test_a_time_out_is_unknown_and_not_repeated(
    flavour: Flavour, app_dsn: str, connect_as: Callable[..., Connection]
) -> None:
    store = flavour.store(psycopg.conninfo.make_conninfo(app_dsn, options="-c statement_timeout=300"))
    store.create("s-1", "door")
    request = uuid4()
    with holding(connect_as("test_app"), "s-1"):
        with pytest.raises(psycopg.errors.QueryCanceled) as caught:
            store.send("s-1", "OPEN", request_id=request)
        assert outcome_of(caught.value) is Outcome.UNKNOWN
    assert not store.send("s-1", "OPEN", request_id=request).result.replayed
