"""save_many: many saves in one call, all or nothing or each for itself, and each of them applied once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest

import fsmstore
from fsmstore import Session, batch_operations
from support.clients import Flavour
from support.proxy import Proxy
from support.together import holding, running, waiting_backend
from support.waiting import wait_until

Connection = psycopg.Connection[Any]

SIZES = [0, 1, 1000, 1001]


@pytest.fixture
def thousand(db: Connection) -> list[str]:
    """1,001 sessions of machine door, by name."""
    names = [f"s-{number:04}" for number in range(1, 1002)]
    db.execute("select fsm.create_session(name, 'door', '{\"n\": 0}') from unnest(%s::text[]) name", (names,))
    return names


def versions(db: Connection) -> dict[int, int]:
    """How many sessions there are of each version."""
    return dict(db.execute("select version, count(*) from fsm_internal.sessions group by version").fetchall())


@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.parametrize("count", SIZES)
def test_so_many_at_once(store: Any, db: Connection, thousand: list[str], count: int, atomic: bool) -> None:
    loaded = store.load_many(thousand[:count])
    items = [one.evolve(state="open", context={"n": number}) for number, one in enumerate(loaded.values())]
    outcomes = store.save_many(items, atomic=atomic)
    assert [one.ordinal for one in outcomes] == list(range(1, count + 1))
    assert [one.session_id for one in outcomes] == thousand[:count]
    for one in outcomes:
        assert (one.ok, one.version, one.state, one.error) == (True, 2, "open", None)
        assert (one.sqlstate, one.message, one.detail) == (None, None, None)
    assert versions(db).get(2, 0) == count
    for number, one in enumerate(store.load_many(thousand[:count]).values()):
        assert (one.state, one.context) == ("open", {"n": number})
    ids = db.execute("select count(distinct request_id) from fsm_internal.history where version = 2").fetchone()
    assert ids == (count,)


def test_an_atomic_batch_is_one_transaction_however_many_calls_it_takes(
    store: Any, db: Connection, thousand: list[str]
) -> None:
    loaded = store.load_many(thousand)
    items = [one.evolve(state="open") for one in loaded.values()]
    items[1000] = loaded[thousand[1000]].evolve(state="nowhere")
    with pytest.raises(fsmstore.TransitionNotAllowed) as caught:
        store.save_many(items)
    assert caught.value.detail["ordinal"] == caught.value.ordinal == 1001
    assert caught.value.session_id == "s-1001"
    assert versions(db) == {1: 1001}
    outcomes = store.save_many(items, atomic=False)
    assert [one.ordinal for one in outcomes if not one.ok] == [1001]
    assert outcomes[1000].detail["ordinal"] == 1001
    assert isinstance(outcomes[1000].error, fsmstore.TransitionNotAllowed)
    assert outcomes[1000].error.detail == outcomes[1000].detail
    assert versions(db) == {1: 1, 2: 1000}


def test_a_refusal_is_the_exception_that_a_single_save_raises(store: Any) -> None:
    door = store.create("s-1", "door")
    shop = store.create("s-2", "purchase_item", {"product_query": "x"})
    items: list[tuple[Any, type[Exception], str]] = [
        (door.evolve(state="nowhere"), fsmstore.TransitionNotAllowed, "SM020"),
        (door.evolve(state="open", version=7), fsmstore.VersionConflict, "SM030"),
        (door.evolve(session_id="s-9", state="open"), fsmstore.SessionNotFound, "SM010"),
        (door.evolve(context={"x": {1, 2}}), fsmstore.InvalidContext, "SM021"),
        (shop.evolve(context={"product_query": 1}, state="search"), fsmstore.InvalidContext, "SM021"),
        ({"session": door.evolve(state="open"), "turn": 5}, fsmstore.TurnExpired, "SM051"),
        (door.evolve(state=""), psycopg.errors.InvalidParameterValue, "22023"),
        (door.evolve(session_id="a\0b"), psycopg.errors.InvalidParameterValue, "22023"),
        (door.evolve(context=None), psycopg.errors.NullValueNotAllowed, "22004"),
        ({"session": door.evolve(state="open"), "expected_version": 1 << 64}, psycopg.DataError, "22023"),
    ]
    outcomes = store.save_many([item for item, _, _ in items], atomic=False)
    for ordinal, (outcome, (item, kind, sqlstate)) in enumerate(zip(outcomes, items, strict=True), start=1):
        assert (outcome.ok, outcome.sqlstate, outcome.ordinal) == (False, sqlstate, ordinal)
        assert (outcome.version, outcome.state) == (None, None)
        assert isinstance(outcome.error, kind)
        single = item if isinstance(item, dict) else {"session": item}
        with pytest.raises(kind) as caught:
            store.save(**single)
        if isinstance(caught.value, fsmstore.FsmError):
            assert type(caught.value) is type(outcome.error)
            assert caught.value.message == outcome.error.message == outcome.message
            assert {**caught.value.detail, "ordinal": ordinal} == outcome.detail == outcome.error.detail
        else:
            assert caught.value.sqlstate == outcome.error.sqlstate
        with pytest.raises(kind) as raised:
            store.save_many([item])
        if isinstance(raised.value, fsmstore.FsmError):
            assert raised.value.detail["ordinal"] == 1
    assert [store.load(name).version for name in ("s-1", "s-2")] == [1, 1]
    assert repr(outcomes[0]).count("error") == 0


def test_what_cannot_be_sent_is_an_outcome_in_its_place(store: Any) -> None:
    session = store.create("s-1", "door", {"n": 0})
    bad = session.evolve(context={"n": float("nan")})
    items = [bad, {"session": session.evolve(context={"n": 1})}, bad, {"session": session, "expected_version": None}]
    outcomes = store.save_many(items, atomic=False)
    assert [(one.ordinal, one.ok, one.version) for one in outcomes] == [
        (1, False, None), (2, True, 2), (3, False, None), (4, True, 3),
    ]  # fmt: skip
    assert outcomes[2].error.path == "$.n"
    with pytest.raises(fsmstore.InvalidContext) as caught:
        store.save_many([session.evolve(version=3), bad])
    assert caught.value.detail["ordinal"] == 2
    assert store.load("s-1").version == 3


def test_items_of_one_session_build_on_each_other(store: Any) -> None:
    session = store.create("s-1", "door", {"n": 0})
    other = store.create("s-2", "door")
    items = [
        session.evolve(state="open"),
        {"session": session.evolve(version=2, state="closed"), "event": "CLOSE", "actor": "ann", "note": {"x": [1.0]}},
        other.evolve(context={"n": 5}),
        session.evolve(state="open", context={"n": 2}),  # still expects version 1
        {"session_id": "s-1", "state": "open", "context": {"n": 3}},
    ]
    outcomes = store.save_many(items, atomic=False)
    assert [(one.session_id, one.ok, one.version) for one in outcomes] == [
        ("s-1", True, 2), ("s-1", True, 3), ("s-2", True, 2), ("s-1", False, None), ("s-1", True, 4),
    ]  # fmt: skip
    assert outcomes[3].error.actual == 3
    history = store.history("s-1")
    assert (history[1].event, history[1].actor, history[1].note) == ("CLOSE", "ann", {"x": [1.0]})
    with pytest.raises(fsmstore.VersionConflict) as caught:
        store.save_many([{**one, "expected_version": 4} if isinstance(one, dict) else one for one in items[3:]])
    assert caught.value.ordinal == 1
    assert store.load("s-1").context == {"n": 3}


def test_an_item_may_be_given_with_the_arguments_of_save(store: Any) -> None:
    session = store.create("s-1", "door")
    request = uuid4()
    item = {"session": session.evolve(state="open"), "expected_version": fsmstore.Expect.SESSION_VERSION}
    (one,) = store.save_many([{**item, "request_id": request}])
    (again,) = store.save_many([{**item, "request_id": str(request)}])
    assert again == one
    assert store.load("s-1").version == 2


def test_an_item_that_does_not_say_which_session(store: Any) -> None:
    (one,) = store.save_many([{"state": "open", "context": {}}], atomic=False)
    assert (one.session_id, one.sqlstate) == (None, "22004")
    (other,) = store.save_many([{"session_id": "\ud800", "state": "open", "context": {}}], atomic=False)
    assert (other.session_id, other.sqlstate) == ("\ud800", "22023")


def test_what_save_would_not_take_is_a_mistake(store: Any) -> None:
    session = store.create("s-1", "door")
    good = session.evolve(state="open")
    for wrong, words in (
        ({"session": good, "state": "open", "colour": "red"}, "no argument colour"),
        ({"session": good, "turn": "1"}, "turn must be int"),
        ({"session": good, "request_id": 5}, "request_id must be a UUID"),
        ({"session": "s-1"}, "session must be a Session"),
        ("s-1", "a Session or a mapping, not str"),
        (None, "not NoneType"),
    ):
        with pytest.raises(TypeError, match=words):
            store.save_many([good, wrong], atomic=False)
    assert store.load("s-1").version == 1


def test_every_value_arrives_as_it_is(store: Any) -> None:
    context = {'ü"\\': ["\u2028", 1e16, -0.0, 10**30, None, True, {"": []}], "n": "\U0001f600"}
    name = 's"\\\u00fc\U0001f600'
    session = store.create(name, "door")
    (one,) = store.save_many([{"session": session.evolve(state="open", context=context), "actor": 'a"\\'}])
    assert one.session_id == name
    loaded = store.load(name)
    assert loaded.context == context
    assert repr(loaded.context['ü"\\'][1:3]) == "[1e+16, 0.0]"
    assert store.history(name)[0].actor == 'a"\\'


def test_large_batches_are_split_by_size_as_well(
    flavour: Flavour, app_dsn: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = flavour.store(proxy.dsn)
    sessions: list[Session] = [store.create(f"s-{number}", "door") for number in range(5)]
    monkeypatch.setattr(batch_operations, "CHARACTERS", 1000)
    sizes = (600, 10, 600, 5000, 1)
    items = [one.evolve(state="open", context={"text": "x" * size}) for one, size in zip(sessions, sizes, strict=True)]
    bad = [*items[:4], items[4].evolve(state="nowhere")]
    with pytest.raises(fsmstore.TransitionNotAllowed) as caught:
        store.save_many(bad)
    assert caught.value.ordinal == 5
    assert {one.version for one in store.load_many([one.session_id for one in sessions]).values()} == {1}
    proxy.cut("COMMIT", "after")
    assert all(one.ok for one in store.save_many(items))
    assert proxy.made == 1
    assert {one.version for one in store.load_many([one.session_id for one in sessions]).values()} == {2}


def test_nothing_that_is_held_is_old_afterwards(store: Any) -> None:
    sessions = [store.create(f"s-{number}", "door", {"n": 0}) for number in range(3)]
    store.save_many([one.evolve(context={"n": 1}) for one in sessions])
    assert store.load("s-0", max_age=1000).context == {"n": 1}
    with pytest.raises(fsmstore.VersionConflict):
        store.save_many([store.load("s-1").evolve(context={"n": 2}), sessions[2]])
    assert store.load("s-1", max_age=1000).context == {"n": 1}
    store.save_many([{"session_id": "s-2", "state": "closed", "context": {"n": 3}}, sessions[0]], atomic=False)
    assert store.load("s-2", max_age=1000).context == {"n": 3}


@pytest.mark.parametrize("when", ["before", "inside", "after"])
@pytest.mark.parametrize("atomic", [True, False])
def test_a_batch_is_applied_once(flavour: Flavour, proxy: Proxy, db: Connection, atomic: bool, when: str) -> None:
    store = flavour.store(proxy.dsn)
    sessions = [store.create(f"s-{number}", "door") for number in range(3)]
    items = [one.evolve(state="open") for one in sessions]
    items += [one.evolve(state="closed", version=2) for one in sessions]
    proxy.cut("fsm.save_sessions", when)
    outcomes = store.save_many(items, atomic=atomic)
    assert proxy.made == 1
    assert [(one.ok, one.version, one.state) for one in outcomes] == [(True, 2, "open")] * 3 + [(True, 3, "closed")] * 3
    assert versions(db) == {3: 3}


@pytest.mark.parametrize("statement", ["BEGIN", "fsm.save_sessions", "s-2", "COMMIT"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_batch_of_several_calls_is_applied_once(
    flavour: Flavour, proxy: Proxy, db: Connection, monkeypatch: pytest.MonkeyPatch, statement: str, when: str
) -> None:
    monkeypatch.setattr(batch_operations, "ITEMS", 2)
    store = flavour.store(proxy.dsn)
    items = [store.create(f"s-{number}", "door").evolve(state="open") for number in range(5)]
    proxy.cut(statement, when)
    assert all(one.ok for one in store.save_many(items))
    assert proxy.made == 1
    assert versions(db) == {2: 5}


@pytest.mark.parametrize("when", ["before", "after"])
def test_each_call_of_a_batch_that_is_not_atomic_is_applied_once(
    flavour: Flavour, proxy: Proxy, db: Connection, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    monkeypatch.setattr(batch_operations, "ITEMS", 2)
    store = flavour.store(proxy.dsn)
    items = [store.create(f"s-{number}", "door").evolve(state="open") for number in range(5)]
    for _ in range(2):
        proxy.cut("fsm.save_sessions", when)
    assert all(one.ok for one in store.save_many(items, atomic=False))
    assert proxy.made == 2
    assert versions(db) == {2: 5}


def test_batches_of_several_calls_that_meet(
    flavour: Flavour, app_dsn: str, db: Connection, thousand: list[str], connect_as: Callable[..., Connection]
) -> None:
    """In opposite orders they deadlock; one of them is sent again."""
    store = flavour.store(app_dsn)
    items = [{"session_id": name, "state": "closed", "context": {}} for name in thousand]
    with holding(connect_as("test_app"), thousand[1000]) as release:
        with running(lambda: store.save_many(items)) as one:
            wait_until(lambda: waiting_backend(db) is not None, "the first has a thousand locks, and waits")
            with running(lambda: store.save_many([*items[500:], *items[:500]])) as other:
                release()
        assert all(outcome.ok for outcome in one.result())
        assert all(outcome.ok for outcome in other.result())
    assert versions(db) == {3: 1001}


# In the caller's transaction.


@pytest.mark.parametrize("atomic", [True, False])
def test_in_the_callers_transaction(
    flavour: Flavour, app_dsn: str, db: Connection, thousand: list[str], atomic: bool
) -> None:
    connection = flavour.connect(app_dsn)
    store = flavour.store(connection)
    items = [one.evolve(state="open") for one in store.load_many(thousand).values()]
    assert all(one.ok for one in store.save_many(items, atomic=atomic))
    assert versions(db) == {1: 1001}
    connection.rollback()
    assert versions(db) == {1: 1001}
    store.save_many(items, atomic=atomic)
    assert versions(db) == {1: 1001}
    connection.commit()
    assert versions(db) == {2: 1001}
    ids = db.execute("select count(request_id) from fsm_internal.history where version = 2").fetchone()
    assert ids == (0,)


def test_on_a_connection_in_autocommit_an_atomic_batch_is_one_transaction(
    flavour: Flavour, app_dsn: str, db: Connection, thousand: list[str]
) -> None:
    connection = flavour.connect(app_dsn, autocommit=True)
    store = flavour.store(connection)
    items = [one.evolve(state="open") for one in store.load_many(thousand).values()]
    items[1000] = items[1000].evolve(version=9)
    with pytest.raises(fsmstore.VersionConflict) as caught:
        store.save_many(items)
    assert caught.value.ordinal == 1001
    assert versions(db) == {1: 1001}
    items[1000] = items[1000].evolve(version=1)
    with flavour.transaction(connection):
        store.save_many(items)
        assert versions(db) == {1: 1001}
        raise psycopg.Rollback
    assert versions(db) == {1: 1001}
    store.save_many(items)
    assert versions(db) == {2: 1001}


def test_in_a_given_pool_that_is_not_in_autocommit(
    flavour: Flavour, app_dsn: str, db: Connection, thousand: list[str]
) -> None:
    store = flavour.store(flavour.pool(app_dsn, min_size=1, max_size=1))
    items = [one.evolve(state="open") for one in store.load_many(thousand).values()]
    with pytest.raises(fsmstore.TransitionNotAllowed):
        store.save_many([*items[:1000], items[1000].evolve(state="nowhere")])
    assert versions(db) == {1: 1001}
    store.save_many(items)
    assert versions(db) == {2: 1001}
