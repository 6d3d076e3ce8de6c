"""Meetings that chance brings about too seldom, arranged on sessions of their own while the load runs."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any
from uuid import uuid4

import psycopg

from support.api import Api
from support.together import Running
from support.waiting import wait_until, wait_until_blocked

from . import machine
from .faults import DBNAME, Servers
from .records import DONE, REFUSED, UNKNOWN, Answer, Call, Log, Write

Connection = psycopg.Connection[Any]
_BROKEN = ("57P01", "57014")


class SceneFailed(AssertionError):
    """Something that must never be was seen in a scene."""


def expect(holds: bool, what: str) -> None:
    """Fail the scene, and with it the run, unless this holds."""
    if not holds:
        raise SceneFailed(what)


class Stage:
    """The connections of one scene, past the gate; its writes are written down like everybody's."""

    def __init__(self, servers: Servers, log: Log, prefix: str, number: int) -> None:
        self._servers = servers
        self._log = log
        self._numbers = itertools.count(1)
        self._name = f"{prefix}scene{number}"
        self._opened = ExitStack()
        self.watcher = self.connect("postgres")

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def connect(self, user: str = "soak_app", **options: Any) -> Connection:
        """Return a connection that is closed after the scene."""
        connection = psycopg.connect(self._servers.primary.dsn(DBNAME, user), autocommit=True, **options)
        self._opened.callback(connection.close)
        return connection

    def session(self, **context: Any) -> str:
        """Make a session, and return its name."""
        name = f"{self._name}-{next(self._numbers)}"
        self.write(Api(self.connect()), Write(name, "", "create", context={"n": 1, **context}))
        return name

    def write(self, api: Api, write: Write, outcome: str | None = None) -> Any:
        """Do one write and write it down; returns the row.

        outcome: what becomes of a call that is done when its transaction is, which will be rolled back.
        """
        number = next(self._numbers)
        write.actor = write.actor or f"{self._name}:{number}"
        for values in (write.context, write.patch):
            if values is not None:
                values["m"] = write.actor
        call = Call(f"{self._name}:{number}", self._name, f"scene {write.how}", time.monotonic(), [write])
        self._log.began(call)
        try:
            row = _sent(api, write)
        except psycopg.Error as error:
            call.sqlstate = error.sqlstate
            call.outcome = UNKNOWN if error.sqlstate is None or error.sqlstate in _BROKEN else REFUSED
            raise
        else:
            call.outcome = outcome or DONE
            if call.outcome == DONE:
                call.answers = [Answer(write.session, row.version, "wrote", row.state, None, write.actor, row.replayed)]
            return row
        finally:
            call.ended = time.monotonic()
            self._log.ended(call)

    def update(self, api: Api, session: str, outcome: str | None = None, **more: Any) -> Any:
        """Change the context of a session."""
        return self.write(api, Write(session, "", "update", patch={"n": 2}, **more), outcome)

    @contextmanager
    def holding(self, session: str) -> Iterator[Connection]:
        """Hold the session's lock by a write that is rolled back."""
        holder = self.connect()
        holder.execute("begin")
        self.update(Api(holder), session, outcome=REFUSED)
        try:
            yield holder
        finally:
            with suppress(psycopg.Error):
                holder.execute("rollback")

    def version(self, session: str) -> int:
        """Return the session's version."""
        return int(Api(self.watcher).load(session).version)

    def blocked(self, connection: Connection) -> None:
        """Wait until the connection's backend waits for a lock."""
        try:
            wait_until_blocked(self.watcher, connection.info.backend_pid, 5)
        except AssertionError as error:
            raise psycopg.OperationalError(str(error)) from error  # the server went away, or we are slow

    def gone(self, pid: int) -> None:
        """Wait until a backend is gone."""
        query = "select not exists (select from pg_stat_activity where pid = %s)"
        try:
            wait_until(lambda: self.watcher.execute(query, (pid,)).fetchone() == (True,), "the backend is gone", 8)
        except AssertionError as error:
            raise SceneFailed(f"the backend of a client that is gone was still there after 8 s: {error}") from error


def _sent(api: Api, write: Write) -> Any:
    said = {"actor": write.actor, "request_id": write.request}
    if write.how == "create":
        return api.create(write.session, machine.STAGED, context=write.context, **said)
    if write.how == "update":
        return api.update(write.session, patch=write.patch, expected_version=write.expected, **said)
    raise ValueError(write.how)


# -- the scenes -------------------------------------------------------------------------------------------------


def client_gone_while_the_server_waited(stage: Stage) -> None:
    """A client closes its connection while its write waits; the write must not be done later."""
    session = stage.session()
    client = stage.connect()
    pid = client.info.backend_pid
    with stage.holding(session):
        waiting = Running(lambda: stage.update(Api(client), session))
        stage.blocked(client)
        _hang_up(client)
        stage.gone(pid)
    with suppress(psycopg.Error):
        waiting.result()
    expect(stage.version(session) == 1, "a write was done after its client was gone")


def _hang_up(client: Connection) -> None:
    """End the connection as a process that dies does, without a word."""
    import socket

    with socket.socket(fileno=client.fileno()) as copy:
        copy.shutdown(socket.SHUT_RDWR)
        copy.detach()


def backend_killed_between_update_and_commit(stage: Stage) -> None:
    """A backend that wrote, but has not committed, is terminated: nothing is left of it."""
    session = stage.session()
    dying = stage.connect()
    dying.execute("begin")
    stage.update(Api(dying), session, outcome=REFUSED)
    pid = dying.info.backend_pid
    stage.watcher.execute("select pg_terminate_backend(%s)", (pid,))
    stage.gone(pid)
    expect(stage.version(session) == 1, "a write without its commit was seen")
    expect(stage.update(Api(stage.connect()), session).version == 2, "the next write is not version 2")


