"""A pytest plugin that leads the tests of the clients through PgBouncer in transaction mode.

``PYTHONPATH=pyclient:tests python -m pytest -p support.chaos.pooled tests/client``
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from support.databases import LOGINS

from .pooler import Pooler, program

# Tests whose means do not pass a pooler, which is no word on the client.
_PASSED_OVER = {
    "test_in_the_callers_transaction_nothing_is_repeated": "ends the backend whose pid the connection tells",
    "test_all_connections_of_a_pool_are_dead": "ends the server's connections, which it may open again unseen",
    "test_a_time_out_is_unknown_and_not_repeated": "sets options of the connection",
    "test_a_lock_that_times_out_does_not_settle_a_lost_answer": "sets options of the connection",
    "test_a_lock_that_times_out_at_once_is_not_done": "sets options of the connection",
    "test_a_forked_child_has_a_pool_of_its_own": "counts the connections of the server",
}
_started: dict[str, Pooler] = {}


def _pooler(server: str) -> Pooler:
    """Return the run's pooler; it is started when it is needed first."""
    if server not in _started:
        if program() is None or not server.startswith("/"):
            pytest.exit("PgBouncer is not installed, or the server does not listen on a Unix socket", 4)
        place = Path(tempfile.mkdtemp(prefix="fsmpool"))
        _started[server] = Pooler(place, Path(server), list(LOGINS), size=20)
    return _started[server]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what cannot be tried so."""
    for item in items:
        reason = _PASSED_OVER.get(getattr(item, "originalname", ""))
        if reason is not None:
            item.add_marker(pytest.mark.skip(f"{reason}: a pooler is in between"))


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: Any, request: pytest.FixtureRequest) -> Generator[None, Any, Any]:
    """Lead the string that the stores of a test connect with through the pooler."""
    result = yield
    if fixturedef.argname == "app_dsn":
        pooler = _pooler(str(conninfo_to_dict(result)["host"]))
        result = make_conninfo(result, host=str(pooler.sockets), port=5432, sslmode="disable", gssencmode="disable")
        fixturedef.cached_result = (result, fixturedef.cached_result[1], None)
    return result


def pytest_unconfigure() -> None:
    """Stop the pooler."""
    for pooler in _started.values():
        pooler.stop()
        shutil.rmtree(pooler.sockets, ignore_errors=True)
    _started.clear()
