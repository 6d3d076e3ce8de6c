"""What the database says to programs that try what the machine or somebody else's write forbids."""

from __future__ import annotations

import secrets

from fsmstore import (
    FsmError,
    GuardFailed,
    HistoryEntry,
    InvalidContext,
    LoopDetected,
    Session,
    SessionStore,
    TransitionNotAllowed,
    VersionConflict,
)

from .catalogue import Catalogue
from .claims import expect, refused
from .conversation import Conversation
from .purchase import Purchase
from .screen import Screen

_VAGUE = ("Something good.", "Just a nice one.", "You choose.")


def refusals(screen: Screen, store: SessionStore) -> None:
    """Try four things that must not be, each on a session of its own."""
    screen.chapter("What cannot be saved")
    screen.tell(
        "The rules are in the database, not in the programs: a program with a fault, an old worker, or somebody at a "
        "SQL prompt is told the same. Each refusal is one SQLSTATE with the facts as JSON and what to do next."
    )
    _conflict(screen, store)
    _transition(screen, store)
    _guard(screen, store)
    _context(screen, store)


def _conflict(screen: Screen, store: SessionStore) -> None:
    screen.heading("Two writers with the same version")
    alice = bob = _searching(store)
    screen.tell(f"Two workers load version {alice.version}. The first one saves; then the second one does.")
    store.save(alice.evolve(context={**alice.context, "search_results": ["WM-001"]}), actor="first")
    _show(screen, store, alice.session_id, VersionConflict, bob.evolve(context={**bob.context, "search_results": []}))
    left = store.load(alice.session_id)
    expect(left is not None and left.context["search_results"] == ["WM-001"], "the first writer's save is untouched")


def _transition(screen: Screen, store: SessionStore) -> None:
    screen.heading("A transition that the machine does not have")
    session = _searching(store)
    screen.tell("From search straight to completed: an order that nobody confirmed.")
    _show(screen, store, session.session_id, TransitionNotAllowed, session.evolve(state="completed"))


def _guard(screen: Screen, store: SessionStore) -> None:
    screen.heading("A guard that does not hold")
    session = _searching(store)
    screen.tell("To refine_constraints, with three results: that way is for more than fifty.")
    three = {**session.context, "search_results": ["WM-001", "WM-002", "WM-003"]}
    _show(screen, store, session.session_id, GuardFailed, session.evolve(state="refine_constraints", context=three))


def _context(screen: Screen, store: SessionStore) -> None:
    screen.heading("A context that does not fit the schema")
    session = _searching(store)
    screen.tell("What the user looks for, as a number.")
    number = {**session.context, "product_query": 42}
    _show(screen, store, session.session_id, InvalidContext, session.evolve(context=number))


def _searching(store: SessionStore) -> Session:
    session = store.create(f"refusal-{secrets.token_hex(3)}", "purchase_item")
    return store.send(session.session_id, "BEGIN", {"product_query": "washing machine"})


def _show(screen: Screen, store: SessionStore, session_id: str, kind: type[FsmError], wanted: Session) -> None:
    before = store.load(session_id)
    screen.refusal(refused(kind, lambda: store.save(wanted)))
    expect(store.load(session_id) == before, f"{kind.__name__} leaves the session as it was")


def loops(screen: Screen, store: SessionStore, catalogue: Catalogue) -> str:
    """Play a conversation that goes in circles, logged and blocked; return the id of the logged one's session."""
    screen.chapter("A loop")
    screen.tell(
        "A user who never narrows the search down, and an agent that does not notice: search, refine, search, refine, "
        "… The machine allows three passages in five minutes and says what becomes of the fourth."
    )
    screen.heading("The machine says: log")
    logged = _round_and_round(screen, store, catalogue, "purchase_item", len(_VAGUE))
    (loop, *others) = store.detect_loop(logged)
    expect(not others and (loop.from_state, loop.to_state) == ("search", "refine_constraints"), "one loop is found")
    expect((loop.occurrences, loop.loop_limit) == (4, 3), "the loop is found at the fourth passage")
    screen.done(
        f"Saved and flagged. detect_loop, from any process: {loop.from_state} → {loop.to_state}, {loop.occurrences} "
        f"times within {loop.loop_window.total_seconds() / 60:g} minutes; {loop.loop_limit} are allowed."
    )
    screen.heading("The same machine, but it says: block")
    blocked = _round_and_round(screen, store, catalogue, "purchase_item_strict", len(_VAGUE) - 1)
    screen.chat("you", _VAGUE[-1])
    conversation = _conversation(store, catalogue, "purchase_item_strict", blocked)
    screen.refusal(refused(LoopDetected, lambda: conversation.turn(_VAGUE[-1])))
    entries = store.history(blocked)
    expect(not any(entry.loop_detected for entry in entries), "the blocked passage is not in the history")
    expect(entries[0].to_state == "search", "the blocked session stays in search")
    return logged


def _conversation(store: SessionStore, catalogue: Catalogue, machine: str, session_id: str) -> Conversation:
    return Conversation(store, Purchase(catalogue, machine=machine), session_id, actor="agent")


def _round_and_round(screen: Screen, store: SessionStore, catalogue: Catalogue, machine: str, rounds: int) -> str:
    session_id = f"loop-{secrets.token_hex(3)}"
    conversation = _conversation(store, catalogue, machine, session_id)
    for text in ("I am looking for a washing machine.", *_VAGUE[:rounds]):
        conversation.turn(text)
        screen.chat("you", text)
        entries = store.history(session_id)
        screen.tell(_passages(entries))
        expect(entries[0].to_state == "refine_constraints", "a vague answer leads back to refine_constraints")
        expect(entries[0].loop_detected is (_count(entries) > 3), "the fourth passage is flagged, and no other")
    return session_id


def _count(entries: list[HistoryEntry]) -> int:
    return sum((entry.from_state, entry.to_state) == ("search", "refine_constraints") for entry in entries)


def _passages(entries: list[HistoryEntry]) -> str:
    flag = "   loop_detected" if entries[0].loop_detected else ""
    return f"{'':6}search → refine_constraints, passage {_count(entries)}, saved as v{entries[0].version}{flag}"
