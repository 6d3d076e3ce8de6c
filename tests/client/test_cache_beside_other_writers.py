"""On a real database, with other writers behind the store's back: what is loaded is what there is."""

from __future__ import annotations

import copy
from typing import Any

import psycopg
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from psycopg.types.json import Jsonb

from fsmstore import SessionNotFound, SessionStore, VersionConflict
from support.clients import Flavour
from support.proxy import Proxy
from support.together import erase

Connection = psycopg.Connection[Any]


def test_an_unchanged_session_comes_back_without_its_context(flavour: Flavour, proxy: Proxy, app: Connection) -> None:
    store = flavour.store(proxy.dsn)
    text = "a text that is looked for on the wire"
    store.create("s-1", "door", {"n": 1, "text": text})
    assert proxy.answered(text) == 0
    assert store.load("s-1").context["text"] == text
    assert proxy.answered(text) == 0
    app.execute("select fsm.update_context('s-1', '{\"n\": 2}')")
    assert store.load("s-1").context == {"n": 2, "text": text}
    assert proxy.answered(text) == 1
    assert store.load("s-1").context == {"n": 2, "text": text}
    assert proxy.answered(text) == 1
    plain = flavour.store(proxy.dsn, cache_entries=0)
    for _ in range(2):
        assert plain.load("s-1").context["n"] == 2
    assert proxy.answered(text) == 3


def test_max_age_does_not_ask_the_database(flavour: Flavour, proxy: Proxy, app: Connection) -> None:
    store = flavour.store(proxy.dsn)
    store.create("s-1", "door", {"n": 1})
    app.execute("select fsm.update_context('s-1', '{\"n\": 2}')")
    assert store.load("s-1", max_age=60).context == {"n": 1}
    assert store.load("s-1", max_age=0).context == {"n": 2}
    assert store.load("s-1", max_age=60).context == {"n": 2}
    store.update("s-1", {"n": 3})
    assert store.load("s-1", max_age=60).context == {"n": 3}
    assert store.load("s-2", max_age=60) is None


def test_a_refused_write_is_not_held(flavour: Flavour, app_dsn: str) -> None:
    store = flavour.store(app_dsn)
    session = store.create("s-1", "door", {"n": 1})
    store.update("s-1", {"n": 2})
    with pytest.raises(VersionConflict):
        store.save(session.evolve(context={"n": 99}))
    assert store.load("s-1", max_age=60).context == {"n": 2}


def test_a_session_that_was_deleted_and_made_again(flavour: Flavour, app_dsn: str, db: Connection) -> None:
    store = flavour.store(app_dsn)
    store.create("s-1", "door", {"n": 1})
    store.update("s-1", {"n": 2})
    store.load("s-1")
    erase(db, "s-1")
    assert store.load("s-1") is None
    assert store.load("s-1", max_age=60) is None
    db.execute("select fsm.create_session('s-1', 'door', '{\"n\": 3}')")
    db.execute("select fsm.update_context('s-1', '{\"n\": 4}')")
    again = store.load("s-1")
    assert (again.version, again.context) == (2, {"n": 4})
    assert store.load_many(["s-1"])["s-1"] == again


