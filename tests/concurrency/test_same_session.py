"""Several writers on one session: one after the other, and each decides on what the one before committed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest

from support.api import Api
from support.race import Outcome, Race
from support.together import Running

REQUEST = UUID(int=1)


def _won(outcomes: list[Outcome]) -> list[Any]:
    return [outcome.row for outcome in outcomes if outcome.sqlstate is None]


def _refused(outcomes: list[Outcome]) -> list[str]:
    return sorted(outcome.sqlstate for outcome in outcomes if outcome.sqlstate)


WRITES: dict[str, Callable[..., Any]] = {
    "save": lambda api, version, **more: api.save("s-1", "open", {"by": 1}, version, **more),
    "update by save": lambda api, version, **more: api.save("s-1", "closed", {"by": 1}, version, **more),
    "send": lambda api, version, **more: api.send("s-1", "KNOCK", expected_version=version, **more),
    "update": lambda api, version, **more: api.update("s-1", expected_version=version, **more),
}


@pytest.mark.parametrize("write", WRITES)
def test_of_writers_with_the_same_version_one_wins(api: Api, race: Race, write: str) -> None:
    api.create("s-1")
    race.start("s-1", [lambda one: WRITES[write](one, 1)] * 5)
    outcomes = race.finish()
    assert [row.version for row in _won(outcomes)] == [2]
    assert _refused(outcomes) == ["SM030"] * 4
    for outcome in outcomes:
        if outcome.error is not None:
            assert '"version": 2' in (outcome.error.diag.message_detail or "")
    assert len(api.history("s-1")) == 2


@pytest.mark.parametrize("write", WRITES)
def test_of_writers_with_any_version_all_win(api: Api, race: Race, write: str) -> None:
    api.create("s-1")
    race.start("s-1", [lambda one: WRITES[write](one, None)] * 4)
    assert sorted(row.version for row in _won(race.finish())) == [2, 3, 4, 5]
    assert [entry.version for entry in api.history("s-1")] == [5, 4, 3, 2, 1]


@pytest.mark.parametrize("write", WRITES)
def test_of_retries_of_one_request_one_writes_and_the_others_replay(api: Api, race: Race, write: str) -> None:
    api.create("s-1")
    race.start("s-1", [lambda one: WRITES[write](one, 1, request_id=REQUEST)] * 4)
    rows = _won(race.finish())
    assert sorted(row.replayed for row in rows) == [False, True, True, True]
    assert len({row._replace(replayed=True) for row in map(_without_context, rows)}) == 1
    assert len(api.history("s-1")) == 2


def _without_context(row: Any) -> Any:
    """A context is a dict, and so not hashable."""
    return row._replace(context=str(row.context)) if "context" in row._fields else row


def test_of_creations_one_wins(api: Api, race: Race) -> None:
    race.start("s-1", [lambda one: one.create("s-1", context={"n": 1})] * 4)
    outcomes = race.finish()
    assert [row.version for row in _won(outcomes)] == [1]
    assert _refused(outcomes) == ["SM011"] * 3
    assert len(api.history("s-1")) == 1


def test_of_retries_of_one_creation_one_creates_and_the_others_replay(api: Api, race: Race) -> None:
    race.start("s-1", [lambda one: one.create("s-1", request_id=REQUEST)] * 4)
    rows = _won(race.finish())
    assert sorted(row.replayed for row in rows) == [False, True, True, True]
    assert len({row._replace(replayed=True) for row in rows}) == 1


def test_a_write_waits_for_the_creation_and_then_finds_the_session(api: Api, race: Race) -> None:
    api.conn.execute("begin")
    api.create("s-1")
    race.queue([lambda one: one.update("s-1"), lambda one: one.send("s-1", "OPEN")])
    api.conn.execute("commit")
    assert [outcome.row.version for outcome in race.finish()] == [2, 3]


def test_who_waits_decides_on_what_was_committed_meanwhile(api: Api, race: Race) -> None:
    """State, context, version and final state: all of them as they are then."""
    api.create("s-1", context={"n": 1})
    api.conn.execute("begin")
    api.send("s-1", "OPEN", patch={"n": 2})
    race.queue(
        [
            lambda one: one.send("s-1", "OPEN"),
            lambda one: one.save("s-1", "open", {"n": 3}),
            lambda one: one.save("s-1", "closed", {"n": 4}, 1),
            lambda one: one.update("s-1", append={"log": [1]}),
        ]
    )
    api.conn.execute("commit")
    outcomes = race.finish()
    assert [outcome.sqlstate for outcome in outcomes] == ["SM020", None, "SM030", None]
    assert (outcomes[1].row.version, outcomes[1].row.state, outcomes[1].row.changed_state) == (3, "open", False)
    assert api.load("s-1").context == {"n": 3, "log": [1]}


def test_who_waits_goes_on_after_the_holders_rollback(api: Api, race: Race) -> None:
    api.create("s-1")
    api.conn.execute("begin")
    api.send("s-1", "OPEN", request_id=REQUEST)
    race.queue([lambda one: one.send("s-1", "OPEN", expected_version=1, request_id=REQUEST)])
    api.conn.execute("rollback")
    [outcome] = race.finish()
    assert (outcome.row.version, outcome.row.replayed) == (2, False)
    assert [entry.version for entry in api.history("s-1")] == [2, 1]


def test_a_loop_is_decided_under_the_lock(api: Api, race: Race, define: Callable[..., int]) -> None:
    """Of six passages at once the limit goes through, not one more."""
    define({"a": {"on": {"SELF": "a"}}}, loop={"limit": 3, "window": "1 hour", "action": "block"})
    api.create("s-1", "m")
    race.start("s-1", [lambda one: one.send("s-1", "SELF")] * 6)
    outcomes = race.finish()
    assert len(_won(outcomes)) == 3
    assert _refused(outcomes) == ["SM040"] * 3


def test_readers_do_not_wait(api: Api, db: psycopg.Connection[Any], connect_as: Callable[..., Any]) -> None:
    """They see what was committed last."""
    api.create("s-1", context={"n": 1})
    before = api.load("s-1")
    api.conn.execute("begin")
    api.save("s-1", "open", {"n": 2})
    reader = Api(connect_as("test_reader"))
    reader.conn.execute("set lock_timeout = '1s'")
    assert reader.load("s-1") == before
    assert reader.rows("load_sessions", session_ids=["s-1"]) == [before[:-1]]
    assert reader.at("s-1", 1) == before[:-1]
    assert reader.at("s-1", 2) is None
    assert [entry.version for entry in reader.history("s-1")] == [1]
    assert {row.event for row in reader.rows("allowed_events", session_id="s-1")} == {"OPEN", "KNOCK"}
    assert reader.rows("detect_loop", session_id="s-1") == []
    api.conn.execute("commit")
    assert reader.load("s-1").context == {"n": 2}


def test_other_sessions_do_not_wait(api: Api, connect_as: Callable[..., Any]) -> None:
    for number in range(1, 21):
        api.create(f"s-{number}")
    api.conn.execute("begin")
    api.send("s-1", "OPEN")
    other = Api(connect_as("test_app"))
    other.conn.execute("set lock_timeout = '1s'")
    for number in range(2, 21):
        assert other.send(f"s-{number}", "OPEN").version == 2
    assert other.create("s-21").version == 1
    with pytest.raises(psycopg.errors.LockNotAvailable):
        other.send("s-1", "OPEN")
    api.conn.execute("rollback")


def test_definitions_do_not_wait_for_sessions_nor_sessions_for_definitions(
    api: Api, define: Callable[..., int], db: Any
) -> None:
    db.execute("set lock_timeout = '2s'")
    api.create("s-1")
    api.conn.execute("begin")
    api.send("s-1", "OPEN")
    assert define({"closed": {"on": {"OPEN": "closed"}}}, name="door") == 2
    db.execute("select fsm.retire_machine('door', 1)")
    api.conn.execute("commit")
    db.execute("begin")
    define({"closed": {"on": {"OPEN": "closed", "X": "closed"}}}, name="door")
    api.conn.execute("set lock_timeout = '2s'")
    assert api.send("s-1", "CLOSE").version == 3
    assert api.create("s-2", "door").machine_version == 2
    db.execute("rollback")


def test_many_threads_count_without_gaps(api: Api, connect_as: Callable[..., Any]) -> None:
    api.create("s-1", context={"log": []})
    callers = [Api(connect_as("test_app")) for _ in range(6)]

    def work(name: int, caller: Api) -> list[int]:
        return [caller.update("s-1", append={"log": [[name, nth]]}).version for nth in range(25)]

    runs = [Running(lambda name=name, caller=caller: work(name, caller)) for name, caller in enumerate(callers)]  # type: ignore[misc]
    made = [version for run in runs for version in run.result()]
    assert sorted(made) == list(range(2, 152))
    log = api.load("s-1").context["log"]
    assert sorted(log) == [[name, nth] for name in range(6) for nth in range(25)]
    assert [nth for name, nth in log if name == 3] == list(range(25))
    entries = api.history("s-1", limit=None)
    assert [entry.version for entry in entries] == list(range(151, 0, -1))
    times = [entry.at for entry in entries]
    assert times == sorted(set(times), reverse=True)


def test_compare_and_save_loses_no_increment(api: Api, connect_as: Callable[..., Any]) -> None:
    api.create("s-1", context={"n": 0})
    conflicts = []

    def increment(caller: Api) -> None:
        for _ in range(15):
            while True:
                row = caller.load("s-1")
                try:
                    caller.save("s-1", "closed", {"n": row.context["n"] + 1}, row.version)
                    break
                except psycopg.DatabaseError as error:
                    if error.sqlstate != "SM030":
                        raise
                    conflicts.append(error)

    callers = [Api(connect_as("test_app")) for _ in range(4)]
    for run in [Running(lambda caller=caller: increment(caller)) for caller in callers]:  # type: ignore[misc]
        run.result()
    row = api.load("s-1")
    assert (row.context, row.version) == ({"n": 60}, 61)
    assert conflicts
