"""fsmstore migrate."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from catalogue import shadow
from fsmstore import migrate
from fsmstore.devdb import Server

from .conftest import Command


@pytest.fixture
def empty() -> Iterator[str]:
    """The DSN of an empty database."""
    with shadow(Server()) as dsn:
        yield dsn


def test_there_and_back(fsmstore_command: Command, empty: str) -> None:
    ids = migrate.pending(empty)
    status = ["migrate", "--status", "--json"]
    assert fsmstore_command(*status, dsn=empty).json == {"applied": [], "pending": ids}
    assert fsmstore_command("migrate", dsn=empty).out == f"applied: {', '.join(ids)}\n"
    assert migrate.applied(empty) == ids
    assert fsmstore_command("migrate", dsn=empty).out == "applied: nothing\n"
    assert fsmstore_command("migrate", "--status", dsn=empty).out == f"applied: {', '.join(ids)}\npending: nothing\n"
    assert fsmstore_command("migrate", "--rollback", "1", "--json", dsn=empty).json == {"rolled_back": ids[-1:]}
    assert migrate.applied(empty) == ids[:-1]
    assert fsmstore_command("migrate", "--json", dsn=empty).json == {"applied": ids[-1:]}


def test_several_are_rolled_back_newest_first(fsmstore_command: Command, empty: str) -> None:
    ids = migrate.apply(empty)
    done = fsmstore_command("migrate", "--rollback", str(len(ids) + 5), dsn=empty)
    assert done.out == f"rolled back: {', '.join(reversed(ids))}\n"
    assert migrate.applied(empty) == []


def test_what_cannot_be_done_is_said(
    fsmstore_command: Command, empty: str, dsn: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fsmstore_command("migrate", "--rollback", "0", dsn=empty).status == 2
    done = fsmstore_command("migrate", "--rollback", "1", "--status", dsn=empty)
    assert (done.status, done.err) == (2, "--rollback and --status exclude each other\n")
    assert fsmstore_command("migrate").status == 2
    done = fsmstore_command("migrate", "--rollback", "1", dsn=dsn("test_app"))
    assert (done.status, done.out) == (1, "")
    assert "permission denied" in done.err
    migrate.apply(empty)
    monkeypatch.setattr(migrate, "_ids", lambda source: [])  # a release without migrations
    done = fsmstore_command("migrate", "--rollback", "1", dsn=empty)
    assert done.status == 1
    assert "is of a newer release" in done.err
