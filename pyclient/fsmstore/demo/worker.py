"""The process that serves a conversation: ``python -m fsmstore.demo.worker SESSION``, the database in FSMSTORE_DSN.

It writes a JSON object a line to its output: ``loaded``, ``saved``, ``working``, ``asks`` and ``ended``. After
``working`` and ``asks`` it waits for a line: the word to go on, or the user's answer. Everything it knows about the
conversation it has from the database; kill it whenever you like.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from fsmstore import SessionStore

from .catalogue import Catalogue
from .conversation import Conversation, Snapshot
from .purchase import Purchase


def _report(kind: str, **facts: Any) -> None:
    print(json.dumps({"kind": kind, **facts}), flush=True)


def _wait() -> str:
    line = sys.stdin.readline()
    if not line:  # nobody is there any more
        sys.exit("the other end is gone")
    return line.rstrip("\n")


def _saved(event: str, session: Snapshot) -> None:
    _report("saved", event=event, state=session.state, version=session.version)


def _weighed(done: int, total: int) -> None:
    _report("working", done=done, total=total)
    _wait()


def main() -> None:
    """Serve one session until it is over."""
    session_id = sys.argv[1]
    with SessionStore(os.environ["FSMSTORE_DSN"]) as store:
        found = store.load(session_id)
        _report("loaded", state=found and found.state, version=found and found.version)
        purchase = Purchase(Catalogue.read(), on_weighed=_weighed)
        conversation = Conversation(store, purchase, session_id, actor=f"pid {os.getpid()}", on_saved=_saved)
        reply = conversation.turn()
        while not reply.session.is_final:
            _report("asks", text=reply.text, state=reply.session.state)
            reply = conversation.turn(_wait())
        _report("ended", text=reply.text, state=reply.session.state, version=reply.session.version)


if __name__ == "__main__":
    main()
