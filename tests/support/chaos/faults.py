"""What is done to the server, the connections and the clients while the load runs."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from .cluster import PORT, Cluster
from .gate import CUTS, Gate

DBNAME = "soak"
_CLIENTS = """select pid from pg_stat_activity where usename like 'soak%' and datname = current_database()
and pid <> pg_backend_pid()"""


@dataclass(slots=True)
class Fault:
    """One fault of the server: from when to when it was away, as far as we know."""

    kind: str
    began: float
    ended: float


class Servers:
    """The primary, the place for its successor, and the gate that leads to the one of the two that serves."""

    def __init__(self, place: Path, gate_place: Path, clock: Path | None) -> None:
        self.clock = clock
        self._both = [Cluster(place / name, clock=clock) for name in ("one", "two")]
        self.primary, self._other = self._both
        self.primary.create()
        self.primary.start()
        self.gate = Gate(gate_place, self.socket)
        self.faults: list[Fault] = []
        self.clock_stepped: list[float] = []
        self.replicating = False
        """A standby confirms each commit: who is cancelled while he waits for it is told of a commit not yet safe."""

    @property
    def socket(self) -> Path:
        """Where the serving server listens."""
        return self.primary.sockets / f".s.PGSQL.{PORT}"

    def admin(self) -> psycopg.Connection[Any]:
        """Return a superuser's connection, past the gate."""
        return self.primary.connect(DBNAME)

    def _faulted(self, kind: str, began: float) -> None:
        self.faults.append(Fault(kind, began, time.monotonic()))

    # -- faults of the server ---------------------------------------------------------------------------------------

    def kill(self) -> None:
        """Kill the postmaster by signal 9, and start it again."""
        began = time.monotonic()
        self.primary.kill()
        self.primary.start()
        self._faulted("server killed", began)

    def stop_immediately(self) -> None:
        """Stop it without a checkpoint, so that it has to recover."""
        began = time.monotonic()
        self.primary.stop(signal.SIGQUIT)
        self.primary.start()
        self._faulted("immediate stop", began)

    def restart(self) -> None:
        """Stop it with a checkpoint, in the middle of everything."""
        began = time.monotonic()
        self.primary.stop()
        self.primary.start()
        self._faulted("fast restart", began)

    def kill_backend(self) -> None:
        """Kill one backend by signal 9: the postmaster ends all others and recovers."""
        with self.admin() as connection:
            pids = connection.execute(_CLIENTS).fetchall()
        began = time.monotonic()
        if pids:
            with suppress(ProcessLookupError):
                os.kill(random.choice(pids)[0], signal.SIGKILL)
            time.sleep(0.05)
            self.admin().close()
            self._faulted("backend killed", began)

    def fail_over(self) -> None:
        """Make a synchronous standby, kill the primary, and let the standby take over."""
        old, new = self.primary, self._other
        new.copy_from(old, "standby")
        new.start(wait=False)
        with old.connect(DBNAME) as admin:
            _until(
                lambda: _is(admin, "select count(*) = 1 from pg_stat_replication where state = 'streaming'"),
                "it streams",
            )
            self.replicating = True
            time.sleep(0.3)  # who was cancelled or ended before has come to his end
            admin.execute("alter system set synchronous_standby_names = '*'")
            admin.execute("select pg_reload_conf()")
            _until(
                lambda: _is(admin, "select count(*) = 1 from pg_stat_replication where sync_state = 'sync'"),
                "it is in step",
            )
            admin.execute("select txid_current()")  # and all that was committed before is there
            time.sleep(1.0)
        began = time.monotonic()
        old.kill()
        new.promote()
        self.primary, self._other = new, old
        self.gate.lead_to(self.socket)
        self.replicating = False
        shutil.rmtree(old.data, ignore_errors=True)
        self._faulted("failover", began)

    def fill_disk(self, disk: Path) -> None:
        """Take all the room that the disk has; give it back after a while, and start the server if it ended."""
        ballast = disk / "ballast"
        try:
            _fill(ballast)
            time.sleep(2.5)
        finally:
            ballast.unlink(missing_ok=True)
        began = time.monotonic()
        if not self.primary.running:
            self.primary.kill()
            self.primary.start()
        self.admin().close()
        self._faulted("disk full", began)

    def step_clock(self, seconds: float) -> bool:
        """Set the server's clock; tell whether it is behind a time that history holds, so that it went back."""
        assert self.clock is not None
        self.clock_stepped.append(time.monotonic())
        whole = self.clock.with_suffix(".new")  # a process that read half of a number would end
        whole.write_text(f"{seconds:+.1f}\n")
        whole.chmod(0o644)
        whole.replace(self.clock)
        end = time.monotonic() + 4.0  # each process keeps what it read for a while
        with self.admin() as connection:
            while time.monotonic() < end:
                if _is(connection, "select clock_timestamp() < (select max(at) from fsm_internal.history)"):
                    return True
                time.sleep(0.1)
        return False

    def close(self) -> None:
        """Stop everything."""
        self.gate.close()
        for server in self._both:
            server.stop(signal.SIGQUIT)


def _fill(ballast: Path) -> None:
    """Write until there is no room left."""
    block = b"\0" * (1 << 20)
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            with suppress(OSError):
                while file.write(block[:size]) == size:
                    pass


def _is(connection: psycopg.Connection[Any], query: str) -> bool:
    return connection.execute(query).fetchone() == (True,)


def _until(happened: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            raise RuntimeError(f"not within {seconds:g} s: {what}")
        time.sleep(0.05)


class Nuisances:
    """Small faults, each of which hits one call: there can be several of them in a second."""

    def __init__(self, servers: Servers, gates: list[Gate], chance: random.Random) -> None:
        self._servers = servers
        self._gates = gates
        self._chance = chance
        self._connection: psycopg.Connection[Any] | None = None
        self.made: Counter[str] = Counter()

    def one(self) -> None:
        """Do one of them. A server that is just away is left alone."""
        what = self._chance.choice(["cut"] * 4 + ["terminate", "cancel"])
        if what == "cut":
            gate = self._chance.choice(self._gates)
            gate.cut(self._chance.choice(CUTS))
            return
        if self._servers.replicating:
            return
        try:
            if self._connection is None or self._connection.closed:
                self._connection = psycopg.connect(self._servers.primary.dsn(DBNAME), autocommit=True)
            # Who is at work is more fun than who waits for the next call.
            done = self._connection.execute(
                f"select pg_{what}_backend(pid) from ({_CLIENTS} order by state <> 'active', random() limit 1) x"
            ).fetchall()
        except psycopg.Error:
            self.close()
            return
        self.made[f"backend {'terminated' if what == 'terminate' else 'cancelled'}"] += len(done)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None
