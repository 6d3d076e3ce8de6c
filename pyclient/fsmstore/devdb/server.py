"""One PostgreSQL server as a child of this process: private, and gone when its owner is gone."""

from __future__ import annotations

import atexit
import ctypes
import errno
import fcntl
import hashlib
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from .account import private_dir, reachable, reachable_programs, roots_place, server_account
from .binaries import NoPostgres, find_bin, major_version

_EVERY_SERVER = {
    "timezone": "UTC",
    "jit": "off",
    "log_line_prefix": "%m [%p] %q%u@%d ",  # with the database: many tests share one log
}
# Fast because nothing is kept: a crash of the machine may destroy this data.
_THROW_AWAY = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "checkpoint_timeout": "1h",
    "max_wal_size": "512MB",
    "log_checkpoints": "off",
}
# Fast shutdown, immediate shutdown, kill; and how many seconds each may take.
_WAYS_TO_STOP = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
_START_SECONDS = 60.0
_PREDECESSOR_SECONDS = 30.0
_BURIAL_SECONDS = 1.0  # init does it at once, where there is one
_PREFIX = "fsmstore-pg-"
_ENOUGH_MEMORY = 2 << 30  # a container's /dev/shm often holds 64 MB, too little for a test run
_SOCKET_PATH_LIMIT = 85  # the kernel takes about 104 bytes, of which the socket's own name needs 17


