"""The files of db/: small, each named for what it makes, each installed once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg

DB = Path(__file__).parents[2] / "db"
FILES = sorted(path.relative_to(DB).as_posix() for path in DB.rglob("*.sql"))
TEXTS = {name: (DB / name).read_text() for name in FILES}


def _statements(text: str) -> str:
    """The text without comments, texts and function bodies' contents."""
    return re.sub(r"\$\w*\$.*?\$\w*\$|--[^\n]*|'(?:[^']|'')*'", "", text, flags=re.DOTALL)


def test_no_file_has_more_than_400_lines() -> None:
    assert len(FILES) > 100
    assert [name for name, text in TEXTS.items() if len(text.splitlines()) > 400] == []


def test_install_includes_every_file_once() -> None:
    included = re.findall(r"^\\ir (\S+)$", TEXTS["install.sql"], re.MULTILINE)
    assert len(included) == len(set(included))
    scripts = ("install.sql", "uninstall.sql", "recommended_settings.sql")
    assert sorted(included) == [name for name in FILES if name not in scripts]


def test_an_api_function_has_a_file_of_its_own_with_its_comment() -> None:
    for name, text in TEXTS.items():
        if name.startswith("functions/"):
            function = Path(name).stem
            assert re.findall(r"^create function (\S+)\(", text, re.MULTILINE) == [f"fsm.{function}"], name
            assert re.findall(r"^comment on function (\S+?)\(", text, re.MULTILINE) == [f"fsm.{function}"], name


def test_a_helpers_file_begins_with_the_helper_it_is_named_for_or_with_a_family() -> None:
    """Each function of schema fsm_internal is made in internal/, with its comment below it."""
    for name, text in TEXTS.items():
        if name.startswith("internal/"):
            made = re.findall(r"^create function fsm_internal\.(\w+)\(", text, re.MULTILINE)
            commented = re.findall(r"^comment on function fsm_internal\.(\w+)\(", text, re.MULTILINE)
            assert made, name
            assert made == commented, name


def test_nothing_is_created_or_replaced_conditionally() -> None:
    """`or replace` would take over what is there, with its owner and grants."""
    for name, text in TEXTS.items():
        assert not re.search(r"\bor\s+replace\b|\bif\s+not\s+exists\b|\bif\s+exists\b", _statements(text)), name


def test_no_sequence_trigger_or_security_definer_where_none_belongs() -> None:
    for name, text in TEXTS.items():
        code = re.sub(r"--[^\n]*|'(?:[^']|'')*'", "", text).lower()
        assert not re.search(
            r"create\s+(sequence|trigger|rule|policy)|\bserial\b|generated\s+\w+\s+as\s+identity", code
        ), name
        assert ("security definer" in code) == name.startswith("functions/"), name


# Names of roles, and a number of our own in a column's default.
DYNAMIC = ("roles.sql", "owner_begin.sql", "owner_end.sql", "functions/operations/new_feed_epoch.sql")


def test_dynamic_sql_is_for_roles_and_the_feed_only() -> None:
    for name, text in TEXTS.items():
        code = re.sub(r"--[^\n]*|'(?:[^']|'')*'", "", text)
        dynamic = re.search(r"^\s*execute\b(?!\s+on\b)", code, re.MULTILINE)
        assert bool(dynamic) == (name in DYNAMIC), name
        assert not re.search(r"\bwhen\s+others\b", code), name


def test_no_exception_block_on_the_way_of_a_session() -> None:
    """Each is a subtransaction with an id of its own; a lock taken in one that fails is let go."""
    on_the_way = ("functions/sessions/", "functions/loops/", "internal/common/", "internal/context/", "internal/loops/")
    of_turns = ("functions/turns/", "internal/turns/", "internal/deadlines/", "internal/batches/", "internal/upgrades/")
    files = [name for name in FILES if name.startswith((*on_the_way, *of_turns, "internal/sessions/"))]
    assert len(files) > 40
    for name in files:
        assert not re.search(r"^\s*exception\b", TEXTS[name], re.MULTILINE), name


def test_the_installed_functions_are_those_of_the_files(db: psycopg.Connection[Any]) -> None:
    made = [found for text in TEXTS.values() for found in re.findall(r"^create function (\S+?)\(", text, re.MULTILINE)]
    rows = db.execute(
        "select pronamespace::regnamespace || '.' || proname from pg_proc"
        " where pronamespace in ('fsm'::regnamespace, 'fsm_internal'::regnamespace)"
    ).fetchall()
    assert sorted(name for (name,) in rows) == sorted(made)
