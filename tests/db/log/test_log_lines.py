"""Refusals, loops and corruption stand in the server's log: a name, a blank, a JSON object, on one line."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import psycopg
import pytest

from support.api import Api, refused
from support.serverlog import ServerLog

STATES: dict[str, Any] = {
    "a": {"on": {"GO": {"target": "b", "guard": "$.ok == true"}, "SELF": "a", "END": "z"}},
    "b": {"on": {"BACK": "a"}, "meta": {"invariant": "$.n != 13"}},
    "z": {"type": "final"},
}
SCHEMA = {
    "properties": {"n": {"type": "integer", "maximum": 100}, "t": {"enum": ["x", "y"]}, "p": {"pattern": "^[0-9]*$"}},
    "additionalProperties": False,
}


@pytest.fixture
def s(api: Api, define: Callable[..., int], server_log: ServerLog) -> Api:
    """Session s-1 is in a with one passage a -> a behind it, s-z in a final state; the log is empty."""
    define(STATES, loop={"limit": 1, "window": "1 hour", "action": "block"}, context_schema=SCHEMA)
    for session_id in ("s-1", "s-z"):
        api.create(session_id, "m")
    api.send("s-1", "SELF")
    api.send("s-z", "END")
    server_log.mark()
    return api


REFUSED: list[tuple[str, Callable[[Api], Any]]] = [
    ("SM001", lambda api: api.create("s-2", "nothing")),
    ("SM010", lambda api: api.history("nobody")),
    ("SM010", lambda api: api.update("nobody")),
    ("SM011", lambda api: api.create("s-1", "m")),
    ("SM012", lambda api: api.update("s-z")),
    ("SM020", lambda api: api.send("s-1", "NO")),
    ("SM020", lambda api: api.save("s-1", "z", event="GO")),
    ("SM021", lambda api: api.update("s-1", patch={"n": "x"})),
    ("SM021", lambda api: api.save("s-1", "b", [])),
    ("SM022", lambda api: api.send("s-1", "GO")),
    ("SM022", lambda api: api.save("s-1", "b")),
    ("SM030", lambda api: api.save("s-1", "a", {}, 7)),
    ("SM051", lambda api: api.update("s-1", turn=1)),
]


def test_a_refusal_is_one_line_with_what_detail_says_but_the_findings(s: Api, server_log: ServerLog) -> None:
    for sqlstate, call in REFUSED:
        server_log.mark()
        with refused(sqlstate) as refusal:
            call(s)
        [line] = server_log.events("fsm.refused")
        assert (line.pop("sqlstate"), line.pop("message")) == (sqlstate, refusal.message)
        assert line.items() <= refusal.detail.items()
        assert refusal.detail.keys() - line.keys() <= {"findings", "path"}
        assert not server_log.events("fsm.corrupt")


def test_an_invalid_definition_is_a_refusal(db: psycopg.Connection[Any], server_log: ServerLog) -> None:
    with refused("SM002"):
        db.execute("""select fsm.define_machine('{"id": "bad", "initial": "a", "states": {}}')""")
    [line] = server_log.events("fsm.refused")
    assert line == {"sqlstate": "SM002", "message": "definition invalid", "machine": "bad"}


def test_the_line_survives_the_rollback(s: Api, server_log: ServerLog) -> None:
    s.conn.execute("begin")
    s.update("s-1", patch={"n": 1})
    with refused("SM020"):
        s.send("s-1", "NO")
    s.conn.execute("rollback")
    [line] = server_log.events("fsm.refused")
    assert (line["session_id"], line["event"], line["version"]) == ("s-1", "NO", 3)
    assert s.load("s-1").version == 2


def test_a_loop_that_is_blocked_is_two_lines(s: Api, server_log: ServerLog) -> None:
    with refused("SM040") as refusal:
        s.send("s-1", "SELF")
    assert server_log.events("fsm.loop") == [refusal.detail]
    [line] = server_log.events("fsm.refused")
    assert line == {**refusal.detail, "sqlstate": "SM040", "message": "loop blocked"}


@pytest.mark.parametrize("action", ["log", {"divert": "b"}])
def test_a_loop_that_is_saved_is_one_line(
    api: Api, define: Callable[..., int], server_log: ServerLog, action: Any
) -> None:
    define({"a": {"on": {"SELF": "a"}}, "b": {"on": {"X": "a"}}}, loop={"limit": 1, "action": action})
    api.create("s-1", "m")
    api.move("s-1", "SELF", "SELF")
    divert_to = action["divert"] if isinstance(action, dict) else None
    facts = {"session_id": "s-1", "machine": "m", "machine_version": 1, "version": 2, "event": "SELF"}
    rule = {
        "loop_limit": 1,
        "loop_window": "300 seconds",
        "action": "divert" if divert_to else "log",
        "divert_to": divert_to,
    }
    assert server_log.events("fsm.loop") == [{**facts, **rule, "from_state": "a", "to_state": "a"}]
    assert server_log.events("fsm.refused") == []


def test_a_divert_that_its_state_refuses_is_a_loop_and_a_refusal(
    api: Api, define: Callable[..., int], server_log: ServerLog
) -> None:
    states = {"a": {"on": {"SELF": "a"}}, "b": {"on": {"X": "a"}, "meta": {"invariant": "$.n == 1"}}}
    define(states, loop={"limit": 1, "action": {"divert": "b"}})
    api.create("s-1", "m")
    api.send("s-1", "SELF")
    with refused("SM040"):
        api.send("s-1", "SELF")
    assert (len(server_log.events("fsm.loop")), len(server_log.events("fsm.refused"))) == (1, 1)


def test_corruption_is_one_line(s: Api, db: psycopg.Connection[Any], server_log: ServerLog) -> None:
    db.execute("update fsm_internal.sessions set state = 'nowhere' where session_id = 's-1'")
    with refused("SM060") as refusal:
        s.load("s-1")
    assert server_log.events("fsm.corrupt") == [refusal.detail]
    assert server_log.events("fsm.refused") == []


def test_what_is_allowed_is_no_line(s: Api, server_log: ServerLog) -> None:
    s.update("s-1", patch={"n": 1})
    s.move("s-1", "END")
    assert [text for level, text in server_log.lines() if text.startswith("fsm.")] == []


def test_names_with_line_ends_and_quotes_stay_on_one_line(s: Api, server_log: ServerLog) -> None:
    odd = 'x\ny\r\n"\\\t fsm.refused {} \u2028\u0001💡'
    for call in (partial(s.send, "s-1", odd), partial(s.save, "s-1", odd)):
        with refused("SM020"):
            call()
    with refused("SM010"):
        s.update(odd)
    lines = server_log.events("fsm.refused")
    assert [line.get("event") or line.get("to_state") or line["session_id"] for line in lines] == [odd] * 3


MARK = "Geheimnis-4711"
CONTEXTS = [
    f'{{"n": "{MARK}"}}',
    f'{{"t": "{MARK}"}}',
    f'{{"p": "{MARK}"}}',
    f'{{"odd": "{MARK}"}}',
    f'{{"ok": "{MARK}"}}',
    f'{{"current_state": "{MARK}"}}',
    f'{{"session_id": "{MARK}"}}',
    f'["{MARK}"]',
    f'"{MARK}"',
    f'{{"t": "{MARK}", "x": 1e1000}}',
    f'{{"t": {"[" * 100}"{MARK}"{"]" * 100}}}',
    f'{{"n": 13, "ok": true, "t": "{MARK}"}}',
]


def test_contexts_never_stand_in_our_lines(s: Api, server_log: ServerLog) -> None:
    for context in CONTEXTS:
        calls: list[Callable[[], Any]] = [
            partial(s.create, "s-3", "m", context=context),
            partial(s.save, "s-1", "b", context),
            partial(s.save, "s-1", "a", context, event="SELF"),
            partial(s.send, "s-1", "GO", patch=context),
            partial(s.send, "s-1", "NO", patch=context),
            partial(s.update, "s-1", append=context),
        ]
        for call in calls:
            with pytest.raises(psycopg.Error):
                call()
    ours = [text for level, text in server_log.lines() if level == "LOG" and text.startswith("fsm.")]
    assert len(ours) >= 6 * len(CONTEXTS)
    assert [text for text in ours if MARK in text] == []


def test_keys_of_a_context_do_not_either(s: Api, server_log: ServerLog) -> None:
    for context in (f'{{"{MARK}": 1}}', f'{{"{MARK}": 1e1000}}', f'{{"{MARK}": {"[" * 100}{"]" * 100}}}'):
        with refused("SM021"):
            s.update("s-1", patch=context)
        with refused("SM021"):
            s.create("s-3", "m", context=context)
    ours = [text for level, text in server_log.lines() if text.startswith("fsm.")]
    assert len(ours) == 6
    assert [text for text in ours if MARK in text] == []
