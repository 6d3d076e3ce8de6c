"""The page about importing names every code and every option."""

from __future__ import annotations

import re
from pathlib import Path

from typer.main import get_command

from fsmstore.cli.app import app
from support import legacy

PAGE = (Path(__file__).parents[2] / "docs" / "importing-old-sessions.md").read_text("utf-8")
NAMED = set(re.findall(r"`([a-z_0-9-]+)`", PAGE))


def test_every_code_of_the_data_is_explained() -> None:
    codes = set()
    for session in legacy.manifest()["sessions"]:
        for expected in (session["expected"], session.get("expected_with_shelve", {})):
            codes |= {expected.get("problem"), *expected.get("warnings", ())}
    assert codes - {None} <= NAMED


def test_every_option_is_explained() -> None:
    command = get_command(app).commands["import-legacy"]  # type: ignore[attr-defined]
    options = {option for parameter in command.params for option in parameter.opts} - {"--help"}
    assert options == set(re.findall(r"^\| `(--[a-z-]+)` \|", PAGE, re.MULTILINE))