class Writers(RuleBasedStateMachine):
    """A store with a cache, and other writers behind its back; a plain model says what must be seen."""

    app: str
    db: Connection

    sessions = Bundle("sessions")
    contexts = st.dictionaries(st.sampled_from("abc"), st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=2))
    ids = st.sampled_from(["s-1", "s-2", "s-3"])

    def __init__(self) -> None:
        super().__init__()
        self.store = SessionStore(self.app, cache_entries=2, max_size=1)
        self.owner = SessionStore(self.db)
        """An administrator's, on another connection; what it deletes, the store has to find out."""
        self.now: dict[str, Any] = {}
        """The context of each session that there is."""
        self.was: dict[str, list[Any]] = {}
        """All contexts that each present session has had, by version from 1."""
        self.told: dict[str, int] = {}
        """The highest version of each that the store was told."""

    @initialize()
    def nothing(self) -> None:
        for name in ("s-1", "s-2", "s-3"):
            erase(self.db, name)

    def teardown(self) -> None:
        self.store.close()

    def wrote(self, name: str, context: Any) -> None:
        self.now[name] = copy.deepcopy(context)
        self.was.setdefault(name, []).append(copy.deepcopy(context))

    @rule(name=ids, context=contexts)
    def create(self, name: str, context: Any) -> None:
        if name not in self.now:
            made = self.store.create(name, "door", context)
            self.wrote(name, context)
            self.told[name] = made.version
            made.context["changed in place"] = True

    @rule(target=sessions, name=ids)
    def load(self, name: str) -> Any:
        session = self.store.load(name)
        assert (session and session.context) == self.now.get(name)
        if session is not None:
            assert session.version == len(self.was[name])
            self.told[name] = session.version
            session.context["changed in place"] = True
            session.context.clear()
        return self.store.load(name)

    @rule(name=ids)
    def load_aged(self, name: str) -> None:
        session = self.store.load(name, max_age=1000)
        row = self.db.execute("select created_at from fsm.load_session(%s)", (name,)).fetchone()
        # Of a session that others have deleted or made again since, the old one may still be told.
        if session is not None and row is not None and session.created_at == row[0]:
            assert session.version >= self.told.get(name, 0)
            assert session.context == self.was[name][session.version - 1]
            self.told[name] = session.version
            session.context["changed in place"] = True

    @rule(session=sessions, context=contexts)
    def save(self, session: Any, context: Any) -> None:
        if session is None:
            return
        name = session.session_id
        changed = session.evolve(context=context)
        if name not in self.now:
            with pytest.raises(SessionNotFound):
                self.store.save(changed)
        elif session.version != len(self.was[name]):
            with pytest.raises(VersionConflict):
                self.store.save(changed)
        else:
            self.wrote(name, context)
            saved = self.store.save(changed)
            assert saved.version == len(self.was[name])
            self.told[name] = saved.version

    @rule(name=ids, value=st.integers(0, 9))
    def update(self, name: str, value: int) -> None:
        if name in self.now:
            result = self.store.update(name, {"u": value})
            self.wrote(name, {**self.now[name], "u": value})
            self.told[name] = result.version

    @rule(name=ids, data=st.data())
    def rollback(self, name: str, data: st.DataObject) -> None:
        if name in self.now:
            version = data.draw(st.integers(1, len(self.was[name])))
            back = self.store.rollback(name, version, expected_version=None)
            self.wrote(name, self.was[name][version - 1])
            assert back.context == self.now[name]
            self.told[name] = back.version
            back.context["changed in place"] = True

    @rule(names=st.lists(ids, max_size=4), context=contexts, atomic=st.booleans())
    def save_many(self, names: list[str], context: Any, atomic: bool) -> None:
        items = [{"session_id": name, "state": "closed", "context": context} for name in names]
        if atomic and not self.now.keys() >= set(names):
            with pytest.raises(SessionNotFound):
                self.store.save_many(items)
            return
        for outcome in self.store.save_many(items, atomic=atomic):
            assert outcome.ok is (outcome.session_id in self.now)
            if outcome.ok:
                self.wrote(outcome.session_id, context)
                self.told[outcome.session_id] = outcome.version

    @rule(name=ids, source=ids)
    def fork(self, name: str, source: str) -> None:
        if name not in self.now and source in self.now:
            self.store.fork(source, len(self.was[source]), name)
            self.wrote(name, self.now[source])
            self.told[name] = 1

    @rule(name=ids)
    def take_a_turn(self, name: str) -> None:
        if name in self.now:
            with self.store.turn(name, "hypothesis") as turn:
                assert turn.session.context == self.now[name]
                self.told[name] = turn.session.version
                turn.session.context["changed in place"] = True

    @rule(name=ids)
    def delete(self, name: str) -> None:
        assert self.owner.delete(name) is (name in self.now)
        for known in (self.now, self.was, self.told):
            known.pop(name, None)

    @rule(names=st.lists(ids, max_size=3))
    def load_many(self, names: list[str]) -> None:
        found = self.store.load_many(names)
        assert {name: session.context for name, session in found.items()} == {
            name: self.now[name] for name in names if name in self.now
        }
        for name, session in found.items():
            self.told[name] = session.version

    @rule(name=ids, value=st.integers(0, 9))
    def another_writes(self, name: str, value: int) -> None:
        if name in self.now:
            self.db.execute("select fsm.update_context(%s, jsonb_build_object('o', %s::int))", (name, value))
            self.wrote(name, {**self.now[name], "o": value})

    @rule(name=ids)
    def another_deletes(self, name: str) -> None:
        erase(self.db, name)
        for known in (self.now, self.was, self.told):
            known.pop(name, None)

    @rule(name=ids, context=contexts)
    def another_creates(self, name: str, context: Any) -> None:
        if name not in self.now:
            self.db.execute("select fsm.create_session(%s, 'door', %s)", (name, Jsonb(context)))
            self.wrote(name, context)


def test_beside_other_writers_the_cache_is_never_stale(app_dsn: str, db: Connection) -> None:
    Writers.app, Writers.db = app_dsn, db
    run_state_machine_as_test(Writers, settings=settings(max_examples=40, stateful_step_count=40))
