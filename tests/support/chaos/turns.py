"""Judges turns: while one is held nobody else writes the session."""

from __future__ import annotations

from collections import defaultdict

from .records import Call
from .stored import Violation


def written_beside(calls: list[Call], disturbed: list[tuple[float, float]]) -> list[Violation]:
    """Return the writes that another client was acknowledged from begin to end while somebody held the turn."""
    written: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        for answer in call.answers:
            if answer.how == "wrote" and not (answer.replayed and "again" in call.name):
                written[answer.session].append(call)
    violations: list[Violation] = []
    for turn in calls:
        if turn.turn is None or any(began < turn.ended and turn.began < ended for began, ended in disturbed):
            continue
        for call in written[turn.turn]:
            if call.client != turn.client and turn.began < call.began and call.ended < turn.ended:
                what = f"{call.id} {call.name} was done while {turn.client} held the turn"
                violations.append(Violation("turns are exclusive", turn.turn, what))
    return violations
