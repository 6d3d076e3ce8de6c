"""The processes of the load, seen from the one that conducts it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from psycopg.conninfo import make_conninfo

Store = tuple[str, str, float, int]
"""What faces.opened takes: the kind, the connection string and the patience; and how many clients share it."""


def plan(gate: Path, pooler: Path | None) -> list[list[Store]]:
    """Return the stores of each process: every kind of client, with and without the pooler."""
    app, admin = _dsn(gate, "soak_app"), _dsn(gate, "soak_admin")
    hasty = _dsn(gate, "soak_app", options="-c lock_timeout=60ms -c statement_timeout=100ms")
    behind = app if pooler is None else _dsn(pooler, "soak_app")
    return [
        [("sync", app, 20.0, 2), ("sync uncached", app, 0.3, 1), ("direct", app, 0.0, 1), ("async", app, 20.0, 2)],
        [
            ("sync", behind, 20.0, 1), ("async uncached", behind, 0.5, 1), ("direct", behind, 0.0, 2),
            ("async", behind, 20.0, 1),
        ],
        [("sync housekeeping", admin, 10.0, 1), ("direct", hasty, 0.0, 1), ("async", app, 0.3, 1)],
    ]  # fmt: skip


def _dsn(directory: Path, user: str, **more: Any) -> str:
    return make_conninfo(
        host=str(directory), port=5432, user=user, dbname="soak", sslmode="disable", gssencmode="disable",
        connect_timeout=5, **more,
    )  # fmt: skip


class Process:
    """One process with clients, in whose place another comes when it was killed."""

    def __init__(self, name: str, stores: list[Store], logs: Path, seed: str) -> None:
        self.name = name
        self._stores = stores
        self._logs = logs
        self._seed = seed
        self.killed = 0
        self.resident: list[int] = []
        self.switched = 0
        self._process = self._started()

    def _started(self) -> subprocess.Popen[str]:
        config = {
            "name": f"{self.name}k{self.killed}", "stores": self._stores, "logs": str(self._logs),
            "seed": f"{self._seed} {self.name} {self.killed}",
        }  # fmt: skip
        return subprocess.Popen(
            [sys.executable, "-m", "support.chaos.worker", json.dumps(config)], text=True, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip

    def round(self, name: str) -> None:
        """Start the clients."""
        self._tell(f"round {name}")
        self._hear(60)

    def over(self) -> None:
        """Tell the clients to end; ``finished`` waits for them."""
        self._tell("over")

    def finished(self) -> list[str]:
        """Wait for the clients, and return what failed in them."""
        told = self._hear(180)
        self.resident.append(told["resident"])
        self.switched += told["switched"] if not self.killed else max(0, told["switched"])
        return list(told["failures"])

    def kill(self, round_name: str) -> None:
        """Kill the process by signal 9, and start another in its place."""
        self._process.kill()
        self._process.wait()
        self._close()
        self.killed += 1
        self._process = self._started()
        self.round(round_name)

    def end(self) -> None:
        """End it."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
        self._close()

    def _close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _hear(self, seconds: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        end = time.monotonic() + seconds
        while not select.select([self._process.stdout], [], [], 0.5)[0]:
            if time.monotonic() > end or self._process.poll() is not None:
                raise RuntimeError(f"worker {self.name} does not answer")
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"worker {self.name} ended")
        told: dict[str, Any] = json.loads(line)
        return told
