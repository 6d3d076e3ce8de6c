"""Refusals within a transaction of the caller's, which would else be aborted by them."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from psycopg import Connection
from psycopg.pq import TransactionStatus


def savepoint(connection: Connection[Any] | None) -> AbstractContextManager[Any]:
    """Return a block that takes back what is refused in it, and leaves the caller's transaction open and usable.

    Args:
        connection: the caller's; None: every call is a transaction of its own, and nothing is needed.
    """
    if connection is None:
        return nullcontext()
    if connection.info.transaction_status is TransactionStatus.IDLE:
        if connection.autocommit:
            return nullcontext()
        connection.execute("select")  # begins the caller's transaction, which the block must neither begin nor end
    return connection.transaction()
