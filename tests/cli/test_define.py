"""fsmstore define."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fsmstore import shipped
from support.machines import DOOR

from .conftest import Command


@pytest.fixture
def admin(dsn: Callable[..., str]) -> str:
    return dsn("test_admin")


def test_a_definition_is_stored_once(fsmstore_command: Command, admin: str, tmp_path: Path) -> None:
    file = tmp_path / "door.json"
    file.write_text(json.dumps(DOOR))
    assert fsmstore_command("define", str(file), dsn=admin).out == "door, version 1, is defined\n"
    assert fsmstore_command("define", str(file), dsn=admin).out == "door, version 1, was defined already\n"
    file.write_text(json.dumps({**DOOR, "initial": "open"}))
    assert fsmstore_command("define", str(file), "--json", dsn=admin).json == {
        "machine": "door", "machine_version": 2, "created": True, "warnings": [],
    }  # fmt: skip


def test_a_definition_comes_from_standard_input(
    fsmstore_command: Command, admin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(shipped.machine("purchase_item"))))
    assert fsmstore_command("define", "-", dsn=admin).out == "purchase_item, version 1, is defined\n"


def test_warnings_are_shown(fsmstore_command: Command, admin: str, tmp_path: Path) -> None:
    file = tmp_path / "m.json"
    file.write_text(json.dumps({"id": "m", "initial": "a", "states": {"a": {}, "b": {}}}))
    done = fsmstore_command("define", str(file), dsn=admin)
    assert done.status == 0
    assert "m, version 1, is defined\n" in done.out
    warnings = fsmstore_command("define", str(file), "--json", dsn=admin).json["warnings"]
    assert warnings
    shown = " ".join(done.out.split())
    for one in warnings:
        assert f"warning {one['code']} at {one['path']}: {one['message']}" in shown
        assert one["severity"] == "warning"


def test_an_invalid_definition_is_refused(fsmstore_command: Command, admin: str, tmp_path: Path) -> None:
    file = tmp_path / "m.json"
    file.write_text('{"id": "m", "initial": "nowhere", "states": {"a": {}}}')
    done = fsmstore_command("define", str(file), dsn=admin)
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("SM002  definition invalid  (InvalidMachine)\nDETAIL  {")
    error = fsmstore_command("define", str(file), "--json", dsn=admin).error
    assert error["sqlstate"] == "SM002"
    assert error["detail"]["findings"]


def test_a_file_that_is_no_json_or_not_there_is_wrong_usage(
    fsmstore_command: Command, admin: str, tmp_path: Path
) -> None:
    file = tmp_path / "m.json"
    done = fsmstore_command("define", str(file), dsn=admin)
    assert (done.status, done.out) == (2, "")
    assert "No such file" in " ".join(done.err.split())
    file.write_text("{")
    assert fsmstore_command("define", str(file), dsn=admin).status == 2
    assert str(file) in fsmstore_command("define", str(file), "--json", dsn=admin).error["message"]


def test_the_application_may_not_define(fsmstore_command: Command, dsn: Callable[..., str], tmp_path: Path) -> None:
    file = tmp_path / "door.json"
    file.write_text(json.dumps(DOOR))
    done = fsmstore_command("define", str(file), dsn=dsn("test_app"))
    assert done.status == 1
    assert done.err.startswith("42501  permission denied for function define_machine")
