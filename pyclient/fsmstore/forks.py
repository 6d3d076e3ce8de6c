"""What a child process must not share with its parent: sockets, locks, what was on its way."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Forkable(Protocol):
    """Something that holds what must not be shared."""

    def after_fork_in_child(self) -> None:
        """Forget it, without touching it: the parent goes on using it."""
        ...


_living: WeakSet[Forkable] = WeakSet()


def watch(forkable: Forkable) -> None:
    """Have `forkable` told whenever it finds itself in a forked child, before anything else runs there."""
    _living.add(forkable)


def _after_fork_in_child() -> None:
    for forkable in list(_living):
        forkable.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
