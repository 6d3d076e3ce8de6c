"""Which session, and which version of it, an engine's object was last loaded or saved as."""

from __future__ import annotations

import threading
import weakref
from typing import Any


class Held:
    """Remembers objects by identity, for as long as they live. Threads may share it.

    An object that no weak reference can be made to is not remembered: its saves are sent without a version.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[Any], str, int]] = {}
        # A weak reference's callback may come at any moment, also while this thread is in here.
        self._lock = threading.RLock()

    def version(self, fsm: Any, session_id: str) -> int | None:
        """Return the version of the session that `fsm` was last known as; None: it is not known as this session."""
        with self._lock:
            known = self._known.get(id(fsm))
        if known is None or known[0]() is not fsm or known[1] != session_id:
            return None
        return known[2]

    def put(self, fsm: Any, session_id: str, version: int) -> None:
        """Remember what `fsm` is now."""
        key = id(fsm)

        def gone(reference: weakref.ref[Any]) -> None:
            with self._lock:  # called before another object can get that id
                self._known.pop(key, None)

        try:
            reference = weakref.ref(fsm, gone)
        except TypeError:
            return
        with self._lock:
            self._known[key] = (reference, session_id, version)

    def drop(self, fsm: Any) -> None:
        """Forget what `fsm` is."""
        with self._lock:
            self._known.pop(id(fsm), None)

    def __len__(self) -> int:
        return len(self._known)
