"""The worlds are made once a worker; each schedule puts its world back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.databases import Connection
from support.exploring import Ground, ground, worlds


@pytest.fixture(scope="session")
def built(pg_template: Any, pg_admin: Connection) -> Iterator[str]:
    """The name of a database with the worlds, to be cloned."""
    with worlds(pg_admin, pg_template.template_dbname) as name:
        yield name


@pytest.fixture(scope="session")
def shipped(built: str, pg_admin: Connection) -> Iterator[Ground]:
    """The functions as they are shipped, with pauses."""
    with ground(pg_admin, built) as one:
        yield one
