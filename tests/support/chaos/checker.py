"""Judges a history: is there one order of the writes of each session that explains all that anybody was told?

Versions are that order, so nothing has to be searched for. What is told of a version must be what the writes up to it
make of it; whoever was told of a version came after its writer began, and was not told of a version that was history
before he asked; and what is stored in the end holds every acknowledged write once, and no refused one.
"""

from __future__ import annotations

import bisect
import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from . import machine
from .counted import counted
from .records import DONE, REFUSED, Answer, Call, Write
from .shown import Line, shown_wrongly
from .stored import Row, Stored, Violation
from .turns import written_beside


@dataclass
class Verdict:
    """What came of it."""

    violations: list[Violation] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def check(
    calls: Iterable[Call],
    stored: dict[str, Stored],
    feeds: Iterable[Iterable[Line]] = (),
    disturbed: Iterable[tuple[float, float]] = (),
) -> Verdict:
    """Judge the calls against what is stored in the end.

    Args:
        calls: of all clients.
        stored: by session, all that any call wrote to.
        feeds: the lines that each reader of the feed was shown, in the order in which it was.
        disturbed: from when to when turns could end before their time: a crash voids them, and so may another clock.
    """
    return _Check(list(calls), stored, feeds, disturbed).verdict


class _Check:
    def __init__(
        self,
        calls: list[Call],
        stored: dict[str, Stored],
        feeds: Iterable[Iterable[Line]],
        disturbed: Iterable[tuple[float, float]],
    ) -> None:
        self.verdict = Verdict()
        self.stored = stored
        self.calls = calls
        self.writes: dict[str, Write] = {}
        self.attempts: dict[str, list[Call]] = defaultdict(list)
        for call in calls:
            for write in call.writes:
                self.writes[write.actor] = write
                self.attempts[write.actor].append(call)
        self.models: dict[str, dict[int, dict[str, Any]]] = {}
        told: dict[str, list[tuple[Call, Answer]]] = defaultdict(list)
        for call in calls:
            for answer in call.answers:
                told[answer.session].append((call, answer))
        for session in sorted(stored):
            self._history(session)
        for session in sorted(stored):
            self._forked(session)
        for session, answers in told.items():
            self._told(session, answers)
        self._outcomes()
        self.verdict.violations += written_beside(calls, list(disturbed))
        for feed in feeds:
            violations = shown_wrongly(feed, stored)
            self.verdict.violations += violations
        self.verdict.counts += counted(calls, stored)

    def _violated(self, rule: str, session: str, what: str) -> None:
        self.verdict.violations.append(Violation(rule, session, what))

    # -- what is stored ---------------------------------------------------------------------------------------------

    def _history(self, session: str) -> None:
        """The history by itself: contiguous, in time, legal; and the contexts that it makes."""
        stored = self.stored[session]
        if not stored.rows:
            self._violated("history is there", session, "no row at all")
            return
        versions = [row.version for row in stored.rows]
        if versions != list(range(versions[0], versions[0] + len(versions))):
            self._violated("versions contiguous", session, f"{_gaps(versions)}")
        for before, row in zip(stored.rows, stored.rows[1:], strict=False):
            if row.at <= before.at:
                self._violated("times rise", session, f"version {row.version} at {row.at}, not after {before.at}")
            if row.from_state != before.to_state:
                self._violated(
                    "states join", session, f"version {row.version} from {row.from_state}, was {before.to_state}"
                )
        if (stored.version, stored.state) != (versions[-1], stored.rows[-1].to_state):
            self._violated(
                "head is the newest row", session, f"{stored.version} {stored.state} against {stored.rows[-1]}"
            )
        actors = Counter(row.actor for row in stored.rows if row.actor is not None)
        for actor, times in actors.items():
            if times > 1:
                self._violated("applied once", session, f"{actor} made {times} versions")
        self.models[session] = self._model(session, stored)
        for version, context in stored.contexts.items():
            made = self.models[session].get(version)
            if made is not None and made != context:
                self._violated(
                    "stored is what was written", session, f"version {version}: {_brief(context)} not {_brief(made)}"
                )

    def _model(self, session: str, stored: Stored) -> dict[int, dict[str, Any]]:
        """Return the context of each version, made by applying the writes one after the other."""
        model: dict[int, dict[str, Any]] = {}
        for row in stored.rows:
            write = self.writes.get(row.actor or "")
            if write is not None and write.session != session:
                self._violated("written where it was sent", session, f"{row.actor} was sent to {write.session}")
            before = model.get(row.version - 1)
            context = self._applied(row, write, before, model)
            if context is None:
                context = stored.contexts.get(row.version)
            if context is not None:
                model[row.version] = context
                self._legal(session, row, context)
            if write is None and row.kind not in ("deadline", "upgrade", "import"):
                self._violated("written by somebody", session, f"version {row.version} {row.kind} by {row.actor}")
        return model

    def _applied(
        self, row: Row, write: Write | None, before: dict[str, Any] | None, model: dict[int, dict[str, Any]]
    ) -> dict[str, Any] | None:
        if write is None:
            return before if row.kind in ("deadline", "upgrade") else None
        if write.context is not None:
            return write.context
        if write.how == "rollback":
            return model.get(write.to_version or 0)
        if write.how in ("send", "update") and before is not None:
            return _patched(before, write)
        return None

    def _legal(self, session: str, row: Row, context: dict[str, Any]) -> None:
        """The machine's own word on this step, with the context that it decided on."""
        if row.kind == "transition" and row.event is not None and row.from_state is not None:
            to = machine.target(row.from_state, row.event, context)
            if to != row.to_state:
                self._violated(
                    "guards hold", session,
                    f"version {row.version}: {row.event} from {row.from_state} to {row.to_state}, not {to}",
                )  # fmt: skip
        if row.kind == "divert" and row.to_state != machine.DIVERTED:
            self._violated("diverted where the machine says", session, f"version {row.version} to {row.to_state}")
        if row.kind != "import" and not machine.fits(row.to_state, context):
            self._violated("invariant holds", session, f"version {row.version} in {row.to_state}: {_brief(context)}")

    def _forked(self, session: str) -> None:
        rows = self.stored[session].rows
        write = self.writes.get(rows[0].actor or "") if rows and rows[0].kind == "fork" else None
        if write is None or write.source is None:
            return
        source = self.models.get(write.source, {}).get(write.to_version or 0)
        mine = self.models[session].get(1)
        if source is not None and mine is not None and source != mine:
            self._violated("a fork is what it was forked from", session, f"{_brief(mine)} not {_brief(source)}")

    # -- what was told ----------------------------------------------------------------------------------------------

    def _told(self, session: str, told: list[tuple[Call, Answer]]) -> None:
        stored = self.stored.get(session)
        rows = {row.version: row for row in stored.rows} if stored else {}
        newest = stored.version if stored else 0
        for call, answer in told:
            self._true(session, call, answer, rows, newest)
        self._in_time(session, told, rows)

    def _true(self, session: str, call: Call, answer: Answer, rows: dict[int, Row], newest: int) -> None:
        """What was told of a version is what that version is."""
        if answer.version == 0:
            return
        row = rows.get(answer.version)
        if row is None:
            oldest = min(rows, default=newest + 1)
            if answer.version > newest or (answer.version >= oldest) or not rows:
                rule = "acknowledged is stored" if answer.how == "wrote" else "read is stored"
                self._violated(
                    rule, session, f"{call.id} {call.name} was told version {answer.version}; newest {newest}"
                )
            return
        if answer.how == "wrote" and answer.actor is not None and row.actor != answer.actor:
            self._violated(
                "acknowledged is stored", session, f"version {row.version} of {answer.actor} is by {row.actor}"
            )
        if answer.state is not None and answer.state != row.to_state:
            self._violated(
                "told what is stored", session,
                f"{call.id} {call.name}: version {row.version} in {answer.state}, is {row.to_state}",
            )  # fmt: skip
        made = self.models[session].get(answer.version)
        if answer.context is not None and made is not None and answer.context != made:
            self._violated(
                "told what is stored", session,
                f"{call.id} {call.name}: version {row.version} {_brief(answer.context)}, is {_brief(made)}",
            )  # fmt: skip

    def _in_time(self, session: str, told: list[tuple[Call, Answer]], rows: dict[int, Row]) -> None:
        """Nobody is told of a version older than one that somebody knew before he asked, nor of one not yet begun."""
        known = sorted((call.ended, answer.version) for call, answer in told if call.outcome == DONE or answer.version)
        ends = [end for end, _ in known]
        highest: list[int] = []
        for _, version in known:
            highest.append(max(version, highest[-1] if highest else 0))
        for call, answer in told:
            if answer.how == "past" or answer.replayed:
                self._not_from_the_future(session, call, answer, rows)
                continue
            before = bisect.bisect_left(ends, call.began)
            floor = highest[before - 1] if before else 0
            if answer.how == "wrote" and answer.version <= floor:
                self._violated("writes in order", session, f"{call.id} made {answer.version} when {floor} was known")
            elif answer.version < floor:
                self._violated(
                    "reads are fresh", session, f"{call.id} {call.name} was told {answer.version}, {floor} was known"
                )
            self._not_from_the_future(session, call, answer, rows)

    def _not_from_the_future(self, session: str, call: Call, answer: Answer, rows: dict[int, Row]) -> None:
        row = rows.get(answer.version)
        begun = [one.began for one in self.attempts.get(row.actor or "", [])] if row else []
        if begun and min(begun) > call.ended:
            self._violated(
                "reads are not from the future", session, f"{call.id} was told {answer.version} before it was sent"
            )

    # -- what became of it ------------------------------------------------------------------------------------------

    def _outcomes(self) -> None:
        """A refused write left nothing; one that was answered twice was answered the same; a batch is whole."""
        made: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for session, stored in self.stored.items():
            for row in stored.rows:
                if row.actor is not None:
                    made[row.actor].append((session, row.version))
        acknowledged: dict[str, set[tuple[str, int]]] = defaultdict(set)
        for call in self.calls:
            for answer in call.answers:
                if answer.how == "wrote" and answer.actor is not None:
                    acknowledged[answer.actor].add((answer.session, answer.version))
        for actor, versions in acknowledged.items():
            if len(versions) > 1:
                self._violated(
                    "replayed is the same", self.writes[actor].session, f"{actor} was told {sorted(versions)}"
                )
        for call in self.calls:
            for answer in call.answers:
                if answer.how == "conflict" and any(one.expected == answer.version for one in call.writes):
                    self._violated(
                        "conflicts are such", answer.session, f"{call.id} expected {answer.version}, which it is"
                    )
            told = {answer.actor for answer in call.answers if answer.how == "wrote"}
            for write in call.writes:
                # A later attempt may have done what this one was refused; a batch by items says which were done.
                refused = call.outcome == REFUSED or (call.outcome == DONE and write.actor not in told)
                settled = all(one.outcome == REFUSED or one is call for one in self.attempts[write.actor])
                if refused and settled and made[write.actor]:
                    self._violated(
                        "refused is not done", write.session, f"{call.id} {call.sqlstate} made {made[write.actor]}"
                    )
            if call.atomic and call.writes:
                done = sum(1 for write in call.writes if made[write.actor])
                trimmed = any(self._trimmed(write.session) for write in call.writes)
                if done not in (0, len(call.writes)) and not trimmed:
                    self._violated(
                        "a batch is whole", call.writes[0].session, f"{call.id}: {done} of {len(call.writes)}"
                    )

    def _trimmed(self, session: str) -> bool:
        stored = self.stored.get(session)
        return stored is not None and bool(stored.rows) and stored.rows[0].version > 1


def _patched(before: dict[str, Any], write: Write) -> dict[str, Any]:
    """Apply a merge patch (of plain values, which is what the load sends) and what is appended to arrays."""
    patch = write.patch or {}
    after = {key: value for key, value in before.items() if key not in patch}
    after |= {key: value for key, value in patch.items() if value is not None}
    for key, added in (write.append or {}).items():
        after[key] = [*after.get(key, []), *added]
    return after


def _gaps(versions: list[int]) -> str:
    jumps = [f"{a} then {b}" for a, b in itertools.pairwise(versions) if b != a + 1]
    return "; ".join(jumps[:5])


def _brief(context: dict[str, Any]) -> str:
    text = json.dumps(context)
    return text if len(text) < 160 else text[:160] + "…"
