"""fsm.list_sessions pages through sessions in the order of their ids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.api import Api, case, refused

IDS = ["B", "a", "a-1", "b", "ä"]  # by bytes, which is no dictionary's order


@pytest.fixture
def s(api: Api) -> Api:
    for number, session_id in enumerate(reversed(IDS)):
        api.create(session_id, "blocking" if number % 2 else "door", context={"n": number})
    api.send("b", "OPEN")
    return api


def _ids(api: Api, **arguments: Any) -> list[str]:
    return [row.session_id for row in api.rows("list_sessions", **arguments)]


def test_all_of_them_in_the_order_of_bytes(s: Api) -> None:
    assert _ids(s) == IDS


def test_a_row_is_the_session_without_its_context(s: Api) -> None:
    loaded = s.load("b")._asdict()
    [row] = [row for row in s.rows("list_sessions") if row.session_id == "b"]
    assert row._asdict() == {key: loaded[key] for key in loaded if key not in ("context", "unchanged")}
    assert (row.state, row.version, row.is_final) == ("open", 2, False)


def test_a_machine_a_state_or_both(s: Api) -> None:
    assert _ids(s, machine="door") == ["B", "a-1", "ä"]
    assert _ids(s, state="open") == ["b"]
    assert _ids(s, machine="blocking", state="closed") == ["a"]
    assert _ids(s, machine="door", state="open") == []


def test_pages_join_without_gap_or_repetition(s: Api) -> None:
    for size in (1, 2, 3, 5, 7):
        seen: list[str] = []
        while page := _ids(s, after_session_id=seen[-1] if seen else None, limit=size):
            assert len(page) <= size
            assert not set(page) & set(seen), size
            seen += page
        assert seen == IDS, size


def test_a_hundred_unless_told_and_all_for_null(api: Api) -> None:
    for number in range(101):
        api.create(f"s-{number:03}")
    assert _ids(api) == [f"s-{number:03}" for number in range(100)]
    assert len(_ids(api, limit=None)) == 101


def test_after_an_id_that_does_not_exist(s: Api) -> None:
    assert _ids(s, after_session_id="a-") == ["a-1", "b", "ä"]
    assert _ids(s, after_session_id="") == IDS
    assert _ids(s, after_session_id="\U0010ffff") == []


def test_what_is_unknown_has_no_rows(s: Api) -> None:
    assert _ids(s, machine="nobody's") == []
    assert _ids(s, state="'; drop table x; --") == []


BAD: list[tuple[dict[str, Any], str]] = [
    ({"limit": 0}, "p_limit"),
    ({"limit": -1}, "p_limit"),
    ({"machine": ""}, "p_machine"),
    ({"machine": "m" * 513}, "p_machine"),
    ({"state": ""}, "p_state"),
    ({"state": "s" * 129}, "p_state"),
    ({"after_session_id": "s" * 513}, "p_after_session_id"),
]


def test_bad_arguments(s: Api) -> None:
    for arguments, name in BAD:
        with case(arguments), refused("22023") as refusal:
            s.rows("list_sessions", **arguments)
        assert refusal.detail["argument"] == name


def test_a_corrupt_session_is_listed_and_hides_no_other(s: Api, db: psycopg.Connection[Any]) -> None:
    db.execute("update fsm_internal.sessions set state = 'nowhere' where session_id = 'a'")
    rows = {row.session_id: row for row in s.rows("list_sessions")}
    assert list(rows) == IDS
    assert (rows["a"].state, rows["a"].is_final, rows["a"].context_version) == ("nowhere", None, None)
    assert rows["b"].is_final is False


def test_a_callers_collation_changes_nothing(s: Api) -> None:
    """A collation given with an argument would otherwise be at odds with the column's."""
    rows = s.conn.execute("""select session_id from fsm.list_sessions(p_after_session_id => 'A' collate "POSIX")""")
    assert [session_id for (session_id,) in rows] == IDS


def test_the_monitor_may_not(connect_as: Callable[..., Any]) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        _ids(Api(connect_as("test_monitor")))
