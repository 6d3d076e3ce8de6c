"""The methods about machines, for both clients."""

from __future__ import annotations

from typing import Any

from .driver import AsyncDriver, Driver
from .report_rows import UpgradedSessions
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

    def diagram(
        self,
        machine: str,
        machine_version: int | None = None,
        format: str = "mermaid",
        session_id: str | None = None,
    ) -> str:
        """Return a machine as a diagram in text.

        Args:
            machine: the name of a defined machine.
            machine_version: a version of it; unless given that of the session, or else the newest that is not retired.
            format: ``mermaid`` (a stateDiagram-v2) or ``dot`` (for Graphviz).
            session_id: a session of this machine, whose path and present state are highlighted.

        Raises:
            MachineNotFound: SM001.
            SessionNotFound: SM010.
            psycopg.errors.InvalidParameterValue: 22023, another format, or a session of another machine.
        """
        return self._run(self._operations.diagram(machine, machine_version, format, session_id))

    def upgrade(
        self,
        machine: str,
        from_version: int,
        to_version: int,
        *,
        state_map: dict[str, str] | None = None,
        patch: dict[str, Any] | None = None,
        limit: int | None = 1000,
        dry_run: bool = True,
        after: str | None = None,
    ) -> list[UpgradedSessions]:
        """Move running sessions to another version of their machine, in the order of their ids; or say what would be.

        Not repeated when its connection breaks: outcome_of() is then unknown. To call it again moves what is left.

        Args:
            machine: the name of a defined machine.
            from_version: the version that they are on.
            to_version: the one that they are to be on.
            state_map: the new state of each state whose name changed.
            patch: a merge patch (RFC 7396) of every context.
            limit: sessions looked at, at most; None: all in a dry run, else 1,000, which is the most.
            dry_run: change nothing, and tell what would be done. The default.
            after: only ids after this one: the `last_session_id` of the call before.

        Returns:
            How many sessions of each state go where; those that cannot be moved, or are held, stay, and `code` says
            why. None: there are no more sessions.

        Raises:
            MachineNotFound: SM001, no such machine or version.
            InvalidContext: SM021, `state_map` or `patch` is no object, or names what only the store may set.
            psycopg.errors.InvalidParameterValue: 22023, the same version twice, or a state that its version lacks.
        """
        return self._run(
            self._operations.upgrade(
                machine,
                from_version,
                to_version,
                state_map=state_map,
                patch=patch,
                limit=limit,
                dry_run=dry_run,
                after=after,
            )
        )


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

    async def diagram(
        self,
        machine: str,
        machine_version: int | None = None,
        format: str = "mermaid",
        session_id: str | None = None,
    ) -> str:
        """See SessionStore.diagram."""
        return await self._run(self._operations.diagram(machine, machine_version, format, session_id))

    async def upgrade(
        self,
        machine: str,
        from_version: int,
        to_version: int,
        *,
        state_map: dict[str, str] | None = None,
        patch: dict[str, Any] | None = None,
        limit: int | None = 1000,
        dry_run: bool = True,
        after: str | None = None,
    ) -> list[UpgradedSessions]:
        """See SessionStore.upgrade."""
        return await self._run(
            self._operations.upgrade(
                machine,
                from_version,
                to_version,
                state_map=state_map,
                patch=patch,
                limit=limit,
                dry_run=dry_run,
                after=after,
            )
        )
