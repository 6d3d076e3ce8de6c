"""The statements about machines."""

from __future__ import annotations

from typing import Any

from .jsonvalues import Codec
from .parameters import BOOLEAN, DEFINITION, INTEGER, JSONB, TEXT
from .report_rows import UpgradedSessions
from .retry import Repeat
from .rows import ContextFinding, DefinedMachine, Finding
from .statements import Row, Statement, decoded, function, scalar


def _defined_machine(row: Row, codec: Codec) -> DefinedMachine:
    machine, machine_version, created, warnings = row
    findings = tuple(
        Finding(found["severity"], found["code"], found["path"], found["message"]) for found in codec.decode(warnings)
    )
    return DefinedMachine(machine, machine_version, created, findings)


VALIDATE = function(
    "validate_context",
    "code, path, message",
    lambda row, codec: ContextFinding(*row),
    Repeat.READ,
    machine=TEXT,
    state=TEXT,
    context=JSONB,
    machine_version=INTEGER,
)
DEFINE_MACHINE = function(
    "define_machine",
    "machine, machine_version, created, warnings::text",
    _defined_machine,
    # Sent twice, it could bring a definition back over one that somebody else stored in between.
    Repeat.NEVER,
    definition=DEFINITION,
)
CHECK_MACHINE = function(
    "check_machine",
    "severity, code, path, message",
    lambda row, codec: Finding(*row),
    Repeat.READ,
    definition=DEFINITION,
)
MACHINE_DEFINITION: Statement[Any] = function(
    "machine_definition", "machine_definition::text", decoded, Repeat.READ, machine=TEXT, machine_version=INTEGER
)
RETIRE_MACHINE: Statement[bool] = function(
    "retire_machine",
    "retire_machine",
    scalar,
    Repeat.NEVER,
    machine=TEXT,
    machine_version=INTEGER,
    retired=BOOLEAN,
)
DIAGRAM: Statement[str] = function(
    "diagram",
    "diagram",
    scalar,
    Repeat.READ,
    machine=TEXT,
    machine_version=INTEGER,
    format=TEXT,
    session_id=TEXT,
)
UPGRADE = function(
    "upgrade_sessions",
    "from_state, to_state, sessions, code, message, last_session_id",
    lambda row, codec: UpgradedSessions(*row),
    Repeat.NEVER,
    machine=TEXT,
    from_version=INTEGER,
    to_version=INTEGER,
    state_map=JSONB,
    patch=JSONB,
    limit=INTEGER,
    dry_run=BOOLEAN,
    after_session_id=TEXT,
)
