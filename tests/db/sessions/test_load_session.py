"""fsm.load_session and fsm.load_sessions."""

from __future__ import annotations

from datetime import timedelta

import pytest

from support.api import Api, refused


def test_what_was_saved_last(api: Api) -> None:
    made = api.create("s-1", context={"a": 1})
    saved = api.save("s-1", "open", {"b": None}, 1)
    assert api.load("s-1") == (
        "s-1", "door", 1, "open", 2, {"b": None}, 1, False, saved.entered_at, made.created_at, saved.saved_at, False,
    )  # fmt: skip


def test_no_such_session_is_no_row(api: Api) -> None:
    assert api.load("nobody") is None
    assert api.load("nobody", known_version=1, known_updated_at="2020-01-01") is None


def test_known_version_and_time_spare_the_context(api: Api) -> None:
    api.create("s-1", context={"a": 1})
    row = api.load("s-1")
    known = {"known_version": row.version, "known_updated_at": row.updated_at}
    assert api.load("s-1", **known) == row._replace(context=None, unchanged=True)
    api.update("s-1")
    newer = api.load("s-1", **known)
    assert (newer.version, newer.context, newer.unchanged) == (2, {"a": 1}, False)


@pytest.mark.parametrize("wrong", ["version", "time", "no version", "no time", "nothing"])
def test_both_must_be_given_and_match(api: Api, wrong: str) -> None:
    api.create("s-1", context={"a": 1})
    row = api.load("s-1")
    version = {"version": row.version + 1, "no version": None, "nothing": None}.get(wrong, row.version)
    at = {"time": row.updated_at + timedelta(microseconds=1), "no time": None, "nothing": None}.get(
        wrong, row.updated_at
    )
    assert api.load("s-1", known_version=version, known_updated_at=at) == row


def test_load_sessions_gives_each_existing_id_once_in_order_of_first_appearance(api: Api) -> None:
    for number in range(4):
        api.create(f"s-{number}", context={"n": number})
    ids = ["s-2", "nobody", "s-0", "s-2", None, "s-3", "s-0", ""]
    rows = api.rows("load_sessions", session_ids=ids)
    assert [row.session_id for row in rows] == ["s-2", "s-0", "s-3"]
    assert rows == [api.load(row.session_id)[:-1] for row in rows]
    assert api.rows("load_sessions", session_ids=[]) == []


def test_load_sessions_takes_1000_ids_and_no_more(api: Api) -> None:
    api.create("s-999")
    ids = [f"s-{number}" for number in range(1000)]
    assert [row.session_id for row in api.rows("load_sessions", session_ids=ids)] == ["s-999"]
    with refused("22023") as refusal:
        api.rows("load_sessions", session_ids=[*ids, "s-0"])
    assert refusal.detail == {"argument": "p_session_ids", "items": 1001, "limit": 1000}