def waiter_granted_after_the_holders_rollback(stage: Stage) -> None:
    """Who waited for a write that was rolled back goes on from what was before it."""
    session = stage.session()
    waiter = stage.connect()
    with stage.holding(session):
        waiting = Running(lambda: stage.update(Api(waiter), session, expected=1))
        stage.blocked(waiter)
    expect(waiting.result().version == 2, "the waiter's write is not version 2")


def batch_blocked_half_way(stage: Stage) -> None:
    """A batch that waits in its middle and is cancelled leaves nothing; again, it is done whole."""
    sessions = [stage.session() for _ in range(3)]
    batcher = stage.connect()
    items = [{"session_id": name, "state": "idle", "context": {"n": 3}} for name in sessions]
    # Locks are taken in the order of their keys, so the second in that order is held.
    keys = "select s from unnest(%s::text[]) s order by hashtextextended('fsm:session:' || s, 0) offset 1 limit 1"
    row = stage.watcher.execute(keys, (sessions,)).fetchone()
    assert row is not None
    with stage.holding(row[0]):
        waiting = Running(lambda: Api(batcher).batch(items, atomic=True))
        stage.blocked(batcher)
        stage.watcher.execute("select pg_cancel_backend(%s)", (batcher.info.backend_pid,))
        try:
            waiting.result()
        except psycopg.errors.QueryCanceled:
            pass
        else:
            raise SceneFailed("a batch that was cancelled while it waited was done")
    expect([stage.version(name) for name in sessions] == [1, 1, 1], "a batch that was cancelled left something")


def lock_timeout(stage: Stage) -> None:
    """Who waits too long is refused, and has not written."""
    session = stage.session()
    impatient = stage.connect(options="-c lock_timeout=50ms")
    with stage.holding(session):
        try:
            stage.update(Api(impatient), session)
        except psycopg.errors.LockNotAvailable:
            pass
        else:
            raise SceneFailed("a write went past a lock")
    expect(stage.version(session) == 1, "a write that was refused for its lock was done")


def turn_expired_during_its_save(stage: Stage) -> None:
    """A turn that expires while its write waits for the lock is too late."""
    session = stage.session()
    writer = Api(stage.connect())
    turn = writer.begin(session, "writer", ttl="400 milliseconds").turn
    holder = stage.connect()
    holder.execute("begin")
    holder.execute("select pg_advisory_xact_lock(hashtextextended('fsm:session:' || %s, 0))", (session,))
    waiting = Running(lambda: writer.update(session, patch={"n": 5}, turn=turn))
    stage.blocked(writer.conn)
    held = "select exists (select from fsm.active_turns where session_id = %s and expires_at > clock_timestamp())"
    wait_until(lambda: stage.watcher.execute(held, (session,)).fetchone() == (False,), "the turn expires", 30)
    holder.execute("rollback")
    try:
        waiting.result()
    except psycopg.Error as error:
        if error.sqlstate != "SM051":
            raise
    else:
        raise SceneFailed("a write was taken under a turn that had expired")
    expect(stage.version(session) == 1, "a write that was refused for its turn was done")


def import_resumed(stage: Stage) -> None:
    """An import that broke off after a part is sent again whole: the part is not imported twice; then it is undone."""
    from support.originals import contract, message, table_row

    admin = Api(stage.connect("soak_admin"))
    batch = str(uuid4())
    names = [f"{stage._name}-import{number}" for number in range(6)]
    items = [table_row(name, contract(name), chat=[message("one")]) for name in names]
    admin.rows("import_sessions", items=items[:3], batch=batch, dry_run=False)
    dying = stage.connect("soak_admin")
    dying.execute("begin")
    Api(dying).rows("import_sessions", items=items[3:5], batch=batch, dry_run=False)
    stage.watcher.execute("select pg_terminate_backend(%s)", (dying.info.backend_pid,))
    rows = admin.rows("import_sessions", items=items, batch=batch, dry_run=False)
    outcomes = Counter(row.outcome for row in rows)
    expect(outcomes == {"skipped": 3, "imported": 3}, f"an import that was resumed: {dict(outcomes)}")
    stage.update(Api(stage.connect()), names[0])
    undone = admin.one("undo_import", batch=batch)
    expect((undone.removed, undone.kept) == (5, 1), f"an import that was undone: {undone}")
    expect(stage.version(names[0]) == 2, "a session that was written after its import is gone")
    admin.one("purge_import", batch=batch)


SCENES: dict[str, Callable[[Stage], None]] = {
    "client gone while the server waited": client_gone_while_the_server_waited,
    "backend killed between update and commit": backend_killed_between_update_and_commit,
    "waiter granted after the holder's rollback": waiter_granted_after_the_holders_rollback,
    "batch blocked half-way": batch_blocked_half_way,
    "lock_timeout": lock_timeout,
    "turn expired during its save": turn_expired_during_its_save,
    "import resumed": import_resumed,
}


def play(servers: Servers, log: Log, prefix: str, number: int, name: str) -> bool:
    """Play one scene; False: the server went away in the middle of it.

    Raises:
        SceneFailed: something that must never be was seen.
    """
    try:
        with Stage(servers, log, prefix, number) as stage:
            SCENES[name](stage)
    except psycopg.Error as error:
        if error.sqlstate is not None and error.sqlstate[:2] not in ("57", "08", "55", "53", "25"):
            raise SceneFailed(f"{name}: {error.sqlstate} {error}") from error
        return False
    return True
