"""Running psql, the way a DBA does."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from support.run import psql_program


class Psql:
    """psql on one database. Nothing of the caller's own psql set-up is read."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    def __call__(
        self, *arguments: str, dsn: str | None = None, stdin: str | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run psql with ON_ERROR_STOP and return what it said; the caller looks at the return code."""
        program = psql_program()
        if program is None:
            pytest.skip("psql is neither beside the server's programs nor on PATH")
        command = [program, "--no-psqlrc", "-v", "ON_ERROR_STOP=1", "-d", dsn or self.dsn, *arguments]
        environment = {**os.environ, "LC_ALL": "C", "PGCLIENTENCODING": "UTF8"}
        return subprocess.run(
            command,
            input=stdin or "",
            text=True,
            capture_output=True,
            cwd=cwd,
            env=environment,
            timeout=120,
            check=False,
        )
