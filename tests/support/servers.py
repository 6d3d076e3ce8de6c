"""A server beside the run's own, for tests that need a whole cluster to themselves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from fsmstore.devdb import NoPostgres, Server, find_bin


@contextmanager
def own_server(**options: Any) -> Iterator[Server]:
    """Start a server of the test's own: with the programs of the run's server, but without the run's databases."""
    try:
        find_bin()
    except NoPostgres as error:
        pytest.skip(f"needs a cluster of its own, and no server can be started here: {error}")
    given = os.environ.pop("FSMSTORE_PG_URL", None)  # it would stand for the new server
    try:
        server = Server(**options)
    finally:
        if given is not None:
            os.environ["FSMSTORE_PG_URL"] = given
    with server:
        yield server
