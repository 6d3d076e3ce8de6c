from collections.abc import Iterator
from pathlib import Path

import pytest

from catalogue import shadow
from fsmstore.devdb import Server
from support.schema import Copy


@pytest.fixture
def server() -> Server:
    """The run's server, as the tools see it."""
    return Server()


@pytest.fixture
def empty(server: Server) -> Iterator[str]:
    """The DSN of an empty database."""
    with shadow(server) as dsn:
        yield dsn


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    """A db/ and a migrations/ that the test may change."""
    return Copy(tmp_path)
