"""Every argument of every function of schema fsm, with the values that are thrown at it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from support.hostile import ACCEPTED, BATCH, MACHINE, Case
from support.hostile_json import APPENDS, CONTEXTS, NOTES, PATCHES, STATE_MAPS, UPGRADE_PATCHES
from support.hostile_listed import CHECKED, DEFINITIONS, ID_LISTS, IMPORTS, ITEMS, PATHS
from support.hostile_values import (
    AGES,
    BIGINTS,
    BOOLEANS,
    CURSORS,
    FEW_ODD_TEXTS,
    FORMATS,
    FREE_TEXT,
    INTEGERS,
    LEASES,
    LIMITS,
    NULL,
    ODD_TEXTS,
    TIMES,
    UNKNOWN,
    UUIDS,
    Values,
    claims,
    names,
)


@dataclass(frozen=True)
class Arg:
    """One argument: what it is in a call that is right, what may be thrown at it, what comes of that."""

    values: Values
    right: Any = None
    null: str = "22004"
    unknown: str = ACCEPTED
    empty: str = ACCEPTED
    instead: dict[str, str] = field(default_factory=dict)
    """What comes of it here: by what comes of it elsewhere."""
    but: dict[str, str] = field(default_factory=dict)
    """What comes of it here: by the name of the value."""

    def outcome(self, name: str, came: str) -> str:
        came = {NULL: self.null, UNKNOWN: self.unknown, "empty": self.empty}.get(came, came)
        return self.but.get(name, self.instead.get(came, came))


ID, NAME, ACTORS = names(512), names(128), claims(512, ODD_TEXTS)
ID_IN_SHORT, NAME_IN_SHORT = names(512, FEW_ODD_TEXTS), names(128, FEW_ODD_TEXTS)


def session(unknown: str = "SM010", right: str = "s-1", values: Values = ID_IN_SHORT) -> Arg:
    return Arg(values, right, unknown=unknown)


def machine(values: Values = ID_IN_SHORT) -> Arg:
    return Arg(values, "m", unknown="SM001")


def optional(values: Values, unknown: str = ACCEPTED, **more: Any) -> Arg:
    return Arg(values, null=ACCEPTED, unknown=unknown, **more)


REQUEST, ACTOR, NOTE = optional(UUIDS), optional(claims(512)), optional(NOTES)
TURN = optional(BIGINTS, "SM051")
LIMIT = optional(LIMITS, right=10)
VERSION_OF_MACHINE = optional(INTEGERS, "SM001")
ALWAYS = Arg(BOOLEANS, True)
BATCH_ID = Arg(UUIDS, BATCH)
EXPECTED = optional(BIGINTS, "SM030")

FUNCTIONS: dict[str, dict[str, Arg]] = {
    "allowed_events": {"session_id": session()},
    "audit_head": {"session_id": session(), "version": optional(BIGINTS)},
    "begin_turn": {
        "session_id": session(),
        "holder": Arg(ID, "me"),
        "ttl": Arg(LEASES, "1 minute"),
        "request_id": REQUEST,
    },
    "changes": {"after": optional(CURSORS), "limit": LIMIT},
    "check_machine": {"definition": Arg(CHECKED, json.dumps(MACHINE), instead={"SM002": ACCEPTED})},
    "create_session": {
        "session_id": Arg(ID, "new"),
        "machine": machine(ID),
        "context": Arg(CONTEXTS, "{}"),
        "machine_version": VERSION_OF_MACHINE,
        "request_id": REQUEST,
        "actor": optional(ACTORS),
        "note": NOTE,
    },
    "define_machine": {"definition": Arg(DEFINITIONS, json.dumps(MACHINE))},
    "delete_session": {"session_id": session(ACCEPTED, values=ID)},
    "detect_loop": {"session_id": session()},
    "diagram": {
        "machine": machine(),
        "machine_version": VERSION_OF_MACHINE,
        "format": Arg(FORMATS, "mermaid"),
        "session_id": optional(ID_IN_SHORT, "SM010"),
    },
    "diff_session": {
        "session_id": session(),
        "from_version": Arg(BIGINTS, 1, unknown="22023"),
        "to_version": Arg(BIGINTS, 2, unknown="22023"),
    },
    "doctor": {},
    "end_turn": {"session_id": session("SM010", "held"), "turn": Arg(BIGINTS, 7)},
    "extend_turn": {
        "session_id": session("SM010", "held"),
        "turn": Arg(BIGINTS, 7, unknown="SM051"),
        "ttl": Arg(LEASES, "1 minute"),
    },
    "fire_deadlines": {"limit": LIMIT},
    "fork_session": {
        "session_id": session(),
        "version": Arg(BIGINTS, 1, unknown="22023"),
        "new_session_id": Arg(ID, "new"),
        "request_id": REQUEST,
        "actor": ACTOR,
    },
    "history": {"session_id": session(values=ID), "limit": LIMIT, "before_version": optional(BIGINTS)},
    "import_original": {"batch": BATCH_ID, "session_id": Arg(FREE_TEXT, "old-1")},
    "import_sessions": {"items": Arg(IMPORTS, "[]"), "batch": BATCH_ID, "dry_run": Arg(BOOLEANS, False)},
    "list_sessions": {
        "machine": optional(ID_IN_SHORT),
        "state": optional(NAME_IN_SHORT),
        "after_session_id": optional(claims(512)),
        "limit": LIMIT,
    },
    "load_context": {"session_id": session(ACCEPTED), "paths": Arg(PATHS, ["$.n"])},
    "load_session": {
        "session_id": session(ACCEPTED, values=ID),
        "known_version": optional(BIGINTS),
        "known_updated_at": optional(TIMES),
    },
    "load_session_at": {"session_id": session(ACCEPTED), "version": Arg(BIGINTS, 1)},
    "load_sessions": {"session_ids": Arg(ID_LISTS, ["s-1"])},
    "looping_sessions": {"limit": LIMIT},
    "machine_definition": {"machine": machine(), "machine_version": VERSION_OF_MACHINE},
    "metrics": {},
    "new_feed_epoch": {},
    "purge_import": {"batch": BATCH_ID},
    "purge_sessions": {"idle": Arg(AGES, "1 day"), "limit": LIMIT, "only_final": ALWAYS},
    "retire_machine": {
        "machine": machine(),
        "machine_version": Arg(INTEGERS, 1, unknown="SM001"),
        "retired": ALWAYS,
    },
    "rollback_session": {
        "session_id": session(),
        "to_version": Arg(BIGINTS, 1, unknown="22023"),
        "expected_version": EXPECTED,
        "reason": optional(claims(4096)),
        "request_id": REQUEST,
        "turn": TURN,
        "actor": ACTOR,
    },
    "save_session": {
        "session_id": session(values=ID),
        "state": Arg(NAME, "a", unknown="SM020"),
        "context": Arg(CONTEXTS, "{}"),
        "expected_version": EXPECTED,
        "event": optional(NAME, "SM020"),
        "request_id": REQUEST,
        "turn": TURN,
        "actor": ACTOR,
        "note": NOTE,
    },
    "save_sessions": {"items": Arg(ITEMS, "[]"), "atomic": ALWAYS},
    "schema_release": {},
    "send_event": {
        "session_id": session(values=ID),
        "event": Arg(NAME, "STAY", unknown="SM020"),
        "patch": Arg(PATCHES, "{}"),
        "expected_version": EXPECTED,
        "request_id": REQUEST,
        "turn": TURN,
        "actor": ACTOR,
        "note": NOTE,
        "append": Arg(APPENDS, "{}"),
    },
    "session_as_of": {"session_id": session(ACCEPTED), "at": Arg(TIMES, "now")},
    "stuck_sessions": {"idle": Arg(AGES, "1 day"), "limit": LIMIT},
    "trim_history": {
        "keep_versions": Arg(LIMITS, 1000),
        "limit": LIMIT,
        "keep_for": Arg(AGES, "1 day"),
    },
    "undo_import": {"batch": BATCH_ID},
    "update_context": {
        "session_id": session(),
        "patch": Arg(PATCHES, "{}"),
        "append": Arg(APPENDS, "{}"),
        "expected_version": EXPECTED,
        "request_id": REQUEST,
        "turn": TURN,
        "actor": ACTOR,
        "note": NOTE,
    },
    "upgrade_sessions": {
        "machine": machine(),
        "from_version": Arg(INTEGERS, 1, unknown="SM001"),
        "to_version": Arg(INTEGERS, 2, unknown="SM001"),
        "state_map": Arg(STATE_MAPS, "{}"),
        "patch": Arg(UPGRADE_PATCHES, "{}", but={"a null for the state": "SM021", "a null for the id": "SM021"}),
        "limit": LIMIT,
        "dry_run": Arg(BOOLEANS, False),
        "after_session_id": optional(FREE_TEXT),
    },
    "validate_context": {
        "machine": machine(),
        "state": Arg(NAME_IN_SHORT, "a"),
        "context": Arg(CONTEXTS, "{}", instead={"SM021": ACCEPTED}),
        "machine_version": VERSION_OF_MACHINE,
    },
    "verify_sessions": {
        "session_id": optional(ID_IN_SHORT, "SM010", right="s-1"),
        "limit": LIMIT,
        "after_session_id": optional(FREE_TEXT),
    },
}


def right_call(function: str) -> Case:
    """Return the call of a function that is right."""
    arguments = {name: arg.right for name, arg in FUNCTIONS[function].items()}
    return Case(f"{function}: right", function, ACCEPTED, arguments)


def cases(function: str) -> Iterator[Case]:
    """Yield a case for each value that is thrown at each argument of a function."""
    for argument, arg in FUNCTIONS[function].items():
        for name, value, came in arg.values:
            arguments = {**right_call(function).arguments, argument: value}
            yield Case(f"{function}({argument}): {name}", function, arg.outcome(name, came), arguments)
