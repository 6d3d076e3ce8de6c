"""What many commands take, and the store that they work on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import psycopg
import typer

from fsmstore import SessionStore

Dsn = Annotated[
    str, typer.Option("--dsn", envvar="FSMSTORE_DSN", help="Where: postgresql://USER@HOST/DATABASE", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, also on errors.")]
SessionId = Annotated[str, typer.Argument(metavar="SESSION", help="The session's id.", show_default=False)]


@contextmanager
def opened(dsn: str) -> Iterator[SessionStore]:
    """Open a store on one connection: what is wrong with the database is said at once, without a pool's waiting."""
    with psycopg.connect(dsn, autocommit=True) as connection, SessionStore(connection) as store:
        yield store
