"""What a store does with machines."""

from __future__ import annotations

from typing import Any

from . import machine_statements
from .base_operations import BaseOperations, Steps
from .report_rows import UpgradedSessions
from .rows import ContextFinding, DefinedMachine, Finding


class MachineOperations(BaseOperations):
    """See SessionStore."""

    def define_machine(self, definition: dict[str, Any]) -> Steps[DefinedMachine]:
        """See SessionStore.define_machine."""
        rows = yield machine_statements.DEFINE_MACHINE.bind(self._codec, definition=definition)
        return machine_statements.DEFINE_MACHINE.row(rows, self._codec)

    def check_machine(self, definition: dict[str, Any]) -> Steps[list[Finding]]:
        """See SessionStore.check_machine."""
        rows = yield machine_statements.CHECK_MACHINE.bind(self._codec, definition=definition)
        return machine_statements.CHECK_MACHINE.rows(rows, self._codec)

    def machine_definition(self, machine: str, machine_version: int | None) -> Steps[dict[str, Any]]:
        """See SessionStore.machine_definition."""
        rows = yield machine_statements.MACHINE_DEFINITION.bind(
            self._codec, machine=machine, machine_version=machine_version
        )
        definition: dict[str, Any] = machine_statements.MACHINE_DEFINITION.row(rows, self._codec)
        return definition

    def retire_machine(self, machine: str, machine_version: int, retired: bool) -> Steps[bool]:
        """See SessionStore.retire_machine."""
        rows = yield machine_statements.RETIRE_MACHINE.bind(
            self._codec, machine=machine, machine_version=machine_version, retired=retired
        )
        return machine_statements.RETIRE_MACHINE.row(rows, self._codec)

    def validate(
        self, machine: str, state: str, context: dict[str, Any], machine_version: int | None
    ) -> Steps[list[ContextFinding]]:
        """See SessionStore.validate."""
        rows = yield machine_statements.VALIDATE.bind(
            self._codec, machine=machine, state=state, context=context, machine_version=machine_version
        )
        return machine_statements.VALIDATE.rows(rows, self._codec)

    def diagram(self, machine: str, machine_version: int | None, format: str, session_id: str | None) -> Steps[str]:
        """See SessionStore.diagram."""
        rows = yield machine_statements.DIAGRAM.bind(
            self._codec, machine=machine, machine_version=machine_version, format=format, session_id=session_id
        )
        return machine_statements.DIAGRAM.row(rows, self._codec)

    def upgrade(
        self,
        machine: str,
        from_version: int,
        to_version: int,
        *,
        state_map: dict[str, str] | None,
        patch: dict[str, Any] | None,
        limit: int | None,
        dry_run: bool,
        after: str | None,
    ) -> Steps[list[UpgradedSessions]]:
        """See SessionStore.upgrade."""
        call = machine_statements.UPGRADE.bind(
            self._codec,
            machine=machine,
            from_version=from_version,
            to_version=to_version,
            state_map={} if state_map is None else state_map,
            patch=patch,
            limit=limit,
            dry_run=dry_run,
            after_session_id=after,
        )
        try:
            rows = yield call
        finally:
            if not dry_run:
                self._cache.clear()  # Which sessions were moved is not said.
        return machine_statements.UPGRADE.rows(rows, self._codec)
