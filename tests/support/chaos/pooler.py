"""PgBouncer in transaction mode, run as a user of its own on a private socket."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from pathlib import Path

from fsmstore.devdb.account import private_dir, server_account
from fsmstore.devdb.server import _dies_with_parent

_CONFIG = """
[databases]
* = host={target} port=5432
[pgbouncer]
listen_addr =
listen_port = 5432
unix_socket_dir = {run}
unix_socket_mode = 0777
auth_type = trust
auth_file = {users}
pool_mode = transaction
max_client_conn = 500
default_pool_size = {size}
server_login_retry = 1
server_connect_timeout = 3
query_wait_timeout = 20
ignore_startup_parameters = extra_float_digits, options
log_connections = 0
log_disconnections = 0
log_pooler_errors = 0
logfile = {log}
"""


def program() -> str | None:
    """Return PgBouncer, or None if it is not installed."""
    return shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin:/usr/local/sbin")


class Pooler:
    """PgBouncer in ``place``, before the server whose socket is in the directory ``target``."""

    def __init__(self, place: Path, target: Path, users: list[str], size: int = 4) -> None:
        found = program()
        if found is None:
            raise RuntimeError("PgBouncer is not installed")
        account = server_account()
        self.sockets = private_dir(place, account)
        place.chmod(0o755)
        (place / "users.txt").write_text("".join(f'"{user}" ""\n' for user in users))
        (place / "users.txt").chmod(0o644)
        config = place / "pgbouncer.ini"
        config.write_text(
            _CONFIG.format(target=target, run=place, users=place / "users.txt", log=place / "log", size=size)
        )
        config.chmod(0o644)
        who = {} if account is None else {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        self._process = subprocess.Popen(
            [found, "-q", str(config)], stdin=subprocess.DEVNULL, cwd="/", start_new_session=True,
            preexec_fn=_dies_with_parent(), **who,
        )  # type: ignore[call-overload]  # fmt: skip
        end = time.monotonic() + 20
        while not (place / ".s.PGSQL.5432").exists():
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"PgBouncer did not start: {(place / 'log').read_text()[-1000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop it at once."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(5)
