"""Each method, through both clients, against the real functions."""

from __future__ import annotations

import enum
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

import fsmstore
from support.machines import BLOCKING, DOOR, PURCHASE
from support.proxy import Proxy


def test_a_session_is_created_in_the_initial_state(store: Any) -> None:
    session = store.create("s-1", "purchase_item", {"product_query": "washing machine"}, actor="me", note={"n": [1]})
    assert (session.session_id, session.machine, session.machine_version) == ("s-1", "purchase_item", 1)
    assert (session.state, session.version, session.is_final) == ("start", 1, False)
    assert session.context == {"product_query": "washing machine"}
    assert session.entered_at == session.created_at == session.updated_at
    assert session.result is not None
    assert (session.result.previous_state, session.result.replayed) == (None, False)
    assert store.load("s-1") == session
    assert store.load("s-1").result is None


def test_a_context_may_be_left_out(store: Any) -> None:
    assert store.create("s-1", "door").context == {}
    assert store.create("s-2", "door", machine_version=1).machine_version == 1


def test_the_purchase_conversation(store: Any) -> None:
    session = store.create("s-1", "purchase_item", {"product_query": "washing machine"})
    session = store.send("s-1", "BEGIN")
    assert session.state == "search"
    session = store.save(
        session.evolve(state="refine_constraints", context={**session.context, "search_results": list(range(51))})
    )
    assert session.state == "refine_constraints"
    assert session.result.previous_state == "search"
    session = store.send("s-1", "REFINED", {"search_results": list(range(7)), "constraints": {"price": 400.0}})
    assert session.context["search_results"] == list(range(7))
    for event in ("RESULTS", "PREFERENCES", "MATCHED", "CONFIRM"):
        session = store.send("s-1", event)
    assert (session.state, session.version, session.is_final) == ("completed", 8, True)
    assert store.load("s-1") == session
    assert [entry.to_state for entry in store.history("s-1")] == [
        "completed", "confirm_purchase", "match_preferences", "collect_preferences", "search", "refine_constraints",
        "search", "start",
    ]  # fmt: skip


def test_no_such_session_is_none(store: Any) -> None:
    assert store.load("nobody") is None
    assert store.load_at("nobody", 1) is None


def test_save_names_the_event_and_expects_the_sessions_version(store: Any) -> None:
    first = store.create("s-1", "door")
    second = store.save(first.evolve(state="open"), event="OPEN", actor="me", note="because")
    assert (second.version, second.result.changed_state) == (2, True)
    with pytest.raises(fsmstore.VersionConflict) as caught:
        store.save(first.evolve(context={"a": 1}))
    assert (caught.value.expected, caught.value.actual) == (1, 2)
    third = store.save(first.evolve(state="closed", context={"a": 1}), expected_version=None)
    assert (third.version, third.state, third.context) == (3, "closed", {"a": 1})
    with pytest.raises(fsmstore.VersionConflict):
        store.save(third, expected_version=2)
    newest, before, _ = store.history("s-1")
    assert (newest.event, newest.kind) == ("CLOSE", "transition")
    assert (before.event, before.actor, before.note, before.db_user) == ("OPEN", "me", "because", "test_app")


def test_what_a_save_returns_is_what_load_gives(store: Any) -> None:
    session = store.create("s-1", "door", {"current_state": "closed", "session_id": "s-1", "zero": -0.0, "big": 1e16})
    assert session.context == {"zero": 0.0, "big": 1e16}
    assert str(session.context["zero"]) == "0.0"
    assert type(session.context["big"]) is float
    fresh = session.evolve(state="open", context={**session.context, "current_state": "open", "x": None})
    saved = store.save(fresh)
    assert "current_state" not in saved.context
    assert store.load("s-1") == saved
    assert store.load("s-1").context == {"zero": 0.0, "big": 1e16, "x": None}


def test_send_patches_and_appends(store: Any) -> None:
    store.create("s-1", "door", {"a": {"b": 1, "c": 2}, "log": ["x"]})
    session = store.send("s-1", "OPEN", {"a": {"b": None}}, append={"log": ["y"], "new": [1]}, expected_version=1)
    assert session.context == {"a": {"c": 2}, "log": ["x", "y"], "new": [1]}
    assert store.load("s-1") == session


