"""The files of migrations/: what the checksums and the chain allow, and what they find."""

import subprocess
from collections.abc import Callable

import pytest

from support.schema import Copy
from tree import ROOT, Migrations, TreeError, bundle


def test_the_repository_is_sound() -> None:
    migrations = Migrations(ROOT / "migrations")
    assert migrations.ids() != []
    assert migrations.sum_problems() + migrations.chain_problems() == []


def test_sha256sum_reads_the_checksums() -> None:
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=ROOT / "migrations", check=True)


def _append(name: str) -> Callable[[Copy], None]:
    def change(copy: Copy) -> None:
        with (copy.migrations.root / name.format(id=copy.migrations.ids()[0])).open("a") as file:
            file.write("-- \n")

    return change


def _write(name: str, text: str = "") -> Callable[[Copy], None]:
    def change(copy: Copy) -> None:
        path = copy.migrations.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    return change


def _remove(name: str) -> Callable[[Copy], None]:
    def change(copy: Copy) -> None:
        (copy.migrations.root / name.format(id=copy.migrations.ids()[0])).unlink()

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_append("{id}/up.sql"), "up.sql differs from its checksum"),
        (_append("{id}/down.sql"), "down.sql differs from its checksum"),
        (_append("{id}.py"), ".py differs from its checksum"),
        (_remove("{id}/down.sql"), "down.sql is listed in SHA256SUMS but missing"),
        (_remove("SHA256SUMS"), "up.sql is not listed in SHA256SUMS"),
        (_write("9999_stray/notes.txt"), "notes.txt is not listed in SHA256SUMS"),
        (_write("fix.sql"), "fix.sql is not listed in SHA256SUMS"),
    ],
)
def test_checksums_find(copy: Copy, change: Callable[[Copy], None], said: str) -> None:
    assert copy.migrations.sum_problems() == []
    change(copy)
    assert any(problem.endswith(said) for problem in copy.migrations.sum_problems())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_write("fix.sql"), "fix.sql lies directly in migrations/"),
        (_write("helper.py"), "helper.py lies directly in migrations/"),
        (_write("post-apply.py"), "post-apply.py lies directly in migrations/"),
        (_write("0002_lost/up.sql"), "0002_lost/ has no 0002_lost.py"),
        (_remove("{id}/down.sql"), "/down.sql is missing"),
        (_remove("{id}/up.sql"), "/up.sql is missing"),
        (_write("0003_gap.py", "__depends__ = set()"), "0003_gap is number 2 of the chain"),
        (_write("0002_Second.py", "__depends__ = set()"), "0002_Second is number 2 of the chain"),
        (_write("0002_second.py", "__depends__ = set()"), "0002_second depends on [] instead of"),
        (_write("0002_second.py", "__depends__ = {'0000_other'}"), "0002_second depends on ['0000_other'] instead of"),
        (_write("0002_second.py"), "0002_second depends on [] instead of"),
        (_write("PUBLISHED", "# a note\n0009_gone\n"), "PUBLISHED names 0009_gone"),
    ],
)
def test_the_chain_finds(copy: Copy, change: Callable[[Copy], None], said: str) -> None:
    assert copy.migrations.chain_problems() == []
    change(copy)
    assert any(said in problem for problem in copy.migrations.chain_problems())


def test_the_chain_takes_a_second_migration(copy: Copy) -> None:
    _write("0002_second.py", f"__depends__ = {{{copy.migrations.ids()[0]!r}}}")(copy)
    _write("0002_second/up.sql")(copy)
    _write("0002_second/down.sql")(copy)
    assert copy.migrations.chain_problems() == []


def test_a_script_may_use_nothing_of_psql_but_includes(copy: Copy) -> None:
    script = copy.db / "install.sql"
    script.write_text("\\set x 1\n" + script.read_text())
    with pytest.raises(TreeError, match=r"install\.sql:1: only"):
        bundle(script)


def test_a_script_may_not_include_what_is_not_there(copy: Copy) -> None:
    script = copy.db / "install.sql"
    script.write_text("-- first\n\\ir gone.sql\n")
    with pytest.raises(TreeError, match=r"install\.sql:2: there is no file"):
        bundle(script)


def test_every_file_of_db_is_included(copy: Copy) -> None:
    """A file that nobody includes is dead, and looks as if it were there."""
    scripts = ("install.sql", "uninstall.sql", "recommended_settings.sql")
    included = {part.name for script in scripts for part in bundle(copy.db / script)}
    included.add("recommended_settings.sql")  # for logins, which are not ours
    assert {path.relative_to(copy.db).as_posix() for path in copy.db.rglob("*.sql")} - included == set()
