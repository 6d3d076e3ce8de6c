"""The methods that bring old sessions in, for both clients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from .driver import AsyncDriver, Driver
from .import_rows import ImportedOriginal, ImportOutcome, UndoneImport


class ImportMethods(Driver):
    """How a synchronous store brings old sessions in."""

    def import_sessions(
        self,
        items: Iterable[Mapping[str, Any] | str],
        batch: UUID | str,
        dry_run: bool = True,
        *,
        with_each: Iterable[Mapping[str, Any] | str] = (),
    ) -> list[ImportOutcome]:
        """Bring sessions of the old stores in, with one call for every 1,000 of them or 8 MB; or say what would be.

        Each call is a transaction of its own. A batch can be sent again and goes on where it was stopped: what it has
        imported already is not imported twice, and nothing that was written since is touched. An item that the
        database cannot even read as jsonb is sent again without its data, so that it is quarantined and does not stop
        the others; in a transaction of the caller's that is not possible, and the error is raised.

        Args:
            items: mappings, or texts of JSON objects, which may hold what Python's own JSON cannot: `source` (postgres
                or shelve), `session_id`, `data` (an object, or None), `problem` (why there is none, a code),
                `original` (what was found, a text, or ``base64:`` and bytes), `machine`. The items of one session
                belong next to each other: a dry run judges each call by itself.
            batch: the name of this import, for resuming it and for taking it back.
            dry_run: change nothing, and tell what would be done. The default.
            with_each: items that go along with every call, because others cannot be judged without them; their
                outcomes are returned once.

        Returns:
            The outcomes, in the order of the database.

        Raises:
            MachineNotFound: SM001.
            InvalidContext: SM021, by the client: a mapping holds what JSON or jsonb cannot.
            psycopg.errors.InvalidParameterValue: 22023, an item is no JSON object; nothing was sent.
            TypeError: an item is neither a mapping nor a text; nothing was sent.
        """
        return self._run(self._operations.import_sessions(items, batch, dry_run, with_each))

    def undo_import(self, batch: UUID | str) -> UndoneImport:
        """Take a batch back: remove the sessions that it made and nobody wrote since, with one call for every 1,000.

        Not repeated when its connection breaks: outcome_of() is then unknown. To call it again takes back what is left.
        """
        return self._run(self._operations.undo_import(batch))

    def import_original(self, batch: UUID | str, session_id: str) -> list[ImportedOriginal]:
        """Return what a batch found of a session in each source; nothing once the batch is purged.

        Args:
            batch: the import.
            session_id: the session as the import named it, whatever became of it.
        """
        return self._run(self._operations.import_original(batch, session_id))

    def purge_import(self, batch: UUID | str) -> int:
        """Remove for good what a batch keeps of its sources, so that it can no longer be taken back.

        The imported sessions stay. Not repeated when its connection breaks: outcome_of() is then unknown. To call it
        again removes what is left.

        Returns:
            How many originals were removed.
        """
        return self._run(self._operations.purge_import(batch))


class AsyncImportMethods(AsyncDriver):
    """How an asynchronous store brings old sessions in."""

    async def import_sessions(
        self,
        items: Iterable[Mapping[str, Any] | str],
        batch: UUID | str,
        dry_run: bool = True,
        *,
        with_each: Iterable[Mapping[str, Any] | str] = (),
    ) -> list[ImportOutcome]:
        """See SessionStore.import_sessions."""
        return await self._run(self._operations.import_sessions(items, batch, dry_run, with_each))

    async def undo_import(self, batch: UUID | str) -> UndoneImport:
        """See SessionStore.undo_import."""
        return await self._run(self._operations.undo_import(batch))

    async def import_original(self, batch: UUID | str, session_id: str) -> list[ImportedOriginal]:
        """See SessionStore.import_original."""
        return await self._run(self._operations.import_original(batch, session_id))

    async def purge_import(self, batch: UUID | str) -> int:
        """See SessionStore.purge_import."""
        return await self._run(self._operations.purge_import(batch))