def test_update_returns_the_result_alone(store: Any) -> None:
    store.create("s-1", "door", {"a": 1})
    result = store.update("s-1", {"b": 2}, append={"log": ["x"]}, expected_version=1, actor="me", note=[None])
    assert (result.version, result.state, result.changed_state) == (2, "closed", False)
    assert store.load("s-1").context == {"a": 1, "b": 2, "log": ["x"]}
    assert store.update("s-1").version == 3
    assert store.history("s-1", 1)[0].kind == "update"


def test_load_many_keeps_the_order_and_takes_any_number(store: Any) -> None:
    for number in range(3):
        store.create(f"s-{number}", "door", {"n": number})
    wanted = ["s-2", "nobody", "s-0", "s-2", *(f"none-{number}" for number in range(1100)), "s-1"]
    found = store.load_many(wanted)
    assert list(found) == ["s-2", "s-0", "s-1"]
    assert found["s-1"] == store.load("s-1")
    assert store.load_many(iter([])) == {}


def test_load_at_gives_every_version_as_it_was(store: Any) -> None:
    versions = [store.create("s-1", "door", {"n": 0, "f": 1.0})]
    versions.append(store.send("s-1", "OPEN", {"n": 1, "f": 1}))
    versions.append(store.send("s-1", "CLOSE", {"n": None}))
    for session in versions:
        assert store.load_at("s-1", session.version) == session
    assert type(store.load_at("s-1", 1).context["f"]) is float
    assert store.load_at("s-1", 4) is None


def test_history_is_paged(store: Any) -> None:
    store.create("s-1", "door")
    for _ in range(4):
        store.send("s-1", "KNOCK")
    assert [entry.version for entry in store.history("s-1", 2)] == [5, 4]
    assert [entry.version for entry in store.history("s-1", limit=2, before_version=4)] == [3, 2]
    assert len(store.history("s-1", None)) == 5
    assert isinstance(store.history("s-1")[0].at, datetime)


def test_allowed_events_say_why_and_why_not(store: Any) -> None:
    store.create("s-1", "purchase_item", {"product_query": "x"})
    store.send("s-1", "BEGIN")
    events = store.allowed_events("s-1")
    empty = next(event for event in events if event.event == "RESULTS" and event.to_state == "refine_constraints")
    assert (empty.allowed, empty.guard) == (False, "$.search_results.size() > 50")
    assert empty.reason
    assert any(event.event == "CANCEL" and event.allowed for event in events)


def test_validate_tries_a_context(store: Any) -> None:
    assert store.validate("purchase_item", "search", {"product_query": "x"}) == []
    (finding,) = store.validate("purchase_item", "search", {"product_query": 1}, 1)[:1]
    assert finding.path == "$.product_query"
    assert finding.code
    assert finding.message
    with pytest.raises(fsmstore.InvalidContext):
        store.validate("purchase_item", "search", {"product_query": {1}})


def test_detect_loop_reads_the_history(store: Any) -> None:
    store.create("s-1", "purchase_item", {"product_query": "x", "search_results": list(range(60))})
    store.send("s-1", "BEGIN")
    for _ in range(3):
        store.send("s-1", "RESULTS")
        assert store.detect_loop("s-1") == []
        store.send("s-1", "REFINED")
    fourth = store.send("s-1", "RESULTS")
    assert fourth.result.loop_detected
    (loop,) = store.detect_loop("s-1")
    assert (loop.from_state, loop.to_state, loop.occurrences) == ("search", "refine_constraints", 4)
    assert (loop.loop_limit, loop.loop_window) == (3, timedelta(minutes=5))
    assert loop.first_at < loop.last_at


def test_a_request_is_applied_once(store: Any) -> None:
    request = uuid4()
    first = store.create("s-1", "door", {"n": 1}, request_id=request)
    again = store.create("s-1", "door", {"n": 1}, request_id=str(request))
    assert again == first
    assert again.result.replayed
    request = uuid4()
    opened = store.send("s-1", "OPEN", {"n": 2}, request_id=request)
    store.send("s-1", "CLOSE", {"n": 3})
    replayed = store.send("s-1", "OPEN", {"n": 2}, request_id=request)
    assert replayed == opened
    assert replayed.result.replayed
    assert store.load("s-1", max_age=60).context == {"n": 3}
    request = uuid4()
    updated = store.update("s-1", {"n": 4}, request_id=request)
    assert store.update("s-1", {"n": 4}, request_id=request).version == updated.version == 4


