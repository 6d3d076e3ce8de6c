"""``python -m fsmstore.devdb DIRECTORY``: run a kept server in the foreground until it is interrupted."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable

from . import NoPostgres, Server


def serve(directory: str | os.PathLike[str], announce: Callable[[Server], None]) -> None:
    """Start the server, announce it, and wait for Ctrl-C or a termination signal. Not to be interrupted otherwise."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)  # sigwait takes them; this keeps the default from ending us earlier
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    with Server(base=directory) as server:
        announce(server)
        signal.sigwait((signal.SIGINT, signal.SIGTERM))


def _announce(server: Server) -> None:
    print(f"{server.dsn()}\nIts data is in {server.base or 'the given server'}. Ctrl-C stops it.", flush=True)


def main() -> int:
    """Serve the directory that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m fsmstore.devdb", description="Run a PostgreSQL for development.")
    parser.add_argument("directory", help="where its data is kept")
    given = parser.parse_args()
    try:
        serve(given.directory, _announce)
    except NoPostgres as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
