"""The methods about machines, for both clients."""

from __future__ import annotations

from typing import Any

from .driver import AsyncDriver, Driver
from .rows import ContextFinding, DefinedMachine, Finding


class MachineMethods(Driver):
    """What a synchronous store can do with machines."""

    def define_machine(self, definition: dict[str, Any]) -> DefinedMachine:
        """Store a machine definition; a changed one becomes the machine's next version, the same one does not.

        Not repeated when its connection breaks: outcome_of() is then unknown. To send it again is safe unless
        somebody else defines the same machine meanwhile.

        Raises:
            InvalidMachine: SM002, with all findings of severity error.
        """
        return self._run(self._operations.define_machine(definition))

    def check_machine(self, definition: dict[str, Any]) -> list[Finding]:
        """Return what there is to say about a definition, without storing it.

        Raises:
            InvalidMachine: SM002, by the client: JSON or jsonb cannot hold the definition at all.
        """
        return self._run(self._operations.check_machine(definition))

    def machine_definition(self, machine: str, machine_version: int | None = None) -> dict[str, Any]:
        """Return a stored definition; the newest that is not retired unless a version is given.

        Raises:
            MachineNotFound: SM001.
        """
        return self._run(self._operations.machine_definition(machine, machine_version))

    def retire_machine(self, machine: str, machine_version: int, retired: bool = True) -> bool:
        """Let no new session begin on that version (or let them again); running ones go on.

        Not repeated when its connection breaks: outcome_of() is then unknown.

        Returns:
            True if that changed something, False if it was so already.

        Raises:
            MachineNotFound: SM001.
        """
        return self._run(self._operations.retire_machine(machine, machine_version, retired))

    def validate(
        self, machine: str, state: str, context: dict[str, Any], machine_version: int | None = None
    ) -> list[ContextFinding]:
        """Return the reasons why this context would be refused in that state; none: it is valid.

        Args:
            machine: the name of a defined machine.
            state: one of its states.
            context: what would be saved.
            machine_version: a version of the machine; the newest that is not retired unless given.

        Raises:
            MachineNotFound: SM001.
            InvalidContext: SM021, by the client: JSON or jsonb cannot hold the context at all.
        """
        return self._run(self._operations.validate(machine, state, context, machine_version))


class AsyncMachineMethods(AsyncDriver):
    """What an asynchronous store can do with machines."""

    async def define_machine(self, definition: dict[str, Any]) -> DefinedMachine:
        """See SessionStore.define_machine."""
        return await self._run(self._operations.define_machine(definition))

    async def check_machine(self, definition: dict[str, Any]) -> list[Finding]:
        """See SessionStore.check_machine."""
        return await self._run(self._operations.check_machine(definition))

    async def machine_definition(self, machine: str, machine_version: int | None = None) -> dict[str, Any]:
        """See SessionStore.machine_definition."""
        return await self._run(self._operations.machine_definition(machine, machine_version))

    async def retire_machine(self, machine: str, machine_version: int, retired: bool = True) -> bool:
        """See SessionStore.retire_machine."""
        return await self._run(self._operations.retire_machine(machine, machine_version, retired))

    async def validate(
        self, machine: str, state: str, context: dict[str, Any], machine_version: int | None = None
    ) -> list[ContextFinding]:
        """See SessionStore.validate."""
        return await self._run(self._operations.validate(machine, state, context, machine_version))
