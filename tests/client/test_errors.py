"""Each SQLSTATE becomes its class, with the facts; everything else passes through; every error says if it was done."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import psycopg
import psycopg_pool
import pytest
from psycopg import errors, sql

import fsmstore
from fsmstore import FsmError, Outcome, outcome_of, translate_errors
from fsmstore.errors import BY_SQLSTATE, parse_detail, refusal
from support.machines import DOOR, PURCHASE

Connection = psycopg.Connection[Any]


def raise_in(connection: Connection, sqlstate: str, detail: str | None, hint: str | None = None) -> None:
    """Have the server raise an error with this code, as the functions do."""
    given = {"errcode": sqlstate, "detail": detail, "hint": hint}
    options = [sql.SQL(f"{name} = {{}}").format(value) for name, value in given.items() if value is not None]
    statement = "do $do$ begin raise exception using message = 'a stable sentence', {}; end $do$"
    connection.execute(sql.SQL(statement).format(sql.SQL(", ").join(options)))


def test_there_is_one_class_for_each_code_of_the_contract() -> None:
    assert {code: kind.__name__ for code, kind in BY_SQLSTATE.items()} == {
        "SM001": "MachineNotFound",
        "SM002": "InvalidMachine",
        "SM010": "SessionNotFound",
        "SM011": "SessionExists",
        "SM012": "SessionFinished",
        "SM020": "TransitionNotAllowed",
        "SM021": "InvalidContext",
        "SM022": "GuardFailed",
        "SM030": "VersionConflict",
        "SM040": "LoopDetected",
        "SM050": "TurnHeld",
        "SM051": "TurnExpired",
        "SM060": "CorruptSession",
        "SM070": "SchemaMismatch",
    }
    for code, kind in BY_SQLSTATE.items():
        assert kind.sqlstate == code
        assert getattr(fsmstore, kind.__name__) is kind


@pytest.mark.parametrize("sqlstate", sorted(BY_SQLSTATE))
@pytest.mark.parametrize("prefix", ["", "Remote detail: ", "shard {3}: Remote detail: "])
def test_a_code_becomes_its_class_with_detail_and_hint(app: Connection, sqlstate: str, prefix: str) -> None:
    facts = {"session_id": 'a "quoted" one', "version": 7, "expected_version": 5, "nested": {"x": [1]}}
    with pytest.raises(FsmError) as caught, translate_errors():
        raise_in(app, sqlstate, prefix + json.dumps(facts), "Do that next.")
    error = caught.value
    assert type(error) is BY_SQLSTATE[sqlstate]
    assert (error.sqlstate, error.message, error.hint) == (sqlstate, "a stable sentence", "Do that next.")
    assert error.detail == facts
    assert (error.session_id, error.nested) == ('a "quoted" one', {"x": [1]})  # type: ignore[attr-defined]
    assert error.outcome is outcome_of(error) is Outcome.NOT_DONE
    assert isinstance(error.__cause__, psycopg.Error)
    assert "a stable sentence" in str(error)
    assert "Do that next." in str(error)
    for copied in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(copied) is type(error)
        assert (copied.sqlstate, copied.detail, copied.hint, str(copied)) == (
            error.sqlstate, error.detail, error.hint, str(error),
        )  # fmt: skip


def test_a_version_conflict_has_what_was_expected_and_what_is() -> None:
    error = fsmstore.VersionConflict("x", detail={"expected_version": 5, "version": 7})
    assert (error.expected, error.actual) == (5, 7)
    bare: Any = fsmstore.VersionConflict("x")
    assert (bare.expected, bare.actual) == (None, None)
    with pytest.raises(AttributeError, match="session_id"):
        _ = bare.session_id


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-23T05:47:07.13+00:00", datetime(2026, 11, 23, 5, 47, 7, 130000, timezone.utc)),
        ("2026-11-23T05:47:07.131246+05:30", datetime(2026, 11, 23, 0, 17, 7, 131246, timezone.utc)),
        ("2026-11-23T05:47:07+00:00", datetime(2026, 11, 23, 5, 47, 7, 0, timezone.utc)),
        ("-infinity", None),
        (None, None),
    ],
)
def test_a_held_turn_says_until_when(text: str | None, moment: datetime | None) -> None:
    error = fsmstore.TurnHeld("turn held by another", detail={"holder": "ann", "expires_at": text})
    assert (error.holder, error.expires_at, error.sqlstate) == ("ann", moment, "SM050")


def test_an_answer_becomes_the_exception_that_the_code_has() -> None:
    assert type(refusal("SM040", "loop", {"x": 1}, "hint")) is fsmstore.LoopDetected
    assert type(refusal("SM999", "new", {}, None)) is fsmstore.FsmError
    assert type(refusal("22004", "null", {}, None)) is psycopg.errors.NullValueNotAllowed
    unknown = refusal("XX999", "what", {}, None)
    assert type(unknown) is psycopg.DatabaseError
    assert str(unknown) == "what"


def test_an_unknown_code_of_ours_is_a_plain_error(app: Connection) -> None:
    with pytest.raises(FsmError) as caught, translate_errors():
        raise_in(app, "SM999", None)
    assert type(caught.value) is FsmError
    assert (caught.value.sqlstate, caught.value.detail, caught.value.hint) == ("SM999", {}, None)
    assert str(caught.value) == "a stable sentence"


@pytest.mark.parametrize("code", ["22023", "22004", "23505", "P0001", "42501", "57014", "SN001"])
def test_other_codes_pass_through_unchanged(app: Connection, code: str) -> None:
    with pytest.raises(psycopg.Error) as caught, translate_errors():
        raise_in(app, code, '{"argument": "p_limit"}')
    assert caught.value.sqlstate == code
    assert caught.value.__cause__ is None


def test_no_error_is_no_error() -> None:
    with translate_errors():
        pass
    with pytest.raises(KeyError), translate_errors():
        raise KeyError


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, {}),
        ("", {}),
        ("words only", {}),
        ('{"a": 1}', {"a": 1}),
        ('Remote detail: {"a": {"b": "}"}}', {"a": {"b": "}"}}),
        ('node {1} says {"a": 1} and more', {"a": 1}),
        ('{"cut off": ', {}),
        ("[1, 2]", {}),
    ],
)
def test_the_object_in_a_detail_is_found(text: str | None, found: dict[str, Any]) -> None:
    assert parse_detail(text) == found


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (errors.UniqueViolation(), Outcome.NOT_DONE),
        (errors.InvalidParameterValue(), Outcome.NOT_DONE),
        (errors.SerializationFailure(), Outcome.NOT_DONE),
        (errors.DeadlockDetected(), Outcome.NOT_DONE),
        (errors.LockNotAvailable(), Outcome.NOT_DONE),
        (errors.InsufficientPrivilege(), Outcome.NOT_DONE),
        (errors.QueryCanceled(), Outcome.UNKNOWN),
        (errors.AdminShutdown(), Outcome.UNKNOWN),
        (errors.ConnectionFailure(), Outcome.UNKNOWN),
        (errors.StatementCompletionUnknown(), Outcome.UNKNOWN),
        (psycopg.OperationalError("server closed the connection unexpectedly"), Outcome.UNKNOWN),
        (psycopg.InterfaceError(), Outcome.UNKNOWN),
        (psycopg.DataError(), Outcome.NOT_DONE),
        (psycopg_pool.PoolTimeout(), Outcome.NOT_DONE),
        (psycopg_pool.PoolClosed(), Outcome.NOT_DONE),
        (psycopg_pool.TooManyRequests(), Outcome.NOT_DONE),
        (KeyboardInterrupt(), Outcome.UNKNOWN),
        (asyncio.CancelledError(), Outcome.UNKNOWN),
        (fsmstore.SessionExists("x"), Outcome.NOT_DONE),
    ],
)
def test_every_error_is_done_or_not_done_or_unknown(error: BaseException, outcome: Outcome) -> None:
    assert outcome_of(error) is outcome


def test_no_connection_for_the_repetition_leaves_it_unknown() -> None:
    error = psycopg_pool.PoolTimeout()
    error.__cause__ = errors.AdminShutdown()
    assert outcome_of(error) is Outcome.UNKNOWN


# What the functions of this release raise themselves, through both clients.


def test_refusals_of_the_functions(store: Any) -> None:
    session = store.create("s-1", "purchase_item", {"product_query": "x"})
    with pytest.raises(fsmstore.MachineNotFound) as machine:
        store.create("s-2", "nothing")
    assert machine.value.machine == "nothing"
    with pytest.raises(fsmstore.SessionNotFound) as missing:
        store.send("nobody", "BEGIN")
    assert missing.value.session_id == "nobody"
    with pytest.raises(fsmstore.SessionExists) as exists:
        store.create("s-1", "purchase_item")
    assert exists.value.session_id == "s-1"
    with pytest.raises(fsmstore.TransitionNotAllowed) as transition:
        store.save(session.evolve(state="completed"))
    assert (transition.value.state, transition.value.to_state) == ("start", "completed")
    assert "BEGIN" in transition.value.allowed_events
    with pytest.raises(fsmstore.InvalidContext) as context:
        store.save(session.evolve(context={"product_query": 1}))
    assert context.value.path == "$.product_query"
    assert context.value.findings[0]["path"] == "$.product_query"
    store.send("s-1", "BEGIN")
    with pytest.raises(fsmstore.GuardFailed) as guard:
        store.save(session.evolve(state="refine_constraints"), expected_version=None)
    assert (guard.value.state, guard.value.to_state) == ("search", "refine_constraints")
    with pytest.raises(fsmstore.VersionConflict) as conflict:
        store.save(session)
    assert (conflict.value.expected, conflict.value.actual) == (1, 2)
    with pytest.raises(fsmstore.TurnExpired) as turn:
        store.update("s-1", turn=7)
    assert turn.value.turn == 7
    store.send("s-1", "CANCEL")
    with pytest.raises(fsmstore.SessionFinished) as finished:
        store.update("s-1", {"a": 1})
    assert (finished.value.state, finished.value.version) == ("cancelled", 3)
    for caught in (machine, missing, exists, transition, context, guard, conflict, turn, finished):
        assert caught.value.hint
        assert caught.value.outcome is Outcome.NOT_DONE
    assert store.load("s-1").version == 3


def test_a_corrupt_session_is_told(store: Any, db: Connection) -> None:
    store.create("s-1", "door")
    db.execute("update fsm_internal.sessions set state = 'nowhere'")
    with pytest.raises(fsmstore.CorruptSession) as caught:
        store.load("s-1")
    assert caught.value.session_id == "s-1"
    assert caught.value.detail["state"] == "nowhere"


def test_a_right_that_is_missing_is_the_drivers_error(flavour: Any, dsn: Callable[..., str]) -> None:
    store = flavour.store(dsn("test_reader"))
    with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught:
        store.create("s-1", "door")
    assert outcome_of(caught.value) is Outcome.NOT_DONE


# The schema and this client must fit.


def test_a_database_without_the_schema(flavour: Any, dsn: Callable[..., str], db: Connection) -> None:
    db.execute("drop schema fsm cascade")
    store = flavour.store(dsn())
    for _ in range(2):
        with pytest.raises(fsmstore.SchemaMismatch, match="migrate") as caught:
            store.load("s-1")
    assert caught.value.hint == "Run the migrations on this database: fsmstore migrate."
    with pytest.raises(fsmstore.SchemaMismatch):
        store.schema_release()


def test_a_function_that_is_missing(flavour: Any, dsn: Callable[..., str], db: Connection) -> None:
    db.execute("drop function fsm.detect_loop(text)")
    store = flavour.store(dsn())
    assert store.load("s-1") is None
    with pytest.raises(fsmstore.SchemaMismatch, match=r"fsm\.detect_loop"):
        store.detect_loop("s-1")


def test_a_function_that_is_missing_inside_is_no_question_of_releases(
    flavour: Any, dsn: Callable[..., str], db: Connection
) -> None:
    db.execute("alter function fsm_internal.check_text rename to gone")
    store = flavour.store(dsn("test_app"))
    with pytest.raises(psycopg.errors.UndefinedFunction, match="check_text"):
        store.create("s-1", "")


def test_a_release_that_this_client_does_not_know(flavour: Any, dsn: Callable[..., str], db: Connection) -> None:
    db.execute("create or replace function fsm.schema_release() returns text language sql return '0.2.0'")
    store = flavour.store(dsn("test_app"))
    with pytest.raises(fsmstore.SchemaMismatch) as caught:
        store.load("s-1")
    assert caught.value.detail == {"schema_release": "0.2.0", "supported_releases": ["0.1"]}
    assert store.schema_release() == "0.2.0"
    db.execute("create or replace function fsm.schema_release() returns text language sql return '0.1.7'")
    assert store.load("s-1") is None


def test_the_release_is_asked_for_once(flavour: Any, dsn: Callable[..., str], db: Connection) -> None:
    store = flavour.store(dsn("test_app"))
    assert store.load("s-1") is None
    db.execute("create or replace function fsm.schema_release() returns text language sql return '0.2.0'")
    assert store.load("s-1") is None


def test_what_cannot_be_sent_is_refused_before_anything_is_sent(flavour: Any, dsn: Callable[..., str]) -> None:
    store = flavour.store(dsn("test_app").replace("dbname=", "dbname=not_there_"), timeout=0.2)
    with pytest.raises(fsmstore.InvalidContext):
        store.create("s-1", "door", {"x": float("nan")})
    with pytest.raises(psycopg_pool.PoolTimeout) as caught:
        store.create("s-1", "door", {"x": 1})
    assert outcome_of(caught.value) is Outcome.NOT_DONE


@pytest.mark.parametrize("definition", [DOOR, PURCHASE], ids=["door", "purchase_item"])
def test_the_machines_of_these_tests_are_sound(flavour: Any, dsn: Callable[..., str], definition: Any) -> None:
    assert flavour.store(dsn("test_admin")).check_machine(definition) == []