def test_the_replay_of_a_save_has_the_context_of_the_first_call(store: Any) -> None:
    request = uuid4()
    session = store.create("s-1", "door", {"n": 1})
    saved = store.save(session.evolve(state="open", context={"n": 2}), request_id=request)
    store.send("s-1", "CLOSE", {"n": 3})
    # The id alone decides: what is asked for now was never stored.
    replayed = store.save(session.evolve(state="open", context={"n": 99}), request_id=request)
    assert replayed == saved
    assert replayed.result.replayed
    assert store.load("s-1", max_age=60).context == {"n": 3}


def test_a_replay_that_cannot_be_read_is_done_all_the_same(store: Any, db: psycopg.Connection[Any]) -> None:
    request = uuid4()
    session = store.create("s-1", "door", {"n": 1})
    store.save(session.evolve(context={"n": 2}), request_id=request)
    store.update("s-1", {"n": 3})
    store.update("s-1", {"n": 4})
    db.execute("delete from fsm_internal.history where version = 3")
    with pytest.raises(fsmstore.CorruptSession) as caught:
        store.save(session.evolve(context={"n": 2}), request_id=request)
    assert caught.value.outcome is fsmstore.Outcome.DONE
    assert fsmstore.outcome_of(caught.value) is fsmstore.Outcome.DONE


def test_a_replay_whose_version_is_not_retained_has_no_context(
    flavour: Any, proxy: Proxy, db: psycopg.Connection[Any]
) -> None:
    store = flavour.store(proxy.dsn)
    request = uuid4()
    session = store.create("s-1", "door", {"n": 1})
    store.save(session.evolve(context={"n": 2}), request_id=request)
    store.update("s-1", {"n": 3})
    # Retention comes between the answer and the question for that version's context.
    proxy.on_cut = lambda: db.execute("delete from fsm_internal.history where version <= 2")
    proxy.cut("fsm.load_session_at", "before")
    replayed = store.save(session.evolve(context={"n": 2}), request_id=request)
    assert (replayed.version, replayed.result.replayed, replayed.context) == (2, True, None)


def test_machines_are_defined_checked_and_retired(flavour: Any, dsn: Any) -> None:
    store = flavour.store(dsn("test_admin"))
    gate = {**DOOR, "id": "gate"}
    made = store.define_machine(gate)
    assert (made.machine, made.machine_version, made.created, made.warnings) == ("gate", 1, True, ())
    assert not store.define_machine(gate).created
    assert store.machine_definition("gate") == gate
    assert store.check_machine(gate) == []
    lonely = {**gate, "states": {**gate["states"], "cellar": {"on": {"UP": "closed"}}}}
    changed = store.define_machine(lonely)
    assert (changed.machine_version, changed.created) == (2, True)
    assert changed.warnings == tuple(store.check_machine(lonely))
    assert [(warning.severity, warning.path) for warning in changed.warnings] == [("warning", "$.states.cellar")]
    assert store.machine_definition("gate", 1) == gate
    assert store.retire_machine("gate", 2) is True
    assert store.retire_machine("gate", 2) is False
    assert store.machine_definition("gate") == gate
    assert store.create("s-1", "gate").machine_version == 1
    store.retire_machine("gate", 2, retired=False)
    assert store.create("s-2", "gate").machine_version == 2


def test_a_definition_that_lacks_a_state_in_use_is_warned_of(flavour: Any, dsn: Any) -> None:
    store = flavour.store(dsn("test_admin"))
    store.create("s-1", "door")
    renamed = {"id": "door", "initial": "shut", "states": {"shut": {"on": {"OPEN": "open"}}, "open": {"type": "final"}}}
    (warning,) = store.define_machine(renamed).warnings
    assert (warning.severity, warning.code) == ("warning", "live_sessions_in_missing_state")
    assert "1 session" in warning.message


def test_a_bad_definition_says_all_that_is_wrong(flavour: Any, dsn: Any) -> None:
    store = flavour.store(dsn("test_admin"))
    bad = {**DOOR, "initial": "nowhere", "colour": "red"}
    with pytest.raises(fsmstore.InvalidMachine) as caught:
        store.define_machine(bad)
    errors = [found for found in store.check_machine(bad) if found.severity == "error"]
    assert len(errors) == 2
    assert all(error.code in str(caught.value) for error in errors)
    with pytest.raises(fsmstore.InvalidMachine) as caught:
        store.check_machine({**DOOR, "meta": {"x": {"y": (1, 2)}}})
    assert caught.value.detail["path"] == "$.meta.x.y"


