"""Saves by the thousand, for both clients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .driver import AsyncDriver, Driver
from .rows import SaveOutcome, Session


class BatchMethods(Driver):
    """What a synchronous store can do with a batch."""

    def save_many(self, items: Iterable[Session | Mapping[str, Any]], atomic: bool = True) -> tuple[SaveOutcome, ...]:
        """Save many sessions, with one call for every 1,000 of them.

        Items apply in their order, those of one session each on the result of the one before. An item that has no
        request id is given one, so that a call whose connection broke is sent again and applied once. When an error
        leaves it unknown what became of the call, it can be asked again by a caller who has given the request ids.

        Args:
            items: Sessions as `save` takes them (expected to have the version of the Session still), or mappings with
                the arguments of `save` by name: `session`, or else `session_id`, `state` and `context`; and as wanted
                `expected_version` (that of `session`; else none), `event`, `request_id`, `turn`, `actor`, `note`.
            atomic: all or nothing, in one transaction: the first refusal is raised, and nothing is saved. Otherwise
                each refusal is an outcome, the others are saved, and every 1,000 items are a transaction of their own.

        Returns:
            One outcome for each item, in their order.

        Raises:
            FsmError: (atomic) what `save` raises, with the item's place, from 1, as `ordinal` in its `detail`.
            psycopg.errors.InvalidParameterValue: (atomic) 22023, an argument of an item is misused.
            TypeError: an item is neither, or has an argument that `save` does not have, or one of a wrong type; nothing
                was sent.
        """
        return self._run(self._operations.save_many(items, atomic))


class AsyncBatchMethods(AsyncDriver):
    """What an asynchronous store can do with a batch."""

    async def save_many(
        self, items: Iterable[Session | Mapping[str, Any]], atomic: bool = True
    ) -> tuple[SaveOutcome, ...]:
        """See SessionStore.save_many."""
        return await self._run(self._operations.save_many(items, atomic))
