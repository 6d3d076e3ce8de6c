"""Where a run keeps its servers: in memory, on a disk of its own that is small enough to be filled."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

from fsmstore.devdb.server import _throw_away_place

_PREFIX, _SOURCE, _SIZE = "fsmstore-soak-", "fsmstore-soak", "1500m"


class NoDisk(Exception):
    """A small disk cannot be had here; the message says why."""


def place(opened: ExitStack) -> Path:
    """Make a directory that is removed when `opened` is closed; the accounts of servers may pass through it."""
    _sweep()
    made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_throw_away_place()))
    opened.callback(shutil.rmtree, made, ignore_errors=True)
    made.chmod(0o711)
    lock = (made / "lock").open("w")
    opened.callback(lock.close)
    fcntl.flock(lock, fcntl.LOCK_EX)  # held as long as we live, seen from other containers too
    return made


def small_disk(at: Path, opened: ExitStack) -> Path:
    """Mount a small disk, until `opened` is closed.

    Raises:
        NoDisk: it cannot be had.
    """
    if os.geteuid() != 0:
        raise NoDisk("only root can mount a small disk")
    at.mkdir(mode=0o711)
    command = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE},mode=711", _SOURCE, str(at)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise NoDisk(str(error)) from error
    if done.returncode:
        raise NoDisk(done.stderr.strip())
    opened.callback(_unmount, at)
    return at


def _unmount(at: Path) -> None:
    subprocess.run(["umount", "--lazy", str(at)], capture_output=True, check=False)


def _sweep() -> None:
    """Remove what killed runs left behind; their servers died with them."""
    for left in Path(_throw_away_place()).glob(f"{_PREFIX}*"):
        try:
            with (left / "lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _unmount(left / "disk")
                shutil.rmtree(left, ignore_errors=True)
        except OSError:  # it is in use, just being made, or somebody else's
            continue
