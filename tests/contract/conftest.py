"""What the tests of the contract engine's face share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

import plcov
from fsmstore import SessionStore
from fsmstore.contract import ContractStateMachine, UnifiedSessionStore
from support import databases
from support.machines import PURCHASE

Connection = psycopg.Connection[Any]
GENERATIONS = ("V1", "V1p", "V2", "V3", "V4", "V5", "V6", "V7")
STRICT = {
    **PURCHASE,
    "id": "strict_purchase",
    "meta": {**PURCHASE["meta"], "loop": {"limit": 1, "window": "5 minutes", "action": "block"}},
}
DIVERTING = {
    **PURCHASE,
    "id": "diverting_purchase",
    "meta": {**PURCHASE["meta"], "loop": {"limit": 1, "window": "5 minutes", "action": {"divert": "failed"}}},
}


@pytest.fixture(scope="session")
def template_with_purchase(pg_template: Any, pg_admin: Connection) -> Iterator[str]:
    """A database to be cloned, in which the purchase is defined, also with blocked and with diverted loops."""
    with databases.cloned(pg_admin, pg_template.template_dbname) as name:
        with psycopg.connect(databases.conninfo(name), autocommit=True) as connection:
            for definition in (PURCHASE, STRICT, DIVERTING):
                connection.execute("select fsm.define_machine(%s)", (json.dumps(definition),))
        yield name


@pytest.fixture
def dbname(template_with_purchase: str, pg_admin: Connection) -> Iterator[str]:
    """The name of a database with the purchase that is this test's own."""
    with databases.cloned(pg_admin, template_with_purchase) as name:
        yield name
        plcov.harvest(databases.conninfo(name))


@pytest.fixture
def app_dsn(dsn: Callable[..., str]) -> str:
    """A connection string of the application's login."""
    return dsn("test_app")


@pytest.fixture
def store(app_dsn: str) -> Iterator[UnifiedSessionStore]:
    with UnifiedSessionStore(app_dsn) as store:
        yield store


@pytest.fixture
def sessions(app_dsn: str) -> Iterator[SessionStore]:
    """What is stored, seen by another process's eyes: a store with a pool and a cache of its own."""
    with SessionStore(app_dsn) as sessions:
        yield sessions


@pytest.fixture
def fsm_with_known_state(store: UnifiedSessionStore) -> ContractStateMachine:
    """A machine that is saved as session ``known``: in state ``search``, version 2, 51 results at hand."""
    fsm = ContractStateMachine("purchase_item")
    fsm.context.product_query = "washing machine"
    fsm.context.current_state = "search"
    fsm.context.search_results = [f"WM-{number}" for number in range(51)]
    assert store.save_fsm_state("known", fsm)
    return fsm


@pytest.fixture
def corrupted_session_data(store: UnifiedSessionStore, db: Connection) -> dict[str, str]:
    """Sessions that were broken behind the interface, as the tables' owner can: what is wrong → the session's id."""
    broken = {
        "a state that the machine does not have": "state = 'nowhere'",
        "history that runs ahead": "version = version - 1",
    }
    for number, change in enumerate(broken.values()):
        fsm = ContractStateMachine("purchase_item")
        fsm.context.current_state = "search"
        assert store.save_fsm_state(f"broken-{number}", fsm)
        db.execute(f"update fsm_internal.sessions set {change} where session_id = %s", (f"broken-{number}",))
    return {what: f"broken-{number}" for number, what in enumerate(broken)}


@pytest.fixture
def stored_context() -> Callable[[str], dict[str, Any]]:
    """``stored_context("V4")``: a context as that generation wrote it."""

    def read(generation: str) -> dict[str, Any]:
        text = (Path(__file__).parent / "data" / f"{generation}.json").read_text("utf-8")
        context: dict[str, Any] = json.loads(text)
        return context

    return read