class Server:
    """A PostgreSQL of our own: on a private Unix socket, superuser ``postgres`` without a password.

    Without ``base`` the data is thrown away at the end, and the settings are fast instead of safe. With ``base`` the
    data is kept there (as root, where the server's account cannot reach ``base``, under /var/lib/fsmstore-dev: see
    ``.base``) and survives crashes; a server that already runs on it is shared, and lives as long as the process that
    started it.

    ``tcp=True`` listens on 127.0.0.1 too, with a random password for ``postgres``, and ``dsn()`` is then the TCP one.
    Where FSMSTORE_PG_URL is set nothing is started, and ``dsn()`` leads to that server.

    The server dies with this process, also by kill -9 (on Linux, where it is the thread that counts: start it from one
    that lives as long as the server should).
    """

    def __init__(
        self, base: str | os.PathLike[str] | None = None, settings: Mapping[str, str] | None = None, tcp: bool = False
    ) -> None:
        self.kept = base is not None
        self.tcp = tcp
        self.log_path: Path | None = None
        self.base: Path | None = None
        self._given = conninfo_to_dict(os.environ.get("FSMSTORE_PG_URL") or "")
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()
        self._password: str | None = None
        if self._given:
            return
        self._account = server_account()
        self._uid: int | None = self._account.pw_uid if self._account else None
        self._gid: int | None = self._account.pw_gid if self._account else None
        self._groups: list[int] | None = [] if self._account else None
        self.bin = reachable_programs(find_bin(), self._account)
        self._major = major_version(self.bin)
        self.base = self._kept_base(Path(base)) if base is not None else self._new_base()
        self.log_path = self.base / "log"
        self._data = self.base / f"data-{self._major}"
        self._settings = {**_EVERY_SERVER, **({} if self.kept else _THROW_AWAY), **(settings or {})}

    # -- life -------------------------------------------------------------------------------------------------------

    def start(self) -> Server:
        """Start the server (creating its data first if there is none) and wait until it takes connections."""
        if self._given:
            return self
        assert self.base is not None
        self._socket_dir = self._private_socket_dir()
        with _locked(self.base / "lock"):
            running = self._running_port()
            if running is not None:
                if self.tcp:
                    raise NoPostgres(f"a server without TCP runs on {self.base} already: stop it first")
                self.port = running
                return self
            if not self._data.exists():
                self._create_data()
            self.port = _free_port() if self.tcp else 5432
            self._launch()
        if self.tcp:
            self._password = secrets.token_urlsafe(24)
            with psycopg.connect(self._socket_dsn("postgres", "postgres"), autocommit=True) as conn:
                conn.execute(sql.SQL("alter role postgres password {}").format(self._password))
        return self

    def stop(self) -> None:
        """Stop the server if this process started it, and remove throw-away data. Harmless when repeated."""
        if self._given or os.getpid() != self._owner:  # a forked child inherits the exit handler, not the server
            return
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            for how, seconds in _WAYS_TO_STOP:
                process.send_signal(how)
                try:
                    process.wait(seconds)
                    break
                except subprocess.TimeoutExpired:
                    continue
        atexit.unregister(self.stop)
        if not self.kept and self.base is not None:
            shutil.rmtree(self.base, ignore_errors=True)

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # -- connecting -------------------------------------------------------------------------------------------------

    @property
    def foreign(self) -> bool:
        """True for a server given by FSMSTORE_PG_URL: not ours to stop, and its log cannot be read."""
        return bool(self._given)

    def dsn(self, dbname: str = "postgres", user: str = "postgres", password: str | None = None) -> str:
        """Return a connection URL. With FSMSTORE_PG_URL, user ``postgres`` stands for the one named there."""
        if self._given:
            given = {key: str(value) for key, value in self._given.items() if value is not None}
            own_user, own_password = given.pop("user", "postgres"), given.pop("password", None)
            given.pop("dbname", None)
            if user == "postgres":
                return _url(dbname, own_user, password or own_password, given)
            return _url(dbname, user, password, given)
        if self.tcp:
            own_password = self._password if user == "postgres" else None
            where = {"host": "127.0.0.1", "port": str(self.port)}
            return _url(dbname, user, password or own_password, where)
        return self._socket_dsn(dbname, user)

    def _socket_dsn(self, dbname: str, user: str) -> str:
        return _url(dbname, user, None, {"host": str(self._socket_dir), "port": str(self.port)})

    # -- places -----------------------------------------------------------------------------------------------------

    def _kept_base(self, base: Path) -> Path:
        base = base.absolute()
        if self._account is not None:
            nearest = next(part for part in [base, *base.parents] if part.exists())
            if not reachable(nearest, self._account):
                base = roots_place("data", base)
            return private_dir(base, None, 0o755)
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        return base

    def _new_base(self) -> Path:
        _sweep()
        base = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_throw_away_place()))
        (base / "owner").write_text(str(os.getpid()))
        if self._account is not None:
            base.chmod(0o711)
            if not reachable(base, self._account):
                raise NoPostgres(
                    f"{self._account.pw_name}, whom the server runs as, cannot reach {base}: "
                    "set FSMSTORE_PG_TMP to a directory that every account may enter"
                )
        return base

    def _private_socket_dir(self) -> Path:
        assert self.base is not None
        place = self.base / "run"
        if len(os.fsencode(place)) > _SOCKET_PATH_LIMIT:
            short = hashlib.sha256(os.fsencode(place)).hexdigest()[:12]
            place = Path("/tmp") / f"{_PREFIX}{os.geteuid()}-{short}"
        return private_dir(place, self._account)  # only its owner and root may connect: that is why trust is safe

    # -- the process ------------------------------------------------------------------------------------------------

    def _create_data(self) -> None:
        """Run initdb beside the final place, so that an interrupted one is never taken for a whole one."""
        unfinished = self._data.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        private_dir(unfinished, self._account)
        command = [str(self.bin / "initdb"), "-D", str(unfinished), "-U", "postgres", "-E", "UTF8", "--no-locale"]
        command += ["--auth-local=trust", "--auth-host=scram-sha-256", "--no-instructions"]
        if not self.kept:
            command += ["--no-sync", *(["--no-data-checksums"] if self._major >= 18 else [])]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            cwd="/", env=_clean_environment(), check=False,
            user=self._uid, group=self._gid, extra_groups=self._groups,
        )  # fmt: skip
        if done.returncode:
            raise NoPostgres(f"initdb failed:\n{done.stdout}")
        unfinished.rename(self._data)

    def _launch(self) -> None:
        assert self.log_path is not None
        command = [str(self.bin / "postgres"), "-D", str(self._data), "-p", str(self.port)]
        where = {"listen_addresses": "127.0.0.1" if self.tcp else "", "unix_socket_directories": str(self._socket_dir)}
        for name, value in {**self._settings, **where}.items():
            command += ["-c", f"{name}={value}"]
        log = os.open(self.log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=_clean_environment(),
                start_new_session=True, preexec_fn=_dies_with_parent(),
                user=self._uid, group=self._gid, extra_groups=self._groups,
            )  # fmt: skip
        finally:
            os.close(log)
        atexit.register(self.stop)
        end = time.monotonic() + _START_SECONDS
        while self._pid_file()[::2] != (self._process.pid, "ready"):
            try:
                self._process.wait(0.01)
            except subprocess.TimeoutExpired:
                if time.monotonic() < end:
                    continue
                self.stop()
                raise NoPostgres(f"postgres was not ready after {_START_SECONDS:g} s") from None
            raise NoPostgres(f"postgres did not start:\n{self.log_path.read_text(errors='replace')[-3000:]}")

    def _pid_file(self) -> tuple[int, int, str]:
        """Return pid, port and status that a server wrote into its data directory; zeros when there is none."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
            return int(lines[0]), int(lines[3]), lines[7].strip()
        except (OSError, ValueError, IndexError):
            return 0, 0, ""

    def _running_port(self) -> int | None:
        """Return the port of a live server on this data. One that is stopping or starting is waited for."""
        end = time.monotonic() + _PREDECESSOR_SECONDS
        unburied = time.monotonic() + _BURIAL_SECONDS
        while True:
            pid, port, status = self._pid_file()
            if not pid or not _is_postgres(pid):
                return None
            if time.monotonic() > unburied and _is_unburied(pid) and not _at_work_in(self._data):
                # The next server would take it for alive.
                for left in (self._data / "postmaster.pid", self._socket_dir / f".s.PGSQL.{port}.lock"):
                    left.unlink(missing_ok=True)
                return None
            if status == "ready" and self._answers(port):
                return port
            if time.monotonic() > end:
                what = status or "starting"
                raise NoPostgres(f"the server with pid {pid} on {self._data} is {what} and does not end")
            select.select([], [], [], 0.02)

    def _answers(self, port: int) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self._socket_dir / f".s.PGSQL.{port}"))
            except OSError:
                return False
        return True


def _dies_with_parent() -> Callable[[], None] | None:
    """Make the function that ties a child to us, to be run in the child after its change of user."""
    if sys.platform != "linux":
        return None
    # All looked up before the fork: the child's account may not reach a Python that lies in /root, and looking a symbol
    # up takes a lock of the loader, which another thread may have held at the moment of the fork: for ever, then.
    prctl, parent, parent_now, end, fast_shutdown = ctypes.CDLL(None).prctl, os.getpid(), os.getppid, os._exit, 2

    def tie() -> None:
        prctl(1, fast_shutdown, 0, 0, 0)  # PR_SET_PDEATHSIG; SIGINT is PostgreSQL's fast shutdown
        if parent_now() != parent:
            end(1)

    return tie


def _clean_environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_"))}
    return {**kept, "LANG": "C", "LC_ALL": "C"}


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a file lock, so that two processes do not start a server on the same data at once."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _throw_away_place() -> str:
    wanted = os.environ.get("FSMSTORE_PG_TMP")
    if wanted:
        return wanted
    if os.access("/dev/shm", os.W_OK):
        room = os.statvfs("/dev/shm")
        if room.f_bavail * room.f_frsize > _ENOUGH_MEMORY:
            return "/dev/shm"
    return "/tmp"


def _sweep() -> None:
    """Remove what killed runs left behind; their servers died with them."""
    for base in Path(_throw_away_place()).glob(f"{_PREFIX}*"):
        try:
            mine = (base / "owner").stat().st_uid == os.geteuid()
            owner = int((base / "owner").read_text())
        except (OSError, ValueError):
            continue
        if mine and not _alive(owner):
            shutil.rmtree(base, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:
        return error.errno == errno.EPERM  # somebody else's
    return True


def _is_postgres(pid: int) -> bool:
    """Tell whether pid is a live PostgreSQL: after a crash of the machine the number may be somebody else's."""
    if sys.platform != "linux":
        return _alive(pid)
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() in ("postgres", "postmaster")
    except OSError:
        return False


def _is_unburied(pid: int) -> bool:
    """Tell whether pid has ended and is only still listed: in a container there may be nobody to bury it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def _at_work_in(directory: Path) -> bool:
    """Tell whether a process works in this directory, as each of a server's does in its data directory."""
    for cwd in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if cwd.readlink() == directory:
                return True
        except OSError:  # it has just ended, or is somebody else's
            continue
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _url(dbname: str, user: str, password: str | None, parameters: Mapping[str, str]) -> str:
    who = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    return f"postgresql://{who}@/{quote(dbname, safe='')}?{urlencode(parameters, quote_via=quote)}"
