"""The starting points of the explored schedules, and the calls that meet there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg

from support.api import Api
from support.lanes import Call
from support.machines import PURCHASE, machine
from support.originals import BATCH, contract, message, shelf_value, table_row
from support.stored import age
from support.worlds import World, keep

Connection = psycopg.Connection[Any]
FIRST, SECOND = "aaaaaaaa-0000-0000-0000-000000000001", "aaaaaaaa-0000-0000-0000-000000000002"

_STATES: dict[str, Any] = {
    "a": {"on": {"GO": "b", "STAY": "a"}, "after": {"60000": "b"}},
    "b": {"on": {"BACK": "a", "END": "c"}, "after": {"3600000": "c"}},
    "c": {"type": "final"},
}
_GENTLE = machine(_STATES, name="gentle", loop=None)
_NEXT = {**_GENTLE, "states": {**_STATES, "b": {"on": {"BACK": "a", "END": "c", "STOP": "c"}}}}
_LOOPING = machine(
    {"a": {"on": {"STAY": "a", "OUT": "b"}}, "b": {"on": {"IN": "a"}}},
    name="looping",
    loop={"limit": 2, "window": "1 hour", "action": "block"},
    audit="chain",
)
ROW = table_row("s-1", contract("s-1"), chat=[message("one")])
VALUE = shelf_value("s-1", chat=[message("two", "2025-06-04T19:00:00")])
MORE = shelf_value("s-1", chat=[message("three", "2025-06-04T20:00:00")])


class Start:
    """A world, the sessions in it that a call may find busy, and the token of the turn that is held in it."""

    def __init__(self, db: Connection, name: str) -> None:
        self.world, self.sessions = World(db, name), WORLDS[name][1]
        row = db.execute("select turn from fsm_internal.turns").fetchone()
        self.turn = 0 if row is None else int(row[0])


def _old_sessions(api: Api, db: Connection) -> None:
    """Make two sessions, so long ago that their deadlines are due and their histories may be cut."""
    api.create("s-1", "gentle", context={"log": ["one"]}, machine_version=1)
    api.move("s-1", "GO", "BACK")
    api.update("s-1", append={"log": ["two"]})
    api.create("s-2", "gentle", machine_version=1)
    api.update("s-2", patch={"x": 1})
    age(db, "2 days")


def _held(api: Api, db: Connection) -> None:
    _old_sessions(api, db)
    api.begin("s-1", "somebody", ttl="1 hour", request_id=FIRST)


def _empty(api: Api, _: Connection) -> None:
    api.create("s-0", "gentle", machine_version=1)


def _imported(api: Api, db: Connection) -> None:
    for item in (ROW, VALUE):
        api.rows("import_sessions", items=[item], batch=BATCH, dry_run=False)
    age(db, "2 days")


def _loop(api: Api, _: Connection) -> None:
    api.create("s-1", "looping")
    api.send("s-1", "STAY")


WORLDS: dict[str, tuple[Callable[[Api, Connection], None], tuple[str, ...]]] = {
    "open": (_old_sessions, ("s-1", "s-2")),
    "held": (_held, ("s-1", "s-2")),
    "empty": (_empty, ("s-0", "s-1")),
    "imported": (_imported, ("s-1",)),
    "loop": (_loop, ("s-1",)),
}


def build(db: Connection) -> None:
    """Make the worlds, one after the other, and leave nothing but them and the definitions."""
    api = Api(db)
    for definition in (_GENTLE, _NEXT, _LOOPING, PURCHASE):
        api.one("define_machine", definition=definition)
    for name, (make, _) in WORLDS.items():
        make(api, db)
        keep(db, name)
    # Later than the import, which takes the newest: so that there is something to upgrade to.
    more = {"states": {**PURCHASE["states"], "extra": {"type": "final"}}, "on": {**PURCHASE["on"], "EXTRA": "extra"}}
    api.one("define_machine", definition={**PURCHASE, **more})


def _item(session_id: str, **more: Any) -> dict[str, Any]:
    return {"session_id": session_id, "state": "b", "context": {"by": "batch"}, **more}


def _save(state: str, version: int | None, **more: Any) -> Call:
    arguments = {"session_id": "s-1", "state": state, "context": {"by": "save"}, "expected_version": version}
    return Call("save_session", {**arguments, **more})


def _batch(*items: dict[str, Any], atomic: bool = True) -> Call:
    return Call("save_sessions", {"items": list(items), "atomic": atomic})


def _upgrade(name: str) -> Call:
    arguments = {"machine": name, "from_version": 1, "to_version": 2, "dry_run": False}
    return Call("upgrade_sessions", arguments)


def _import(item: Any) -> Call:
    return Call("import_sessions", {"items": [item], "batch": BATCH, "dry_run": False})


def _send(event: str, **more: Any) -> Call:
    return Call("send_event", {"session_id": "s-1", "event": event, **more})


S1 = {"session_id": "s-1"}
_SWEEPS = {
    "fire": Call("fire_deadlines"),
    "purge": Call("purge_sessions", {"idle": "1 day", "only_final": False}),
    "trim": Call("trim_history", {"keep_versions": 1}),
}
READING = {
    "load": Call("load_session", S1),
    "verify": Call("verify_sessions"),
    "changes": Call("changes"),
}
# They rebuild what was, or read several rows.
REBUILDING = {
    "at": Call("load_session_at", {**S1, "version": 2}),
    "diff": Call("diff_session", {**S1, "from_version": 1, "to_version": 4}),
    "history": Call("history", S1),
    "allowed": Call("allowed_events", S1),
    "several": Call("load_sessions", {"session_ids": ["s-1", "s-2"]}),
}
_BEGIN = Call("begin_turn", {**S1, "holder": "me", "request_id": SECOND})


def calls(name: str, turn: int = 0) -> dict[str, Call]:
    """Return the calls of a world by name; `turn`: the token that is held there."""
    return {
        "open": {
            "save": _save("b", 4),
            "save_any": _save("a", None),
            "save_request": _save("b", None, request_id=FIRST),
            "send": _send("GO", append={"log": ["x"]}),
            "send_request": _send("STAY", request_id=FIRST),
            "update": Call("update_context", {**S1, "append": {"log": ["y"]}}),
            "batch": _batch(_item("s-1", expected_version=4), _item("s-2")),
            "batch_back": _batch(_item("s-2"), _item("s-1")),
            "batch_each": _batch(_item("s-2", expected_version=99), _item("s-1"), atomic=False),
            "rollback": Call("rollback_session", {**S1, "to_version": 2, "expected_version": None}),
            "fork": Call("fork_session", {**S1, "version": 4, "new_session_id": "f-1"}),
            "fork_next": Call("fork_session", {**S1, "version": 5, "new_session_id": "f-1"}),
            "create": Call("create_session", {**S1, "machine": "gentle"}),
            "delete": Call("delete_session", S1),
            "begin": _BEGIN,
            "begin_other": Call("begin_turn", {**S1, "holder": "somebody"}),
            "upgrade": _upgrade("gentle"),
            **_SWEEPS,
            **READING,
            **REBUILDING,
        },
        "held": {
            "extend": Call("extend_turn", {**S1, "turn": turn, "ttl": "30 minutes"}),
            "end": Call("end_turn", {**S1, "turn": turn}),
            "begin": _BEGIN,
            "begin_again": Call("begin_turn", {**S1, "holder": "somebody", "request_id": FIRST}),
            "save_turn": _save("b", None, turn=turn),
            "save": _save("b", None),
            "send_turn": _send("GO", turn=turn),
            "batch_turn": _batch(_item("s-2"), _item("s-1", turn=turn)),
            "rollback": Call("rollback_session", {**S1, "to_version": 2, "expected_version": None, "turn": turn}),
            "delete": Call("delete_session", S1),
            "upgrade": _upgrade("gentle"),
            **_SWEEPS,
        },
        "empty": {
            "create": Call("create_session", {**S1, "machine": "gentle"}),
            "create_request": Call("create_session", {**S1, "machine": "gentle", "request_id": FIRST}),
            "fork": Call("fork_session", {"session_id": "s-0", "version": 1, "new_session_id": "s-1"}),
            "fork_request": Call(
                "fork_session", {"session_id": "s-0", "version": 1, "new_session_id": "s-1", "request_id": FIRST}
            ),
            "import_row": _import(ROW),
            "import_value": _import(VALUE),
            "save": _save("b", None),
            "batch_each": _batch(_item("s-1"), _item("s-0"), atomic=False),
            "delete": Call("delete_session", S1),
            "begin": _BEGIN,
            "undo": Call("undo_import", {"batch": BATCH}),
        },
        "imported": {
            "import_same": _import(ROW),
            "import_more": _import(MORE),
            "undo": Call("undo_import", {"batch": BATCH}),
            "purge_import": Call("purge_import", {"batch": BATCH}),
            "save": _save("collect_preferences", None),
            "update": Call("update_context", {**S1, "patch": {"x": 1}}),
            "begin": _BEGIN,
            "delete": Call("delete_session", S1),
            "upgrade": _upgrade("purchase_item"),
            **_SWEEPS,
        },
        "loop": {
            "send": _send("STAY"),
            "save": _save("a", None, event="STAY"),
            "out": _send("OUT"),
            "detect": Call("detect_loop", S1),
            "verify": Call("verify_sessions"),
            "rollback": Call("rollback_session", {**S1, "to_version": 1, "expected_version": None}),
        },
    }[name]


# A writing call of each kind, and one that it may disturb when it is rolled back.
UNDONE: dict[str, dict[str, str]] = {
    "open": {
        "save": "save_any",
        "save_request": "save_request",
        "send_request": "save_request",
        "update": "send",
        "batch": "batch_back",
        "batch_each": "batch",
        "rollback": "fork",
        "fork": "fork",
        "delete": "save",
        "begin": "begin_other",
        "upgrade": "send",
        "fire": "update",
        "purge": "changes",
        "trim": "verify",
    },
    "held": {"extend": "begin_again", "end": "begin", "save_turn": "end"},
    "empty": {
        "create": "create_request",
        "create_request": "create_request",
        "fork_request": "create",
        "import_row": "import_value",
    },
    "imported": {"import_more": "update", "purge_import": "delete", "undo": "save"},
    "loop": {"send": "save"},
}

# What is a variant of another call meets those to which the difference matters; all others meet everything.
_ONLY_WITH: dict[str, dict[str, set[str]]] = {
    "open": {
        "save_any": {"save", "save_any", "send", "fire", "trim"},
        "save_request": {"save", "save_request", "send_request", "batch", "rollback", "delete"},
        "send_request": {"send", "send_request"},
        "batch_back": {"batch", "batch_back", "batch_each", "upgrade", "fire"},
        "fork_next": {"save", "rollback", "delete", "trim", "upgrade"},
        "create": {"delete", "purge", "fork", "create"},
        "begin_other": {"begin", "begin_other"},
        **{name: {"save", "batch", "rollback", "delete", "trim", "upgrade"} for name in REBUILDING},
    },
    "held": {
        name: {"extend", "end", "begin", "begin_again", "save_turn"}
        for name in ("save", "send_turn", "batch_turn", "rollback", "delete", "upgrade", "fire", "purge", "trim")
    },
}


def pairs(name: str) -> list[tuple[str, str]]:
    """Return the pairs of a world's calls, each with itself too; two readers have nothing to do with each other."""
    names = list(calls(name))
    readers = {*READING, *REBUILDING, "detect"}
    only_with = _ONLY_WITH.get(name, {})
    return [
        (one, other)
        for place, one in enumerate(names)
        for other in names[place:]
        if not {one, other} <= readers
        and other in only_with.get(one, names)
        and one in (only_with.get(other, names) if one not in only_with else names)
    ]
