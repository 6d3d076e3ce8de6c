"""A run fails for what it must not be: no progress after a fault, something that was not met, a violation."""

from __future__ import annotations

from support.chaos.faults import Fault
from support.chaos.records import DONE, Answer, Call
from support.chaos.stored import Violation
from support.chaos.summary import Summary


def acknowledged(*times: float) -> list[Call]:
    return [Call("c", "c", "save", time - 0.1, [], time, DONE, answers=[Answer("s", 1, "wrote")]) for time in times]


def test_a_pause_outside_of_a_recovery_is_a_stall() -> None:
    summary = Summary()
    summary.time(acknowledged(1, 2, 5, 6, 13, 14), [Fault("server killed", 6.5, 8)], end=14)
    assert summary.longest_stall == 3
    assert summary.recoveries == {"server killed": 6.5}
    assert summary.good


def test_no_progress_within_ten_seconds_after_a_fault_is_a_violation() -> None:
    summary = Summary()
    summary.time(acknowledged(1, 12), [Fault("server killed", 1.5, 3)], end=14)
    assert [one.rule for one in summary.violations] == ["progress after a fault"]
    assert not summary.good


def test_what_is_answered_before_the_server_is_back_is_no_progress() -> None:
    summary = Summary()
    summary.time(acknowledged(1, 1.6, 12), [Fault("server killed", 1.5, 3)], end=14)
    assert summary.recoveries == {"server killed": 10.5}


def test_a_fault_in_the_last_moment_tells_nothing_of_progress() -> None:
    summary = Summary()
    summary.time(acknowledged(1), [Fault("server killed", 1.5, 3)], end=4)
    assert summary.good


def test_no_progress_until_the_end_is_a_violation() -> None:
    summary = Summary()
    summary.time(acknowledged(1), [Fault("server killed", 1.5, 3)], end=14)
    assert [one.rule for one in summary.violations] == ["progress after a fault"]


def test_what_was_not_met_fails_the_run_and_is_named() -> None:
    summary = Summary(seconds=1, sometimes={"conflict": 1, "lock_timeout": 0})
    assert summary.missed == ["lock_timeout"]
    assert not summary.good
    assert "NOT REACHED: lock_timeout" in str(summary)


def test_a_violation_fails_the_run_and_is_told() -> None:
    summary = Summary(seconds=1, sometimes={"conflict": 1}, violations=[Violation("applied once", "s", "twice")])
    assert not summary.good
    assert "doubled: 1" in str(summary)
    assert "VIOLATION applied once: s: twice" in str(summary)
