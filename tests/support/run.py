"""The one server of a test run. xdist's controller starts it; the workers find it through the environment."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from fsmstore.devdb import Server

# Set by the process that starts the server, read by every worker.
_URL, _LOG, _PSQL, _RUN = "FSMSTORE_PG_URL", "FSMSTORE_TEST_LOG", "FSMSTORE_TEST_PSQL", "FSMSTORE_TEST_RUN"


class Run:
    """The server, while it is this process that started it."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._server = Server(settings=settings).start()
        if not self._server.foreign:
            os.environ[_URL] = self._server.dsn()
            os.environ[_LOG] = str(self._server.log_path)
            os.environ[_PSQL] = str(self._server.bin / "psql")

    def end(self) -> None:
        """Stop the server."""
        if not self._server.foreign:
            for name in (_URL, _LOG, _PSQL):
                os.environ.pop(name, None)
            self._server.stop()


def run_id() -> str:
    """Return what tells this run's databases from another run's on the same server: the same in every worker."""
    return os.environ.setdefault(_RUN, str(os.getpid()))


def server_url() -> str:
    """Return the URL of the run's server, with a superuser."""
    return os.environ[_URL]


def log_path() -> Path | None:
    """Return the server's log, or None where the server is not ours."""
    place = os.environ.get(_LOG)
    return Path(place) if place else None


def psql_program() -> str | None:
    """Return the psql that came with the server, else the machine's own, else None."""
    beside = os.environ.get(_PSQL)
    return beside if beside and os.access(beside, os.X_OK) else shutil.which("psql")


def clean_environment() -> dict[str, str]:
    """Return the environment without the run's server: for programs that are to start their own, from the same bin."""
    return {key: value for key, value in os.environ.items() if key != _URL and not key.startswith("PG")}
