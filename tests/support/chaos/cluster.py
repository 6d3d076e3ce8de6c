"""A PostgreSQL server that is killed, stopped, filled up, copied and promoted; and whose clock can be set."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from fsmstore.devdb import find_bin
from fsmstore.devdb.account import private_dir, reachable_programs, server_account
from fsmstore.devdb.server import _clean_environment, _dies_with_parent

Connection = psycopg.Connection[Any]

PORT = 5432
_SETTINGS = {
    "listen_addresses": "",
    "timezone": "UTC",
    "jit": "off",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    # What is acknowledged has to survive: nothing here is faster than it is safe. The disk is a memory, so it is cheap.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "150",
    "shared_buffers": "64MB",
    "max_wal_size": "128MB",
    "min_wal_size": "32MB",
    "checkpoint_timeout": "30s",
    "wal_level": "replica",
    "wal_keep_size": "64MB",
    "hot_standby": "on",
    "wal_receiver_timeout": "5s",
    "wal_retrieve_retry_interval": "200ms",
    "log_checkpoints": "off",
    "log_min_error_statement": "panic",
    "log_min_messages": "fatal",
}
_FAKETIME = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
)
_SECONDS = 60.0


class ServerFailed(RuntimeError):
    """A server did not do what it was told to; the message has the end of its log."""


def faketime_library() -> Path | None:
    """Return the library with which a server can be given another clock, or None if it is not installed."""
    return next((Path(name) for name in _FAKETIME if Path(name).exists()), None)


class Cluster:
    """One server with its data in ``place``, to be started by the thread that lives as long as it should.

    clock: a file that holds the offset of the server's clock, such as ``-3.5``, where libfaketime is installed.
    """

    def __init__(self, place: Path, settings: Mapping[str, str] | None = None, clock: Path | None = None) -> None:
        self._account = server_account()
        self.bin = reachable_programs(find_bin(), self._account)
        self.place = place
        place.mkdir(mode=0o711, parents=True, exist_ok=True)
        self.data = place / "data"
        self.log_path = place / "log"
        self.sockets = private_dir(place / "run", self._account)
        self.settings = {**_SETTINGS, **(settings or {})}
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None

    # -- connecting -------------------------------------------------------------------------------------------------

    def dsn(self, dbname: str = "postgres", user: str = "postgres") -> str:
        """Return the server's own address, past every proxy."""
        return make_conninfo(host=str(self.sockets), port=PORT, dbname=dbname, user=user, connect_timeout=5)

    def connect(self, dbname: str = "postgres", user: str = "postgres") -> Connection:
        """Return an autocommit connection, tried again for as long as the server takes to come up."""
        end = time.monotonic() + _SECONDS
        while True:
            try:
                return psycopg.connect(self.dsn(dbname, user), autocommit=True)
            except psycopg.OperationalError:
                if time.monotonic() > end or not self.running:
                    raise
                time.sleep(0.02)

    # -- life -------------------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether the postmaster lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The postmaster's."""
        assert self._process is not None
        return self._process.pid

    def create(self) -> None:
        """Run initdb."""
        private_dir(self.data, self._account)
        self._program(
            "initdb", "-D", str(self.data), "-U", "postgres", "-E", "UTF8", "--no-locale", "--no-sync",
            "--auth-local=trust", "--auth-host=reject", "--no-instructions",
        )  # fmt: skip

    def start(self, wait: bool = True) -> None:
        """Start the server on its data, after a crash as well."""
        command = [str(self.bin / "postgres"), "-D", str(self.data), "-p", str(PORT)]
        for name, value in {**self.settings, "unix_socket_directories": str(self.sockets)}.items():
            command += ["-c", f"{name}={value}"]
        log = os.open(self.log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=self._environment(),
                start_new_session=True, preexec_fn=_dies_with_parent(), **self._who(),
            )  # fmt: skip
        finally:
            os.close(log)
        if wait:
            self.connect().close()

    def kill(self) -> None:
        """Kill the postmaster as the kernel would; its backends find it gone and end."""
        self._end(signal.SIGKILL)
        self._wait_for_backends()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT is a fast shutdown, SIGQUIT an immediate one, after which it has to recover."""
        if self.running:
            self._end(how)

    def _end(self, how: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(how)
        try:
            self._process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
            raise self.failed(f"it did not end by {how.name}") from None

    def _wait_for_backends(self) -> None:
        """The next postmaster refuses to start while one of the last one's children still has its shared memory."""
        end = time.monotonic() + 20
        while time.monotonic() < end and self._at_work():
            time.sleep(0.01)
        for left in (self.data / "postmaster.pid", *self.sockets.glob(".s.PGSQL.*")):
            left.unlink(missing_ok=True)

    def _at_work(self) -> bool:
        for process in Path("/proc").glob("[0-9]*/cwd"):
            try:
                if process.readlink() == self.data:
                    return True
            except OSError:  # it has just ended
                continue
        return False

    def failed(self, what: str) -> ServerFailed:
        """Return an error with the end of the log."""
        text = self.log_path.read_text(errors="replace")[-2000:] if self.log_path.exists() else ""
        return ServerFailed(f"{self.place.name}: {what}\n{text}")

    # -- a second server ---------------------------------------------------------------------------------------------

    def copy_from(self, primary: Cluster, name: str) -> None:
        """Become a standby of a running primary, from a fresh copy of it."""
        shutil.rmtree(self.data, ignore_errors=True)
        private_dir(self.data, self._account)
        self._program(
            "pg_basebackup", "-D", str(self.data), "-d", primary.dsn(), "--no-sync", "--checkpoint=fast",
            "--wal-method=stream",
        )  # fmt: skip
        (self.data / "standby.signal").touch()
        self.settings["primary_conninfo"] = f"host={primary.sockets} port={PORT} user=postgres application_name={name}"

    def promote(self) -> None:
        """Take over."""
        with self.connect() as connection:
            connection.execute("select pg_promote(true, 30)")
        self.settings.pop("primary_conninfo", None)

    # -- how it is run ----------------------------------------------------------------------------------------------

    def _who(self) -> dict[str, Any]:
        if self._account is None:
            return {}
        return {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}

    def _environment(self) -> dict[str, str]:
        environment = _clean_environment()
        library = faketime_library()
        if self._clock is not None and library is not None:
            environment |= {
                "LD_PRELOAD": str(library),
                "FAKETIME_TIMESTAMP_FILE": str(self._clock),
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DISABLE_SHM": "1",
            }
        return environment

    def _program(self, name: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self.bin / name), *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, cwd="/", env=_clean_environment(), check=False, **self._who(),
        )  # fmt: skip
        if done.returncode:
            raise ServerFailed(f"{name} failed:\n{done.stdout[-2000:]}")
