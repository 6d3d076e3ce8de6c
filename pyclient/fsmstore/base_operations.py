"""What all operations share.

An operation is a generator: it yields the calls that it needs, is sent their rows, and returns the result. Who drives
it does the input and output. It is closed when a call fails, so its `with` blocks end as they would anywhere else.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import UUID, uuid4

from .cache import Cache
from .errors import FsmError, Outcome
from .jsonvalues import Codec
from .rows import SaveResult, Session, StoredSession
from .statements import Call, Row, Together

T = TypeVar("T")
Steps = Generator["Call | Together", "list[Row]", T]


@contextmanager
def already_done() -> Iterator[None]:
    """Mark what goes wrong in here as coming after the commit."""
    try:
        yield
    except FsmError as error:
        error.outcome = Outcome.DONE
        raise


def stored(result: SaveResult, context: str | None) -> StoredSession:
    """Return the session that a write has left, with its context."""
    return StoredSession(
        session_id=result.session_id,
        machine=result.machine,
        machine_version=result.machine_version,
        state=result.state,
        version=result.version,
        context=context,
        context_version=result.context_version,
        is_final=result.is_final,
        entered_at=result.entered_at,
        created_at=result.created_at,
        updated_at=result.saved_at,
    )


class BaseOperations:
    """The operations of one store.

    Args:
        codec: how contexts are written and read.
        cache: what is kept of them; one that holds nothing where results may be rolled back by the caller.
        joined: the calls are part of the caller's transaction and are never repeated, so writes get no request id
            unless the caller gives one.
    """

    def __init__(self, codec: Codec, cache: Cache, *, joined: bool) -> None:
        self._codec = codec
        self._cache = cache
        self._joined = joined

    def _request(self, request_id: UUID | str | None) -> UUID | str | None:
        return uuid4() if request_id is None and not self._joined else request_id

    def _open(self, stored: StoredSession, result: SaveResult | None = None) -> Session:
        # None for a replayed call whose version is not retained any more.
        context: Any = None if stored.context is None else self._codec.decode(stored.context)
        return Session(
            session_id=stored.session_id,
            machine=stored.machine,
            machine_version=stored.machine_version,
            state=stored.state,
            version=stored.version,
            context=context,
            context_version=stored.context_version,
            is_final=stored.is_final,
            entered_at=stored.entered_at,
            created_at=stored.created_at,
            updated_at=stored.updated_at,
            result=result,
        )
