"""fsm.changes: every write once, in an order in which nothing comes late before what was shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.api import Api, refused
from support.waiting import wait_until

Connection = psycopg.Connection[Any]


@pytest.fixture
def reader(api: Api, connect_as: Callable[..., Connection]) -> Api:
    return Api(connect_as("test_reader"))


def shown(reader: Api, **arguments: Any) -> list[tuple[str, int, str]]:
    """Session, version and kind of each line; waits for nobody."""
    return [(row.session_id, row.version, row.kind) for row in reader.rows("changes", **arguments)]


def settled(reader: Api, count: int) -> list[Any]:
    """The whole feed, once it has so many lines: any transaction of the cluster may hold it up for a moment."""
    wait_until(lambda: len(reader.rows("changes", limit=None)) >= count, f"the feed shows {count} lines", timeout=60)
    rows = reader.rows("changes", limit=None)
    assert len(rows) == count
    return rows


def test_each_write_is_a_line_with_the_columns_of_its_history(api: Api, reader: Api) -> None:
    api.create("s-1")
    api.send("s-1", "OPEN")
    api.update("s-1", patch={"a": 1})
    rows = settled(reader, 3)
    assert [row[1:7] for row in rows] == [
        ("s-1", 1, "create", None, "closed", None),
        ("s-1", 2, "transition", "closed", "open", "OPEN"),
        ("s-1", 3, "update", "open", "open", None),
    ]
    assert [row.at for row in rows] == [row.at for row in reversed(api.history("s-1"))]


def test_a_cursor_goes_on_after_its_line(api: Api, reader: Api) -> None:
    for number in range(7):
        api.create(f"s-{number}")
    whole = settled(reader, 7)
    for index, row in enumerate(whole):
        assert reader.rows("changes", after=row.cursor, limit=None) == whole[index + 1 :]
    pages, after = [], None
    while page := reader.rows("changes", after=after, limit=3):
        pages.append(len(page))
        after = page[-1].cursor
    assert pages == [3, 3, 1]
    assert after == whole[-1].cursor


def test_sessions_with_any_id_have_cursors(api: Api, reader: Api) -> None:
    names = ["a:b", "::", " ", "ü\n1:2:3", "x" * 512, "%s'\"\\"]
    with api.conn.transaction():  # one position in the feed for all of them
        for name in names:
            api.create(name)
    whole = settled(reader, len(names))
    assert [row.session_id for row in whole] == names
    for index, row in enumerate(whole):
        assert [late.session_id for late in reader.rows("changes", after=row.cursor)] == names[index + 1 :]


def test_a_write_that_commits_late_is_not_skipped(api: Api, reader: Api, connect_as: Callable[..., Connection]) -> None:
    """The slow writer began first: nothing after it is shown until it has ended."""
    api.create("s-1")
    first = settled(reader, 1)[0].cursor
    slow = Api(connect_as("test_app"))
    slow.conn.execute("begin")
    slow.create("slow")
    for number in range(3):
        api.create(f"fast-{number}")
    assert shown(reader, after=first) == []
    slow.conn.execute("commit")
    rows = settled(reader, 5)
    assert [row.session_id for row in rows] == ["s-1", "slow", "fast-0", "fast-1", "fast-2"]


def test_a_write_that_is_rolled_back_leaves_no_line(api: Api, reader: Api) -> None:
    with api.conn.transaction(force_rollback=True):
        api.create("s-1")
    api.create("s-2")
    assert [row.session_id for row in settled(reader, 1)] == ["s-2"]


def test_readers_at_any_moment_see_everything_once(
    api: Api, reader: Api, connect_as: Callable[..., Connection]
) -> None:
    """Four writers whose transactions overlap; what a polling reader has put together is what was written."""
    writers = [Api(connect_as("test_app")) for _ in range(4)]
    for number, _ in enumerate(writers):
        api.create(f"s-{number}")
    seen: list[tuple[str, int]] = []
    after = None

    def poll() -> None:
        nonlocal after
        for row in reader.rows("changes", after=after, limit=2):
            seen.append((row.session_id, row.version))
            after = row.cursor

    for turn in range(12):
        # Each holds its transaction open over the next three rounds, so that they end in another order than they began.
        number = turn % 4
        if turn >= 4:
            writers[number].conn.execute("commit")
        if turn < 8:
            writers[number].conn.execute("begin")
            writers[number].update(f"s-{number}")
        poll()
    for number in (2, 0, 3, 1):
        if writers[number].conn.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            writers[number].conn.execute("commit")
        poll()
    settled(reader, 12)
    while len(seen) < 12:
        poll()
    poll()
    assert len(seen) == len(set(seen)) == 12
    for number in range(4):
        assert [version for name, version in seen if name == f"s-{number}"] == [1, 2, 3]


def test_an_erased_session_is_one_line(admin: Api, reader: Api) -> None:
    admin.create("s-1")
    admin.send("s-1", "OPEN")
    before = settled(reader, 2)[-1].cursor
    assert admin.one("delete_session", session_id="s-1").delete_session is True
    [row] = settled(reader, 1)
    assert row[1:7] == ("s-1", 2, "delete", "open", None, None)
    assert shown(reader, after=before) == [("s-1", 2, "delete")]
    admin.create("s-1")
    assert [row.kind for row in settled(reader, 2)] == ["delete", "create"]


def test_the_caller_s_own_writes_are_shown_after_they_are_committed(admin: Api) -> None:
    for level in ("read committed", "repeatable read"):
        admin.conn.execute(f"begin isolation level {level}")
        admin.create(level)
        assert admin.rows("changes", after=None) == [] or level not in [r[1] for r in admin.rows("changes")]
        admin.conn.execute("commit")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "1",
        "1:2",
        "1:2:",
        ":1:s",
        "-1:2:s",
        "1:x:s",
        "99999999999999999999:1:s",
        "1:999999999999999999:s",
        " 1:2:s",
    ],
)
def test_what_is_no_cursor_is_refused(reader: Api, cursor: str) -> None:
    with refused("22023") as refusal:
        reader.rows("changes", after=cursor)
    assert refusal.detail == {"argument": "p_after", "bytes": len(cursor)}


def test_limits(api: Api, reader: Api) -> None:
    api.create("s-1")
    for limit in (0, -1):
        with refused("22023"):
            reader.rows("changes", limit=limit)
    assert len(settled(reader, 1)) == len(reader.rows("changes", limit=1)) == 1


# -- another cluster --------------------------------------------------------------------------------------------------


def test_after_a_new_epoch_everything_new_comes_after_everything_old(admin: Api, reader: Api, db: Connection) -> None:
    admin.create("s-1")
    old = settled(reader, 1)[0]
    assert admin.one("new_feed_epoch").new_feed_epoch == "2"
    # As if the old one had been written by a cluster whose transactions were numbered much further.
    db.execute("update fsm_internal.history set feed_position = (1::bigint << 48) - 1")
    admin.send("s-1", "OPEN")
    rows = settled(reader, 2)
    assert [row.version for row in rows] == [1, 2]
    assert shown(reader, after=old.cursor)[-1] == ("s-1", 2, "transition")
    assert int(rows[1].cursor.split(":")[0]) > 1 << 48
    assert admin.one("delete_session", session_id="s-1").delete_session
    assert [int(row.cursor.split(":")[0]) > 1 << 48 for row in settled(reader, 1)] == [True]
    assert db.execute("select epoch, base from fsm_internal.feed_epochs order by 1").fetchall() == [
        (1, 0),
        (2, 1 << 48),
    ]


def test_a_copy_says_that_it_needs_a_new_epoch(admin: Api, reader: Api, db: Connection) -> None:
    admin.create("s-1")
    db.execute("update fsm_internal.history set feed_position = (1::bigint << 47)")
    with pytest.raises(psycopg.Error) as caught:
        reader.rows("changes")
    diag = caught.value.diag
    assert diag.sqlstate == "55000"
    assert "fsm.new_feed_epoch()" in (diag.message_hint or "")
    assert json.loads(diag.message_detail or "") == {"epoch": 1}
    admin.rows("new_feed_epoch")
    assert [row.kind for row in settled(reader, 1)] == ["create"]


def test_a_new_epoch_voids_turns_and_waits_for_writers(
    admin: Api, api: Api, db: Connection, connect_as: Callable[..., Connection]
) -> None:
    api.create("s-1")
    turn = api.one("begin_turn", session_id="s-1", holder="me").turn
    writer = Api(connect_as("test_app"))
    writer.conn.execute("begin")
    writer.update("s-1", turn=turn)
    admin.conn.execute("set lock_timeout to '50 ms'")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        admin.rows("new_feed_epoch")
    writer.conn.execute("commit")
    admin.rows("new_feed_epoch")
    with refused("SM051"):
        api.update("s-1", turn=turn)
    assert api.update("s-1").version == 3
