"""When a call is sent again, and how long is waited before: by a clock of the test's own."""

from __future__ import annotations

import logging

import psycopg
import psycopg_pool
import pytest

from fsmstore import Outcome, outcome_of
from fsmstore.retry import Attempts, Repeat

LOST = psycopg.errors.AdminShutdown
CONFLICT = psycopg.errors.SerializationFailure


class Clock:
    """Seconds, as the test says."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def attempts_by(clock: Clock, timeout: float = 10.0) -> Attempts:
    return Attempts("save_session", Repeat.SAME_REQUEST, timeout, clock=clock)


def test_the_time_that_remains_begins_with_the_first_lost_answer(clock: Clock) -> None:
    attempts = attempts_by(clock)
    clock.now += 60
    assert attempts.remaining() == 10
    attempts.delay_after(LOST())
    assert attempts.remaining() == 10
    clock.now += 4
    assert attempts.remaining() == 6
    attempts.delay_after(LOST())
    assert attempts.remaining() == 6
    clock.now += 7
    # Too late, but a pool takes nothing below it.
    assert attempts.remaining() == 0.001


def test_a_conflict_does_not_begin_it(clock: Clock) -> None:
    attempts = attempts_by(clock)
    attempts.delay_after(CONFLICT())
    clock.now += 60
    assert attempts.remaining() == 10


def test_it_is_given_up_when_the_time_is_over(clock: Clock) -> None:
    attempts = attempts_by(clock)
    first, last = LOST(), LOST()
    attempts.delay_after(first)
    clock.now += 9.999
    attempts.delay_after(LOST())
    clock.now = 110.0
    with pytest.raises(LOST) as caught:
        attempts.delay_after(last)
    assert caught.value is last
    assert last.__cause__ is first
    assert outcome_of(last) is Outcome.UNKNOWN


def test_the_first_error_is_not_its_own_cause(clock: Clock) -> None:
    error = LOST()
    with pytest.raises(LOST):
        attempts_by(clock, timeout=0).delay_after(error)
    assert error.__cause__ is None


@pytest.mark.parametrize("error", [psycopg_pool.PoolTimeout(), psycopg.errors.QueryCanceled()])
def test_what_is_no_answer_leaves_the_lost_one_open(clock: Clock, error: psycopg.Error) -> None:
    attempts, lost = attempts_by(clock), LOST()
    attempts.delay_after(lost)
    with pytest.raises(type(error)):
        attempts.delay_after(error)
    assert error.__cause__ is lost
    assert outcome_of(error) is Outcome.UNKNOWN


def test_without_a_lost_answer_it_has_no_cause(clock: Clock) -> None:
    error = psycopg_pool.PoolTimeout()
    with pytest.raises(psycopg_pool.PoolTimeout):
        attempts_by(clock).delay_after(error)
    assert error.__cause__ is None
    assert outcome_of(error) is Outcome.NOT_DONE


def test_an_answer_of_the_server_has_no_cause(clock: Clock) -> None:
    attempts, error = attempts_by(clock), psycopg.errors.InvalidParameterValue()
    attempts.delay_after(LOST())
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        attempts.delay_after(error)
    assert error.__cause__ is None


def test_each_pause_is_twice_the_one_before_up_to_a_second(clock: Clock) -> None:
    attempts = attempts_by(clock)
    for longest in (0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0, 1.0, 1.0):
        assert longest / 2 <= attempts.delay_after(LOST()) <= longest


@pytest.mark.parametrize(("error", "name"), [(CONFLICT(), "40001"), (psycopg.OperationalError(), "OperationalError")])
def test_the_log_says_what_was_in_the_way(
    clock: Clock, error: psycopg.Error, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "fsmstore"):
        attempts_by(clock).delay_after(error)
    assert caplog.messages == [f"save_session is sent again after {name}"]
