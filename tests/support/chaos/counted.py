"""Counts what the calls of a run came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from .records import DONE, Call
from .stored import Stored


def counted(calls: list[Call], stored: dict[str, Stored]) -> Counter[str]:
    """Return how often each thing happened that a run is to reach, or that its summary tells."""
    counts: Counter[str] = Counter()
    for call in calls:
        if call.turn is not None:
            counts["turns held"] += 1
            continue
        counts["calls"] += 1
        counts["done"] += call.outcome == DONE
        counts["guard null"] += call.sqlstate == "SM022" and any(one.event == "NULL" for one in call.writes)
        counts["rollback to version 1"] += call.outcome == DONE and any(
            one.how == "rollback" and one.to_version == 1 for one in call.writes
        )
        counts[f"call {call.name} {call.outcome}"] += 1
        if call.sqlstate is not None:
            counts[f"sqlstate {call.sqlstate}"] += 1
        for answer in call.answers:
            if answer.how == "wrote":  # an item of a batch does not tell whether it is a repetition
                counts["replayed" if answer.replayed and "batch" not in call.name else "acknowledged"] += 1
    counts["unknown that were done"] = sum(1 for _ in _found_out(calls, stored))
    for one in stored.values():
        counts["versions"] += len(one.rows)
        for row in one.rows:
            counts[f"kind {row.kind}"] += 1
            counts["loops"] += row.loop_detected
    counts["deadline and save met"] = sum(1 for _ in _met_a_deadline(calls, stored))
    return counts


def _found_out(calls: list[Call], stored: dict[str, Stored]) -> Iterator[str]:
    """Writes of which nobody was ever told that they were done."""
    told = {answer.actor for call in calls for answer in call.answers if answer.how == "wrote"}
    never_told = {write.actor for call in calls for write in call.writes} - told
    for one in stored.values():
        for row in one.rows:
            if row.actor in never_told:
                yield str(row.actor)


def _met_a_deadline(calls: list[Call], stored: dict[str, Stored]) -> Iterator[str]:
    """Saves that came too late because a deadline was taken after they had read the session."""
    kinds = {(name, row.version): row.kind for name, one in stored.items() for row in one.rows}
    for call in calls:
        for write in call.writes:
            if call.sqlstate == "SM030" and kinds.get((write.session, (write.expected or 0) + 1)) == "deadline":
                yield call.id
