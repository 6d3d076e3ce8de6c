"""Worker processes as their parent sees them: started, listened to, answered, killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import Any

Report = dict[str, Any]
_END_SECONDS = 20.0


def alive(pid: int) -> bool:
    """Tell whether there is a process with this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Worker:
    """A process that serves one session. It is gone at the end of a ``with`` block, whatever happened.

    Args:
        dsn: the database, as the application's login. Handed over in the environment: everybody can read arguments.
        session_id: which session.
    """

    def __init__(self, dsn: str, session_id: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fsmstore.demo.worker", session_id],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**os.environ, "FSMSTORE_DSN": dsn, "PYTHONUTF8": "1"},
        )
        self.reports = self._reports()
        """What the process reports, until it ends."""

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def _reports(self) -> Iterator[Report]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            yield json.loads(line)

    def answer(self, text: str = "") -> None:
        """Let the process go on, with the user's answer if it asked."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{text}\n")
        self._process.stdin.flush()

    def kill(self) -> int:
        """Kill the process as ``kill -9`` does, and return its exit status once it is dead."""
        self._process.send_signal(signal.SIGKILL)
        return self._process.wait(_END_SECONDS)

    def wait(self) -> int:
        """Wait for the end of the process and return its exit status."""
        return self._process.wait(_END_SECONDS)

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
