"""The purchase as it is seen from outside: a worker serves it, is killed half-way, and another one goes on."""

from __future__ import annotations

import secrets

from fsmstore import Session, SessionStore

from .claims import StoryBroken, expect
from .database import Database
from .screen import Screen
from .workers import Report, Worker, alive

WAY = (
    "start",
    "search",
    "refine_constraints",
    "search",
    "collect_preferences",
    "collect_preferences",
    "match_preferences",
    "confirm_purchase",
    "completed",
)
"""The state after each save of the purchase."""


class Shopper:
    """The user: what is answered in each state, once."""

    def __init__(self) -> None:
        self._answers = {
            "start": ["I am looking for a washing machine."],
            "refine_constraints": ["At most 650 euro and at least 8 kg, please."],
            "collect_preferences": ["It must be quiet. After that, energy.", "I like Nordhus. No Velmo, please."],
            "confirm_purchase": ["Yes, please."],
        }

    def answer(self, state: str) -> str:
        """Return the next answer to what is asked in this state.

        Raises:
            StoryBroken: the user has said it already.
        """
        expect(bool(self._answers.get(state)), f"in {state} the user is asked nothing twice")
        return self._answers[state].pop(0)

    @property
    def silent(self) -> bool:
        """Whether everything has been said."""
        return not any(self._answers.values())


def purchase(screen: Screen, store: SessionStore, database: Database) -> str:
    """Play the purchase and return its session's id."""
    session_id = f"purchase-{secrets.token_hex(3)}"
    shopper = Shopper()
    with Worker(database.app_dsn, session_id) as worker:
        screen.chapter(f"A purchase, served by worker process {worker.pid}")
        screen.tell(f"Session {session_id}. Each line v1, v2, … is a save that the database has acknowledged.")
        screen.blank()
        expect(_loaded(worker) == (None, None), "the first worker finds no such session")
        acknowledged = _listen(screen, worker, shopper, stop_half_way=True)
        _kill(screen, worker, acknowledged)
    _look_at_what_is_left(screen, store, session_id, acknowledged)
    with Worker(database.app_dsn, session_id) as worker:
        screen.chapter(f"Another process goes on: worker {worker.pid}")
        seen = _loaded(worker)
        expect(seen == (acknowledged["state"], acknowledged["version"]), "the new worker finds what was acknowledged")
        screen.done(f"It knows nothing but the session's id, and loads it: {seen[0]}, version {seen[1]}.")
        screen.blank()
        ended = _listen(screen, worker, shopper, stop_half_way=False)
        expect(worker.wait() == 0, "the second worker ends by itself")
    expect(ended["state"] == "completed", "the purchase ends in completed")
    expect(shopper.silent, "the user was asked everything once")
    screen.blank()
    screen.done("completed. The user was asked nothing twice, and never knew.")
    return session_id


def _loaded(worker: Worker) -> tuple[str | None, int | None]:
    for report in worker.reports:
        return report["state"], report["version"]
    raise _ended_early(worker)


def _ended_early(worker: Worker) -> StoryBroken:
    return StoryBroken(f"The demo did not go as it tells: worker {worker.pid} ended before its time")


def _listen(screen: Screen, worker: Worker, shopper: Shopper, *, stop_half_way: bool) -> Report:
    """Follow the worker to its end, or until it has weighed half of the products, and return the last save."""
    saved: Report = {}
    for report in worker.reports:
        if report["kind"] == "saved":
            saved = report
            screen.saved(report["version"], report["event"], report["state"])
        elif report["kind"] == "asks":
            answer = shopper.answer(report["state"])
            screen.chat("shop", report["text"])
            screen.chat("you", answer)
            worker.answer(answer)
        elif report["kind"] == "ended":
            screen.chat("shop", report["text"])
            return saved
        else:
            half_way = 2 * report["done"] >= report["total"]
            if half_way and stop_half_way:
                screen.blank()
                screen.tell(f"It is weighing the products that fit: {report['done']} of {report['total']} are done …")
                return saved
            worker.answer()
    raise _ended_early(worker)


def _kill(screen: Screen, worker: Worker, acknowledged: Report) -> None:
    screen.chapter("… and is killed half-way")
    status = worker.kill()
    expect(status == -9, f"the worker died of kill -9, not with status {status}")
    screen.died(f"kill -9 {worker.pid}")
    expect(not alive(worker.pid), f"process {worker.pid} is dead")
    screen.died(f"ps -p {worker.pid}: no such process. It had no time to save or to say anything.")


def _look_at_what_is_left(screen: Screen, store: SessionStore, session_id: str, acknowledged: Report) -> None:
    session = store.load(session_id)
    expect(session is not None, "the session is in the database")
    assert session is not None
    left, last = (session.state, session.version), (acknowledged["state"], acknowledged["version"])
    expect(left == last, f"the database has what was acknowledged last, {last}, and not {left}")
    expect(len(session.context["search_results"]) in range(1, 51), "the second search found 1 to 50 products")
    screen.done("The database has what it acknowledged last, whole, and nothing of the work that was under way:")
    screen.facts(_summary(session))


def _summary(session: Session) -> list[tuple[str, str]]:
    context = session.context
    limits = (f"{one['operator']} {one['value']} {one['unit']}" for one in context["constraints"])
    preferences = (f"{name}: {', '.join(words)}" for name, words in sorted(context["preferences"].items()))
    return [
        ("state", f"{session.state}, version {session.version}"),
        ("product_query", context["product_query"]),
        ("constraints", ", ".join(limits)),
        ("search_results", f"{len(context['search_results'])} products"),
        ("preferences", "; ".join(preferences)),
        ("conversation", f"{len(context['conversation_history'])} messages"),
    ]
