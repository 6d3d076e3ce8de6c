"""A process that serves a contract: ``python -m support.contract_worker SESSION``, the database in FSMSTORE_DSN.

It writes a JSON object a line: ``loaded``, then ``stepped`` after each step, before it is saved, and ``saved`` after.
Before each step, and before each save, it waits for a line: the user's words, or an empty one.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from fsmstore.contract import ContractStateMachine, UnifiedSessionStore


def _report(kind: str, **facts: Any) -> None:
    print(json.dumps({"kind": kind, **facts}), flush=True)


def _line() -> str | None:
    line = sys.stdin.readline()
    if not line:
        sys.exit("the other end is gone")
    return line.strip() or None


def main() -> None:
    """Serve the session until it is over."""
    session_id = sys.argv[1]
    with UnifiedSessionStore(os.environ["FSMSTORE_DSN"]) as store:
        fsm = store.load_fsm_state(session_id) or ContractStateMachine("purchase_item")
        _report("loaded", state=fsm.context.current_state)
        while True:
            reply = fsm.next(_line())
            _report("stepped", **reply)
            if reply["is_final"] and reply["from_state"] == reply["state"]:
                return
            _line()
            saved = store.save_fsm_state(session_id, fsm)
            _report("saved", ok=saved, state=fsm.context.current_state)


if __name__ == "__main__":
    main()