def test_the_release_is_told(store: Any) -> None:
    assert store.schema_release() == "0.1.0"


def test_a_loop_can_be_blocked(store: Any) -> None:
    store.create("s-1", BLOCKING["id"])
    store.send("s-1", "KNOCK")
    with pytest.raises(fsmstore.LoopDetected) as caught:
        store.send("s-1", "KNOCK")
    assert (caught.value.from_state, caught.value.to_state) == ("closed", "closed")
    assert store.load("s-1").version == 2


class State(str, enum.Enum):
    OPEN = "open"


def test_a_state_may_be_a_member_of_an_enumeration(store: Any) -> None:
    session = store.create("s-1", "door")
    saved = store.save(session.evolve(state=State.OPEN))
    assert saved.state == "open"
    assert type(saved.state) is str


def test_evolve_copies(store: Any) -> None:
    session = store.create("s-1", "door", {"list": [1, {"a": 2}]})
    context = {"list": [3]}
    other = session.evolve(state="open", context=context)
    context["list"].append(4)
    assert other.context == {"list": [3]}
    assert other.result is None
    same = session.evolve()
    assert same == session
    same.context["list"][1]["a"] = 3
    assert session.context == {"list": [1, {"a": 2}]}
    with pytest.raises(TypeError):
        session.evolve(colour="red")
    with pytest.raises(AttributeError):
        session.state = "open"


def test_contexts_in_and_out_are_copies(store: Any) -> None:
    context = {"list": [1]}
    session = store.create("s-1", "door", context)
    context["list"].append(2)
    session.context["list"].append(3)
    loaded = store.load("s-1")
    assert loaded.context == {"list": [1]}
    loaded.context["list"].append(4)
    assert store.load("s-1").context == {"list": [1]}
    assert store.load("s-1", max_age=60).context == {"list": [1]}
    # What was changed in place and is saved is saved: nothing depends on noticing it.
    saved = store.save(loaded)
    assert saved.context == store.load("s-1").context == {"list": [1, 4]}


def test_the_purchase_machine_is_the_one_that_is_shipped(store: Any) -> None:
    assert store.machine_definition("purchase_item") == PURCHASE


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.load(None),
        lambda store: store.create("s-9", None),
        lambda store: store.send("s-1", None),
        lambda store: store.save(store.load("s-1").evolve(state=None)),
        lambda store: store.save(store.load("s-1").evolve(context=None)),
    ],
)
def test_null_where_a_value_is_needed_is_22004(store: Any, call: Any) -> None:
    store.create("s-1", "door")
    with pytest.raises(psycopg.errors.NullValueNotAllowed) as caught:
        call(store)
    assert fsmstore.outcome_of(caught.value) is fsmstore.Outcome.NOT_DONE


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.load(""),
        lambda store: store.load("é" * 257),
        lambda store: store.load("a\0b"),
        lambda store: store.load("a\ud800b"),
        lambda store: store.load_many(["s-1", "a\0b"]),
        lambda store: store.load_at("s-1", 2**63),
        lambda store: store.history("s-1", 0),
        lambda store: store.history("s-1", 2**31),
        lambda store: store.update("s-1", turn=-(2**63) - 1),
        lambda store: store.update("s-1", request_id="not one"),
    ],
)
def test_a_misused_argument_is_22023(store: Any, call: Any) -> None:
    store.create("s-1", "door")
    with pytest.raises(psycopg.errors.InvalidParameterValue) as caught:
        call(store)
    assert caught.value.sqlstate == "22023"
    assert fsmstore.outcome_of(caught.value) is fsmstore.Outcome.NOT_DONE


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.load(1),
        lambda store: store.load_many([b"s-1"]),
        lambda store: store.load_at("s-1", "1"),
        lambda store: store.load_at("s-1", True),
        lambda store: store.update("s-1", request_id=7),
        lambda store: store.create("s-1", "door", machine_version=1.0),
    ],
)
def test_an_argument_of_another_type_is_a_type_error(store: Any, call: Any) -> None:
    with pytest.raises(TypeError, match="argument"):
        call(store)
