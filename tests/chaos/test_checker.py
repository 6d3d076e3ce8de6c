"""The checker finds what is planted: a sound history is altered in one place, and one rule must be broken by it."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from support.chaos.checker import check
from support.chaos.records import DONE, REFUSED, UNKNOWN, Answer, Call, Log, Write, read
from support.chaos.shown import Line
from support.chaos.stored import Row, Stored
from support.chaos.turns import written_beside

NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


class History:
    """Two clients and one session, told in seconds; another session that was forked from it."""

    def __init__(self) -> None:
        self.calls: dict[str, Call] = {}
        self.rows: list[Row] = []
        made = {"n": 1, "m": "a1"}
        sent = {"n": 2, "m": "b1", "log": [5]}
        saved = {"n": 3, "m": "a3"}
        self.wrote(1, 2, Write("s", "a1", "create", context=made, request="1"), "create", None, "idle", made)
        self.read("a2", 3, 4, Answer("s", 1, "read", "idle", made))
        go = Write("s", "b1", "send", event="GO", patch={"n": 2, "m": "b1"}, append={"log": [5]}, request="2")
        self.wrote(3, 5, go, "transition", "idle", "busy", sent, "GO")
        lost = Write("s", "a3", "save", state="busy", context=saved, request="3")
        self.rows.append(Row(3, "update", "busy", "busy", None, "a3", self.at(3)))
        self.calls["a3"] = Call("a3", "a", "save", 6, [lost], 7, UNKNOWN)
        again = Answer("s", 3, "wrote", "busy", saved, "a3", replayed=True)
        self.calls["a3 again"] = Call("a3 again", "a", "save again", 8, [lost], 9, DONE, answers=[again])
        self.read("b2", 10, 11, Answer("s", 3, "read", "busy", saved))
        late = Write("s", "b3", "save", state="idle", context={"m": "b3"}, expected=2, request="4")
        told = [Answer("s", 3, "conflict")]
        self.calls["b3"] = Call("b3", "b", "save", 12, [late], 13, REFUSED, "SM030", told)
        back = Write("s", "a4", "rollback", to_version=1)
        self.wrote(14, 15, back, "rollback", "busy", "idle", made)
        self.batch = [Write(name, f"c{name}", "save", state="idle", context={"m": name}) for name in ("s", "f")]
        fork = Write("f", "b4", "fork", source="s", to_version=2)
        self.forked = [Row(1, "fork", None, "busy", None, "b4", self.at(1))]
        self.calls["b4"] = Call(
            "b4", "b", "fork", 16, [fork], 17, DONE, answers=[Answer("f", 1, "wrote", "busy", None, "b4")]
        )
        self.forked_context = sent
        self.never = Call("a5", "a", "update", 18, [Write("s", "a5", "update", patch={"m": "a5"})])
        self.calls["a5"] = self.never
        self.contexts: dict[int, dict[str, Any]] = {1: made, 4: deepcopy(made)}
        self.feed: list[Line] = [("s", row.version, row.kind) for row in self.rows] + [("f", 1, "fork")]
        self.version, self.state = 4, "idle"

    @staticmethod
    def at(version: int) -> datetime:
        return NOON + timedelta(seconds=version)

    def wrote(
        self, began: float, ended: float, write: Write, kind: str, before: str | None, after: str,
        context: dict[str, Any], event: str | None = None,
    ) -> None:  # fmt: skip
        version = len(self.rows) + 1
        self.rows.append(Row(version, kind, before, after, event, write.actor, self.at(version)))
        answer = Answer("s", version, "wrote", after, deepcopy(context), write.actor)
        self.calls[write.actor] = Call(
            write.actor, write.actor[0], write.how, began, [write], ended, DONE, answers=[answer]
        )

    def read(self, name: str, began: float, ended: float, *answers: Answer) -> None:
        self.calls[name] = Call(name, name[0], "load", began, [], ended, DONE, answers=list(answers))

    def broken(self) -> set[str]:
        """The rules that the checker finds broken."""
        stored = {
            "s": Stored(self.rows, self.version, self.state, self.contexts),
            "f": Stored(self.forked, 1, "busy", {1: self.forked_context}),
        }
        return {one.rule for one in check(self.calls.values(), stored, [self.feed]).violations}

    def answer(self, name: str) -> Answer:
        return self.calls[name].answers[0]


def test_a_sound_history_is_sound() -> None:
    assert History().broken() == set()


PLANTED: dict[str, tuple[str, Callable[[History], Any]]] = {}


def planted(rule: str) -> Callable[[Callable[[History], Any]], Callable[[History], Any]]:
    """A way to break a sound history, and the rule that it breaks."""

    def register(plant: Callable[[History], Any]) -> Callable[[History], Any]:
        PLANTED[plant.__name__] = rule, plant
        return plant

    return register


@planted("acknowledged is stored")
def lost_newest_write(history: History) -> None:
    history.rows.pop()
    history.version, history.state, history.contexts = 3, "busy", {1: history.contexts[1]}


@planted("acknowledged is stored")
def lost_write_in_whose_place_is_another(history: History) -> None:
    history.rows[1].actor = "a5"


@planted("versions contiguous")
def lost_row(history: History) -> None:
    del history.rows[1]


@planted("applied once")
def doubled_write(history: History) -> None:
    history.rows.append(Row(5, "update", "idle", "idle", None, "a3", history.at(5)))
    history.version = 5


@planted("read is stored")
def read_of_a_version_that_was_never_committed(history: History) -> None:
    history.read("b9", 20, 21, Answer("s", 5, "read", "idle", {}))


@planted("reads are fresh")
def stale_read(history: History) -> None:
    history.read("b9", 16, 17, Answer("s", 3, "read", "busy"))


@planted("reads are fresh")
def stale_read_after_a_read(history: History) -> None:
    history.read("b9", 4.5, 6, Answer("s", 0))


@planted("reads are fresh")
def conflict_with_a_version_long_gone(history: History) -> None:
    history.answer("b3").version = 1


@planted("conflicts are such")
def conflict_with_the_version_that_was_expected(history: History) -> None:
    history.calls["b3"].writes[0].expected = 3


@planted("reads are not from the future")
def read_from_the_future(history: History) -> None:
    history.read("b9", 10, 12, Answer("s", 4, "read", "idle"))


@planted("reads are not from the future")
def past_that_was_told_before_it_was(history: History) -> None:
    history.read("b9", 10, 12, Answer("s", 4, "past", "idle"))


@planted("writes in order")
def write_below_one_that_was_known(history: History) -> None:
    history.calls["b1"].began, history.calls["b1"].ended = 20, 21


@planted("told what is stored")
def read_of_another_state(history: History) -> None:
    history.answer("b2").state = "idle"


@planted("told what is stored")
def read_of_another_context(history: History) -> None:
    history.answer("b2").context = {"n": 3, "m": "b1"}


@planted("told what is stored")
def event_judged_on_an_old_context(history: History) -> None:
    history.answer("b1").context = {"n": 2, "m": "b1", "log": []}


@planted("stored is what was written")
def stored_context_is_another(history: History) -> None:
    history.contexts[4] = {"n": 9}


@planted("head is the newest row")
def head_apart_from_its_history(history: History) -> None:
    history.state = "busy"


@planted("states join")
def forked_history(history: History) -> None:
    history.rows[2].from_state = "idle"


@planted("a fork is what it was forked from")
def fork_of_another_version(history: History) -> None:
    history.forked_context = {"n": 9}


@planted("replayed is the same")
def replay_with_another_answer(history: History) -> None:
    first = history.calls["a3"]
    first.outcome, first.answers = DONE, [Answer("s", 4, "wrote", actor="a3")]


@planted("refused is not done")
def refused_write_that_was_done(history: History) -> None:
    history.rows.append(Row(5, "update", "idle", "idle", None, "b3", history.at(5)))
    history.version = 5


@planted("a batch is whole")
def half_a_batch(history: History) -> None:
    history.rows.append(Row(5, "update", "idle", "idle", None, "cs", history.at(5)))
    history.version = 5
    history.calls["c"] = Call("c", "c", "batch", 20, history.batch, math.inf, UNKNOWN, atomic=True)


@planted("written by somebody")
def version_that_nobody_wrote(history: History) -> None:
    history.rows.append(Row(5, "update", "idle", "idle", None, "nobody", history.at(5)))
    history.version = 5


@planted("written where it was sent")
def write_in_another_session(history: History) -> None:
    history.calls["a5"].writes[0].session = "f"
    history.rows.append(Row(5, "update", "idle", "idle", None, "a5", history.at(5)))
    history.version = 5


@planted("times rise")
def times_that_stand_still(history: History) -> None:
    history.rows[2].at = history.rows[1].at


@planted("guards hold")
def transition_that_the_machine_lacks(history: History) -> None:
    history.rows[1].event = "BACK"


@planted("invariant holds")
def state_that_refuses_the_context(history: History) -> None:
    write = history.calls["a3"].writes[0]
    assert write.context is not None
    write.context["n"] = 9


@planted("diverted where the machine says")
def diverted_elsewhere(history: History) -> None:
    history.rows[1].kind = "divert"


@planted("the feed misses nothing")
def feed_with_a_gap(history: History) -> None:
    del history.feed[2]


@planted("the feed shows nothing twice")
def feed_that_shows_a_line_twice(history: History) -> None:
    history.feed.insert(2, history.feed[1])


@planted("the feed is in order")
def feed_that_goes_back(history: History) -> None:
    history.feed[1:3] = reversed(history.feed[1:3])


@planted("the feed tells what is stored")
def feed_that_tells_another_kind(history: History) -> None:
    history.feed[1] = ("s", 2, "update")


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_found(name: str) -> None:
    rule, plant = PLANTED[name]
    history = History()
    plant(history)
    assert rule in history.broken()


@planted("turns are exclusive")
def write_beside_a_turn(history: History) -> None:
    history.calls["t"] = Call("t", "b", "turn", 13.5, [], 15.5, DONE, turn="s")


def test_a_write_of_the_holder_or_at_the_edge_of_a_turn_or_in_a_disturbance_is_none_beside_it() -> None:
    history = History()
    history.calls["t1"] = Call("t1", "a", "turn", 13.5, [], 15.5, DONE, turn="s")
    history.calls["t2"] = Call("t2", "b", "turn", 14.5, [], 15.5, DONE, turn="s")
    history.calls["t3"] = Call("t3", "b", "turn", 13.5, [], 14.5, DONE, turn="s")
    history.calls["t4"] = Call("t4", "b", "turn", 13.5, [], 15.5, DONE, turn="f")
    assert history.broken() == set()
    history.calls["t5"] = Call("t5", "b", "turn", 13.5, [], 15.5, DONE, turn="s")
    assert written_beside(list(history.calls.values()), [(15.4, 16)]) == []


def test_an_unknown_write_may_be_there_or_not() -> None:
    history = History()
    history.rows.append(Row(5, "update", "idle", "idle", None, "a5", history.at(5)))
    history.feed.append(("s", 5, "update"))
    history.version = 5
    assert history.broken() == set()


def test_a_log_that_was_cut_short_by_a_kill_is_read_to_there(tmp_path: Path) -> None:
    history = History()
    log = Log(tmp_path / "log")
    for call in history.calls.values():
        log.began(call)
        if call.ended < math.inf:
            log.ended(call)
    log.close()
    with (tmp_path / "log").open("a") as file:
        file.write('{"id":"half')
    assert read([tmp_path / "log"]) == list(history.calls.values())
