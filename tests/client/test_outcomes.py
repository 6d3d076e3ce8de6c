"""What each error says of the call that raised it, code by code."""

from __future__ import annotations

import psycopg
import psycopg_pool
import pytest

from fsmstore import Outcome, outcome_of
from fsmstore.errors import FsmError, is_lost_connection, parse_detail, refusal

LOST = ["57P01", "57P02", "57P03", "57P05", "25P03", "25P04", "08000", "08003", "08006", "08P01"]
UNKNOWN = ["40003", "57014"]
NOT_DONE = ["40001", "40P01", "22023", "42501", "53300", "55P03", "XX000"]


def error_with(sqlstate: str) -> psycopg.Error:
    try:
        kind: type[psycopg.Error] = psycopg.errors.lookup(sqlstate)
    except KeyError:
        kind = type("Other", (psycopg.OperationalError,), {"sqlstate": sqlstate})
    error = kind("said so")
    assert error.sqlstate == sqlstate
    return error


@pytest.mark.parametrize("sqlstate", LOST)
def test_a_lost_connection_is_unknown(sqlstate: str) -> None:
    error = error_with(sqlstate)
    assert (is_lost_connection(error), outcome_of(error)) == (True, Outcome.UNKNOWN)


@pytest.mark.parametrize("sqlstate", UNKNOWN)
def test_what_the_server_does_not_know_is_unknown_and_no_lost_connection(sqlstate: str) -> None:
    error = error_with(sqlstate)
    assert (is_lost_connection(error), outcome_of(error)) == (False, Outcome.UNKNOWN)


@pytest.mark.parametrize("sqlstate", NOT_DONE)
def test_an_answer_settles_it(sqlstate: str) -> None:
    error = error_with(sqlstate)
    assert (is_lost_connection(error), outcome_of(error)) == (False, Outcome.NOT_DONE)


@pytest.mark.parametrize(
    ("error", "lost", "outcome"),
    [
        (psycopg.OperationalError("gone"), True, Outcome.UNKNOWN),
        (psycopg.InterfaceError("closed"), False, Outcome.UNKNOWN),
        (psycopg.DataError("not adapted"), False, Outcome.NOT_DONE),
        (psycopg_pool.PoolTimeout("none free"), False, Outcome.NOT_DONE),
        (psycopg_pool.PoolClosed("closed"), False, Outcome.NOT_DONE),
        (psycopg_pool.TooManyRequests("too many"), False, Outcome.NOT_DONE),
    ],
)
def test_errors_of_the_driver(error: psycopg.Error, lost: bool, outcome: Outcome) -> None:
    assert (is_lost_connection(error), outcome_of(error)) == (lost, outcome)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("x"), TimeoutError()])
def test_any_other_exception_is_unknown(error: BaseException) -> None:
    assert outcome_of(error) is Outcome.UNKNOWN


def test_an_error_after_a_lost_answer_is_unknown() -> None:
    error = psycopg_pool.PoolTimeout("none free")
    error.__cause__ = error_with("57P01")
    assert outcome_of(error) is Outcome.UNKNOWN


def test_what_an_error_says_keeps_its_letters() -> None:
    error = FsmError("session not found", sqlstate="SM010", detail={"session_id": "Überblick"}, hint="Look.")
    assert str(error) == 'session not found\nDETAIL: {"session_id": "Überblick"}\nHINT: Look.'


def test_facts_that_are_no_json_are_written_all_the_same() -> None:
    assert "(1+0j)" in str(FsmError("x", sqlstate="SM010", detail={"at": complex(1.0)}))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, {}),
        ("", {}),
        ("no object", {}),
        ('{"a": 1}', {"a": 1}),
        ('Remote detail: {"a": 1} and more', {"a": 1}),
        ('a { that opens {"a": {"b": 2}}', {"a": {"b": 2}}),
        ('{{"a": 1}', {"a": 1}),
        ("{ { {", {}),
    ],
)
def test_the_first_object_in_a_detail(text: str | None, found: dict[str, object]) -> None:
    assert parse_detail(text) == found


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [("22023", psycopg.errors.InvalidParameterValue), ("ZZ999", psycopg.DatabaseError), ("SM999", FsmError)],
)
def test_a_refusal_in_a_row_becomes_an_error(sqlstate: str, kind: type[Exception]) -> None:
    error = refusal(sqlstate, "no", {"a": 1}, None)
    assert type(error) is kind
    assert "no" in str(error)
