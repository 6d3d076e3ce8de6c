"""Waiting for processes of a test, never for ever."""

from __future__ import annotations

import os
import signal
import subprocess
import threading

from support.waiting import wait_until


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line of its output; an empty one when it says nothing for a minute, and is killed for it."""
    assert process.stdout is not None
    watch = threading.Timer(60, process.kill)
    watch.start()
    try:
        return process.stdout.readline()
    finally:
        watch.cancel()


def status_of(child: int) -> int:
    """The exit status of a forked child; it is killed when it does not come in time."""
    status: list[int] = []

    def ended() -> bool:
        pid, how = os.waitpid(child, os.WNOHANG)
        if pid:
            status.append(os.waitstatus_to_exitcode(how))
        return bool(pid)

    try:
        wait_until(ended, f"the forked child {child} ends", timeout=60)
    except BaseException:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    return status[0]
