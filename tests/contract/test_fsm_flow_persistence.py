"""The whole purchase through the contract engine's face, and a worker that is killed half-way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fsmstore import SessionStore
from fsmstore.contract import ContractStateMachine, UnifiedSessionStore
from fsmstore.demo.purchase_story import WAY, Shopper
from support.processes import line_of

ROOT = Path(__file__).parents[2]


def test_a_purchase_from_start_to_completed(app_dsn: str, store: UnifiedSessionStore, sessions: SessionStore) -> None:
    fsm, shopper = ContractStateMachine("purchase_item"), Shopper()
    reply = fsm.next()
    assert store.save_fsm_state("s-1", fsm)
    while not reply["is_final"]:
        reply = fsm.next(shopper.answer(reply["state"]) if reply["waiting"] else None)
        assert store.save_fsm_state("s-1", fsm), store.last_refusal
    assert shopper.silent
    assert tuple(entry.to_state for entry in reversed(sessions.history("s-1"))) == WAY
    loaded = store.load_fsm_state("s-1")
    assert loaded.next()["message"] == reply["message"]
    assert loaded.context.contract_status == "ordered"
    loaded.context.contract_status = "ordered again"
    assert store.save_fsm_state("s-1", loaded) is False  # it is over
    assert store.sessions.detect_loop("s-1") == []


def test_a_purchase_of_which_every_step_is_another_process(app_dsn: str, sessions: SessionStore) -> None:
    shopper, reply = Shopper(), None
    while reply is None or not reply["is_final"]:
        with UnifiedSessionStore(app_dsn) as store:
            fsm = store.load_fsm_state("s-1") or ContractStateMachine("purchase_item")
            reply = fsm.next()
            if reply["waiting"] and reply["event"] is None:  # it asked, and has done nothing yet
                reply = fsm.next(shopper.answer(reply["state"]))
            assert store.save_fsm_state("s-1", fsm), store.last_refusal
    assert shopper.silent
    # The first step is saved with the creation, so that `start` is its version 1.
    assert tuple(entry.to_state for entry in reversed(sessions.history("s-1"))) == WAY


def test_a_purchase_that_is_declined(store: UnifiedSessionStore) -> None:
    fsm, answers = ContractStateMachine("purchase_item"), {
        "start": "a washing machine, at most 650 euro and at least 8 kg", "collect_preferences": "It must be cheap.",
        "confirm_purchase": "No.",
    }  # fmt: skip
    reply = fsm.next()
    while not reply["is_final"]:
        reply = fsm.next(answers[reply["state"]] if reply["waiting"] else None)
        assert store.save_fsm_state("s-1", fsm), store.last_refusal
    loaded = store.load_fsm_state("s-1")
    assert (loaded.context.current_state, loaded.context.is_cancelled) == ("cancelled", True)
    assert loaded.next()["message"] == "Nothing was ordered. Goodbye."


class Worker:
    """support.contract_worker as its parent sees it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def hear(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(line_of(self.process))
        return report

    def say(self, text: str = "") -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()
        return self.hear()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        assert self.process.wait(20) == -signal.SIGKILL


@contextmanager
def working(app_dsn: str, session_id: str) -> Iterator[Worker]:
    paths = os.pathsep.join([str(ROOT / "pyclient"), str(ROOT / "tests")])
    with subprocess.Popen(
        [sys.executable, "-m", "support.contract_worker", session_id],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
        env={**os.environ, "FSMSTORE_DSN": app_dsn, "PYTHONUTF8": "1", "PYTHONPATH": paths},
    ) as process:  # fmt: skip
        try:
            yield Worker(process)
        finally:
            process.kill()


def serve(worker: Worker, shopper: Shopper, until: str, saved: bool) -> list[dict[str, Any]]:
    """Follow the worker until a step has led to that state; then until it is saved, if it shall be."""
    reply, saves = worker.say(), list[dict[str, Any]]()
    while True:
        if reply["state"] == until and reply["from_state"] != until and not saved:
            return saves
        saves.append(worker.say())
        assert saves[-1]["ok"]
        if reply["state"] == until and saved:
            return saves
        reply = worker.say(shopper.answer(reply["state"]) if reply["waiting"] else "")


@pytest.mark.parametrize("saved", [False, True], ids=["before it is saved", "after it is saved"])
@pytest.mark.parametrize("state", ["search", "refine_constraints", "match_preferences", "confirm_purchase"])
def test_a_worker_killed_half_way_loses_only_what_was_not_acknowledged(
    app_dsn: str, sessions: SessionStore, state: str, saved: bool
) -> None:
    shopper = Shopper()
    with working(app_dsn, "s-1") as worker:
        assert worker.hear() == {"kind": "loaded", "state": "start"}
        saves = serve(worker, shopper, state, saved)
        worker.kill()
    left = sessions.load("s-1")
    assert left is not None
    assert left.state == saves[-1]["state"]
    assert (left.state == state) is saved
    assert left.version == len(saves)
    # The user says again only what was never acknowledged.
    fresh = Shopper()
    answers = {
        text for entry in left.context["conversation_history"] if entry["role"] == "user" for text in [entry["content"]]
    }
    fresh._answers = {key: [one for one in said if one not in answers] for key, said in fresh._answers.items()}
    with working(app_dsn, "s-1") as worker:
        assert worker.hear() == {"kind": "loaded", "state": left.state}
        reply = worker.say()
        while not reply["is_final"]:
            assert worker.say()["ok"]
            reply = worker.say(fresh.answer(reply["state"]) if reply["waiting"] else "")
        assert worker.say()["ok"]
        reply = worker.say()
        assert (reply["state"], reply["is_final"], worker.process.wait(20)) == ("completed", True, 0)
    assert fresh.silent
    way = [entry.to_state for entry in reversed(sessions.history("s-1"))]
    assert list(dict.fromkeys(way)) == list(dict.fromkeys(WAY))  # nothing left out, nothing new
    assert sessions.detect_loop("s-1") == []
