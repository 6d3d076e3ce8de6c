"""Whom the server runs as, and places that account can reach. PostgreSQL refuses to run as root."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from pathlib import Path

from .binaries import NoPostgres

# Root's own place for what the server's account must reach when a clone or a virtual environment lies in /root.
# Not in /tmp or /var/tmp: cleaners take files out of those while a kept server uses them.
_ROOTS_PLACE = Path("/var/lib/fsmstore-dev")


def server_account() -> pwd.struct_passwd | None:
    """Return None for an ordinary user, or as root the account that the server runs as."""
    if os.geteuid() != 0:
        return None
    asked_for = os.environ.get("FSMSTORE_PG_USER")
    for name in [asked_for] if asked_for else ["postgres", "nobody"]:
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        if account.pw_uid == 0:
            raise NoPostgres(f"FSMSTORE_PG_USER={name} is root, and PostgreSQL refuses to run as root")
        return account
    wanted = f"{asked_for!r} (FSMSTORE_PG_USER)" if asked_for else "'postgres' or 'nobody'"
    raise NoPostgres(f"running as root, and there is no account {wanted} to run the server as")


def reachable(path: Path, account: pwd.struct_passwd) -> bool:
    """Tell whether the account may enter every directory down to path, and run or enter path itself."""
    for part in [path, *path.parents]:
        status = part.stat()
        if status.st_uid == account.pw_uid:
            bit = stat.S_IXUSR
        elif status.st_gid == account.pw_gid:
            bit = stat.S_IXGRP
        else:
            bit = stat.S_IXOTH
        if not status.st_mode & bit:
            return False
    return True


def private_dir(path: Path, account: pwd.struct_passwd | None, mode: int = 0o700) -> Path:
    """Make path a directory that only we (or the server's account) own and write, or refuse.

    Refusing matters in shared places such as /tmp, where anybody may have made the directory before us.
    """
    path.mkdir(mode=mode, parents=True, exist_ok=True)
    status = path.lstat()
    allowed = {os.geteuid()} | ({account.pw_uid} if account else set())
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in allowed:
        raise NoPostgres(f"{path} belongs to somebody else or is a link: remove it, or choose another place")
    if stat.S_IMODE(status.st_mode) != mode:
        path.chmod(mode)
    if account and status.st_uid != account.pw_uid:
        os.chown(path, account.pw_uid, account.pw_gid)
    return path


def roots_place(kind: str, source: Path) -> Path:
    """Return root's directory for what stands for source, which the server's account cannot reach."""
    try:
        place = private_dir(_ROOTS_PLACE, None, 0o755)
    except OSError as error:
        raise NoPostgres(
            f"the server's account cannot reach {source}, and {_ROOTS_PLACE} cannot be made: {error}"
        ) from error
    return place / f"{kind}-{hashlib.sha256(os.fsencode(source)).hexdigest()[:12]}"


def reachable_programs(bindir: Path, account: pwd.struct_passwd | None) -> Path:
    """Return bindir, or a copy where the server's account can run it (never change the mode of /root)."""
    if account is None or reachable(bindir / "postgres", account):
        return bindir
    # A wheel is …/PACKAGE/pginstall/bin and wants its PACKAGE.libs beside it; anything else is PREFIX/bin.
    package = bindir.parents[1] if bindir.parent.name == "pginstall" else bindir.parent
    stamp = (bindir / "postgres").stat().st_mtime_ns
    copy = roots_place("bin", bindir / str(stamp))
    if not copy.exists():
        unfinished = Path(tempfile.mkdtemp(prefix="copying-", dir=copy.parent))
        try:
            for name in (package.name, f"{package.name}.libs"):
                if (package.parent / name).exists():
                    shutil.copytree(package.parent / name, unfinished / name, symlinks=True)
            _let_everybody_read(unfinished)
            unfinished.rename(copy)
        except OSError:
            shutil.rmtree(unfinished, ignore_errors=True)
            if not copy.exists():  # otherwise another process finished the same copy first
                raise
    return private_dir(copy, None, 0o755) / bindir.relative_to(package.parent)


def _let_everybody_read(top: Path) -> None:
    top.chmod(0o755)
    for path in top.rglob("*"):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if executable else 0o644)
