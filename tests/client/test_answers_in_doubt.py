"""After a lost answer only what has looked for the request id can say that a write was not done."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from fsmstore import Outcome, outcome_of
from support.chaos import machine
from support.chaos.cluster import Cluster
from support.chaos.gate import ERROR_AT_LAST, ERROR_WITHIN, Gate
from support.chaos.install import install
from support.clients import Flavour
from support.proxy import Proxy
from support.together import holding, running
from support.waiting import wait_until

Connection = psycopg.Connection[Any]


def test_a_lock_that_times_out_does_not_settle_a_lost_answer(
    flavour: Flavour, proxy: Proxy, db: Connection, connect_as: Any
) -> None:
    store = flavour.store(make_conninfo(proxy.dsn, options="-c lock_timeout=50ms"))
    store.create("s-1", "door")
    with ExitStack() as stack:
        proxy.on_cut = lambda: stack.enter_context(holding(connect_as(None), "s-1"))
        proxy.cut("fsm.update_context", "after")
        with pytest.raises(psycopg.errors.LockNotAvailable) as caught:
            store.update("s-1", {"n": 1})
    assert outcome_of(caught.value) is Outcome.UNKNOWN
    assert store.load("s-1").version == 2


@pytest.mark.parametrize("function", ["create", "update"])
def test_a_lock_that_times_out_at_once_is_not_done(
    flavour: Flavour, app_dsn: str, connect_as: Any, function: str
) -> None:
    store = flavour.store(make_conninfo(app_dsn, options="-c lock_timeout=50ms"))
    store.create("s-1", "door")
    calls = {"create": lambda: store.create("s-1", "door"), "update": lambda: store.update("s-1", {"n": 1})}
    with holding(connect_as(None), "s-1"), pytest.raises(psycopg.errors.LockNotAvailable) as caught:
        calls[function]()
    assert outcome_of(caught.value) is Outcome.NOT_DONE


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A server of its own, whose commits can be made to wait for a standby that there is not."""
    with tempfile.TemporaryDirectory(prefix="fsm") as directory:  # a socket's path must be short
        Path(directory).chmod(0o711)
        cluster = Cluster(Path(directory) / "server")
        cluster.create()
        cluster.start()
        try:
            install(cluster, "alone")
            yield cluster
        finally:
            cluster.stop(signal.SIGQUIT)


@pytest.fixture
def waits(alone: Cluster) -> Iterator[tuple[Connection, Callable[[str], None]]]:
    """A superuser's connection, and ``waits("nobody")``, after which commits wait; ``waits("")`` lets them go."""
    with alone.connect("alone") as admin:

        def wait_for(standby: str) -> None:
            admin.execute(sql.SQL("alter system set synchronous_standby_names = {}").format(standby))
            admin.execute("select pg_reload_conf()")
            shown = "select current_setting('synchronous_standby_names') = %s"
            wait_until(lambda: admin.execute(shown, (standby,)).fetchone() == (True,), "the setting is read")

        yield admin, wait_for
        wait_for("")


def test_a_commit_that_may_not_be_on_the_standby_is_asked_for_again(
    flavour: Flavour, alone: Cluster, waits: tuple[Connection, Callable[[str], None]]
) -> None:
    admin, wait_for = waits
    store = flavour.store(alone.dsn("alone", "soak_app"))
    session = flavour.name
    store.create(session, machine.STAGED)
    wait_for("nobody")
    with running(lambda: store.update(session, {"n": 1})) as run:
        first = _waiting_for_a_standby(admin, 0)
        admin.execute("select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'")
        # It is seen now, and would be lost with this server: so it is not answered yet.
        _waiting_for_a_standby(admin, first)
        assert admin.execute("select version from fsm.load_session(%s)", (session,)).fetchone() == (2,)
        wait_for("")
    assert (run.result().version, run.result().replayed) == (2, True)


def _waiting_for_a_standby(admin: Connection, last: int) -> int:
    """Wait until a transaction other than the last one waits for a standby; return its number."""
    found: list[int] = []

    def waiting() -> bool:
        query = "select backend_xid::text::bigint, query_start from pg_stat_activity where wait_event = 'SyncRep'"
        found[:] = [number or 1 for number, _ in admin.execute(query) if number != last]
        return bool(found)

    wait_until(waiting, "a commit waits for a standby")
    return found[0]


@pytest.fixture
def gate(app_dsn: str) -> Iterator[Gate]:
    """A gate before the database, which can add an error to an answer."""
    server = conninfo_to_dict(app_dsn)
    host = str(server.get("host") or "")
    if not host.startswith("/"):
        pytest.skip("the server does not listen on a Unix socket")
    with tempfile.TemporaryDirectory(prefix="fsm") as directory:  # a socket's path must be short
        gate = Gate(Path(directory), Path(host) / f".s.PGSQL.{server.get('port') or 5432}")
        yield gate
        gate.close()


@pytest.mark.parametrize("words", [b"fsm.save_sessions", b"COMMIT"])
def test_an_error_behind_the_answer_is_a_lost_answer(flavour: Flavour, gate: Gate, app_dsn: str, words: bytes) -> None:
    """As of a pooler whose server went away when all was done but for the last word."""
    store = flavour.store(make_conninfo(app_dsn, host=str(gate.directory), port=5432, sslmode="disable"))
    store.create("s-1", "door")
    gate.cut(ERROR_AT_LAST, words)
    [outcome] = store.save_many([{"session_id": "s-1", "state": "open", "context": {"n": 1}}])
    assert gate.cuts[ERROR_AT_LAST] == 1
    assert (outcome.ok, outcome.version) == (True, 2)
    assert store.load("s-1").context == {"n": 1}
    assert len(store.history("s-1")) == 2


@pytest.mark.parametrize("when", [ERROR_AT_LAST, ERROR_WITHIN])
@pytest.mark.parametrize("function", ["update", "save", "send", "batch"])
def test_an_error_within_or_behind_the_answer_of_a_single_write(
    flavour: Flavour, gate: Gate, app_dsn: str, function: str, when: str
) -> None:
    store = flavour.store(make_conninfo(app_dsn, host=str(gate.directory), port=5432, sslmode="disable"))
    session = store.create("s-1", "door")
    gate.cut(when)
    calls = {
        "update": lambda: store.update("s-1", {"n": 1}),
        "save": lambda: store.save(session.evolve(context={"n": 1})).result,
        "send": lambda: store.send("s-1", "KNOCK", {"n": 1}).result,
        "batch": lambda: store.save_many([session.evolve(context={"n": 1})], atomic=False)[0],
    }
    assert calls[function]().version == 2
    assert gate.cuts[when] == 1
    assert [one.version for one in store.history("s-1")] == [2, 1]
    assert store.load("s-1").context == {"n": 1}
