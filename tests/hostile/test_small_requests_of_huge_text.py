"""A number of 14 bytes may have a text of 131,072: what a small request is written out to must be bounded."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from support.api import Api, refused
from support.definitions import small
from support.machines import machine

NUMBERS = f"[{','.join(['1e131071'] * 12_000)}]"
"""The text of all of them has 1.5 GB, more than any text may have."""
GENEROUS = machine({"a": {"on": {"GO": "a"}}}, max_context_bytes=251_658_240)


@pytest.fixture
def admin(api: Api, connect_as: Callable[..., Any], define: Callable[..., int]) -> Api:
    """Session s-1 of a machine whose contexts may be as large as any; another version of it is there."""
    define(GENEROUS)
    api.create("s-1", "m", machine_version=1)
    define({**GENEROUS, "description": "2"})
    return Api(connect_as("test_admin"))


def test_in_a_definition(admin: Api) -> None:
    definition = json.dumps(small(description="HERE")).replace('"HERE"', NUMBERS)
    with refused("SM002"):
        admin.rows("define_machine", definition=definition)
    assert [row.code for row in admin.rows("check_machine", definition=definition)] == ["number_too_long"]


def test_in_a_patch_of_a_context_that_may_be_large(admin: Api) -> None:
    with refused("SM021") as refusal:
        admin.update("s-1", patch=f'{{"x": {NUMBERS}}}')
    assert refusal.detail["code"] == "number_too_long"


def test_in_the_patch_of_an_upgrade(admin: Api) -> None:
    [row] = admin.rows(
        "upgrade_sessions", machine="m", from_version=1, to_version=2, patch=f'{{"x": {NUMBERS}}}', dry_run=True
    )
    assert row.code == "context_rejected"


def test_in_an_original(purchase: Api, admin: Api) -> None:
    items = f'[{{"source": "p", "session_id": "x", "data": {{"x": {NUMBERS}}}}}]'
    with refused("22023") as refusal:
        admin.rows("import_sessions", items=items, batch="1" * 32, dry_run=False)
    assert refusal.detail["key"] == "data"


@pytest.mark.parametrize("how", ["create", "save", "batch", "validate", "note"])
def test_everywhere_else_it_is_refused_before_it_is_written_out(admin: Api, how: str) -> None:
    context = f'{{"x": {NUMBERS}}}'
    if how == "validate":
        rows = admin.rows("validate_context", machine="m", state="a", context=context)
        assert [row.code for row in rows] == ["number_too_long"]
    elif how == "batch":
        [row] = admin.batch(f'[{{"session_id": "s-1", "state": "a", "context": {context}}}]', atomic=False)
        assert (row.sqlstate, row.detail["code"]) == ("SM021", "number_too_long")
    elif how == "note":
        with refused("22023"):
            admin.update("s-1", note=NUMBERS)
    else:
        with refused("SM021") as refusal:
            admin.create("new", "m", context=context) if how == "create" else admin.save("s-1", "a", context)
        assert refusal.detail["code"] == "number_too_long"


@pytest.mark.parametrize("text", ["[" * 1000 + "]" * 1000, "9" * 5000])
def test_what_no_client_can_read_is_no_definition(admin: Api, text: str) -> None:
    """The limits of a context are those of a definition too: Python reads no more than about a thousand levels."""
    definition = json.dumps(small(description="HERE")).replace('"HERE"', text)
    with refused("SM002"):
        admin.rows("define_machine", definition=definition)
