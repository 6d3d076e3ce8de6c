"""The worker process and its death."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from fsmstore import SessionStore
from fsmstore.demo.claims import StoryBroken
from fsmstore.demo.purchase_story import Shopper
from fsmstore.demo.workers import Report, Worker, alive


def _serve(worker: Worker, shopper: Shopper, weighed: int | None = None) -> list[Report]:
    """Follow the worker to its end, or until it has weighed so many products, and return its reports."""
    reports = []
    for report in worker.reports:
        reports.append(report)
        if report["kind"] == "asks":
            worker.answer(shopper.answer(report["state"]))
        if report["kind"] == "working":
            if report["done"] == weighed:
                break
            worker.answer()
    return reports


def _saved(reports: list[Report]) -> list[tuple[str, int]]:
    return [(report["state"], report["version"]) for report in reports if report["kind"] == "saved"]


def test_kill_9_loses_what_was_in_memory_and_nothing_that_was_acknowledged(app_dsn: str, store: SessionStore) -> None:
    shopper = Shopper()
    with Worker(app_dsn, "s-1") as worker:
        reports = _serve(worker, shopper, weighed=20)
        assert reports[-1] == {"kind": "working", "done": 20, "total": 37}
        assert worker.kill() == -signal.SIGKILL
        assert not alive(worker.pid)
        first = worker.pid
    left = store.load("s-1")
    assert left is not None
    assert (left.state, left.version) == _saved(reports)[-1] == ("match_preferences", 7)
    assert "top_products" not in left.context
    with Worker(app_dsn, "s-1") as worker:
        reports = _serve(worker, shopper)
        assert worker.wait() == 0
        second = worker.pid
    assert reports[0] == {"kind": "loaded", "state": "match_preferences", "version": 7}
    assert [report["done"] for report in reports if report["kind"] == "working"] == [*range(1, 38)]  # all of it again
    assert _saved(reports) == [("confirm_purchase", 8), ("completed", 9)]
    assert (reports[-1]["kind"], reports[-1]["state"]) == ("ended", "completed")
    assert shopper.silent
    actors = [entry.actor for entry in reversed(store.history("s-1"))]
    assert actors == [f"pid {first}"] * 7 + [f"pid {second}"] * 2


@pytest.mark.parametrize("answers", range(5))
def test_killed_at_any_question_it_goes_on_with_that_question(app_dsn: str, store: SessionStore, answers: int) -> None:
    shopper = Shopper()
    with Worker(app_dsn, "s-1") as worker:
        for report in worker.reports:
            if report["kind"] == "asks":
                if answers == 0:
                    break
                answers -= 1
                worker.answer(shopper.answer(report["state"]))
            elif report["kind"] == "working":
                worker.answer()
        asked = report
        worker.kill()
    before = store.load("s-1")
    with Worker(app_dsn, "s-1") as worker:
        assert next(worker.reports)["state"] == asked["state"]
        assert next(worker.reports) == asked
        assert store.load("s-1") == before
        worker.answer(shopper.answer(asked["state"]))
        assert _serve(worker, shopper)[-1]["state"] == "completed"
    assert shopper.silent


def test_a_finished_session_is_only_told(app_dsn: str, store: SessionStore) -> None:
    store.create("s-1", "purchase_item")
    store.send("s-1", "CANCEL")
    with Worker(app_dsn, "s-1") as worker:
        assert [report["kind"] for report in worker.reports] == ["loaded", "ended"]
        assert worker.wait() == 0


def test_a_worker_that_nobody_listens_to_ends(app_dsn: str) -> None:
    command = [sys.executable, "-m", "fsmstore.demo.worker", "s-1"]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "FSMSTORE_DSN": app_dsn},
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.endswith("the other end is gone\n")


def test_the_end_of_the_block_is_the_end_of_the_worker(app_dsn: str) -> None:
    def break_off() -> None:
        with worker:
            next(worker.reports)
            raise StoryBroken

    worker = Worker(app_dsn, "s-1")
    with pytest.raises(StoryBroken):
        break_off()
    assert not alive(worker.pid)


def test_the_database_is_no_secret_for_everybody(app_dsn: str) -> None:
    with Worker(app_dsn, "s-1") as worker:
        next(worker.reports)
        assert alive(worker.pid)
        arguments = Path(f"/proc/{worker.pid}/cmdline").read_text()
    password = psycopg.conninfo.conninfo_to_dict(app_dsn)["password"]
    assert "s-1" in arguments
    assert str(password) not in arguments
