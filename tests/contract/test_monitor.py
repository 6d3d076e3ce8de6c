"""The monitor: log records, counters, and loops as the database has them."""

from __future__ import annotations

import json
import logging
import socket
from threading import Thread
from typing import Any

import psycopg
import pytest

from fsmstore import SessionStore
from fsmstore.contract import ContractStateMachine, FSMStateMonitor, UnifiedSessionStore

LOGGER = "fsmstore.contract.monitor"


@pytest.fixture
def monitor(store: UnifiedSessionStore) -> FSMStateMonitor:
    return FSMStateMonitor(store, recent=3)


def events(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str, dict[str, Any]]]:
    for record in caplog.records:
        name, _, facts = record.getMessage().partition(" ")
        assert (name, json.loads(facts)) == (record.fsm_event, record.fsm)  # type: ignore[attr-defined]
    return [(record.levelno, record.fsm_event, record.fsm) for record in caplog.records]  # type: ignore[attr-defined]


def test_a_transition_is_logged_and_counted(monitor: FSMStateMonitor, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, LOGGER):
        monitor.track_state_transition("s-1", "start", "search", True)
        monitor.track_state_transition("s-1", "search", "completed", False)
    facts = {"session_id": "s-1", "from_state": "start", "to_state": "search", "success": True}
    assert events(caplog) == [
        (logging.INFO, "fsm.transition", facts),
        (
            logging.WARNING,
            "fsm.transition",
            {**facts, "from_state": "search", "to_state": "completed", "success": False},
        ),
    ]
    metrics = monitor.get_performance_metrics()
    assert (metrics["transitions"], metrics["failed_transitions"]) == (2, 1)
    assert metrics["by_transition"] == {"start -> search": 1, "search -> completed": 1}


def test_only_the_recent_ones_are_kept_and_what_is_given_out_is_a_copy(monitor: FSMStateMonitor) -> None:
    for number in range(5):
        monitor.track_state_transition(f"s-{number}", "start", "search", True)
    recent = monitor.get_performance_metrics()["recent_transitions"]
    assert [one["session_id"] for one in recent] == ["s-2", "s-3", "s-4"]
    recent[0]["session_id"] = "changed"
    recent.clear()
    assert [one["session_id"] for one in monitor.get_performance_metrics()["recent_transitions"]] == [
        "s-2", "s-3", "s-4",
    ]  # fmt: skip


def test_corruption_is_an_error(monitor: FSMStateMonitor, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, LOGGER):
        monitor.log_state_corruption("s-1", "unknown_state", {"state": "nowhere", "message": "a key of logging's own"})
    (event,) = events(caplog)
    assert event[:2] == (logging.ERROR, "fsm.corruption")
    assert (event[2]["corruption_type"], event[2]["details"]["state"]) == ("unknown_state", "nowhere")
    assert monitor.get_performance_metrics()["corruptions"] == {"unknown_state": 1}


def test_a_loop_is_what_the_history_says_whoever_saved_it(
    app_dsn: str, monitor: FSMStateMonitor, caplog: pytest.LogCaptureFixture
) -> None:
    assert monitor.detect_infinite_loop("walk") is False  # there is no such session yet
    for step in range(9):
        with UnifiedSessionStore(app_dsn) as another_process:
            fsm = another_process.load_fsm_state("walk") or ContractStateMachine("purchase_item")
            state = "refine_constraints" if step % 2 else "search"
            fsm.context.merge({"current_state": state, "search_results": [*range(51)]})
            assert another_process.save_fsm_state("walk", fsm)
        if step == 6:
            assert monitor.detect_infinite_loop("walk") is False  # three times is no loop yet
    with caplog.at_level(logging.WARNING, LOGGER):
        assert monitor.detect_infinite_loop("walk") is True
    found = [facts for _, event, facts in events(caplog) if event == "fsm.loop"]
    assert {(one["from_state"], one["to_state"], one["occurrences"]) for one in found} == {
        ("search", "refine_constraints", 4), ("refine_constraints", "search", 4),
    }  # fmt: skip
    assert {(one["limit"], one["window_seconds"]) for one in found} == {(3, 300.0)}
    metrics = monitor.get_performance_metrics()
    assert (metrics["loop_checks"], metrics["loops_detected"]) == (3, 1)


def test_a_lost_database_is_no_answer() -> None:
    with SessionStore("host=/nonexistent user=x", timeout=0.2) as store, pytest.raises(psycopg.OperationalError):
        FSMStateMonitor(store).detect_infinite_loop("s-1")


def test_it_takes_a_dsn_and_closes_only_what_is_its_own(app_dsn: str, sessions: SessionStore) -> None:
    with FSMStateMonitor(app_dsn) as monitor:
        assert monitor.detect_infinite_loop("s-1") is False
    with FSMStateMonitor(sessions) as monitor:
        assert monitor.detect_infinite_loop("s-1") is False
    assert sessions.load("s-1") is None  # still open


def test_threads_lose_no_count(store: UnifiedSessionStore) -> None:
    monitor = FSMStateMonitor(store, logger=logging.Logger("quiet", logging.CRITICAL))
    track = lambda: [monitor.track_state_transition("s", "a", "b", True) for _ in range(2000)]  # noqa: E731
    threads = [Thread(target=track) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert monitor.get_performance_metrics()["by_transition"] == {"a -> b": 8000}


def test_nothing_leaves_the_process(monitor: FSMStateMonitor, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **keywords: Any) -> Any:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monitor.track_state_transition("s-1", "start", "search", True)
    monitor.log_state_corruption("s-1", "x", {})
    assert monitor.get_performance_metrics()["transitions"] == 1
