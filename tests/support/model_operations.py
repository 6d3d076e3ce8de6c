"""What the model says of many sessions at once, and of what only reads."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from .model import Answer, Move, Refused, Row, Session, merge
from .model_machines import SECOND, Candidate, Rule
from .model_time import Timed


@dataclass(frozen=True)
class Outcome:
    """A row of save_sessions."""

    answer: Answer | None
    refusal: Refused | None


class Model(Timed):
    """The whole model."""

    def save_many(self, items: list[tuple[Any, ...]], atomic: bool) -> list[Outcome]:
        """Save items one after the other; atomic: the first refusal leaves nothing of them."""
        before = copy.deepcopy(self.sessions)
        outcomes = []
        for ordinal, item in enumerate(items, 1):
            try:
                outcomes.append(Outcome(self.save(*item), None))
            except Refused as refusal:
                refusal.facts["ordinal"] = ordinal
                if atomic:
                    self.sessions = before
                    raise
                outcomes.append(Outcome(None, refusal))
        return outcomes

    def upgrade(
        self, to_version: int, state_map: dict[str, str], patch: dict[str, Any], limit: int | None, dry_run: bool
    ) -> list[tuple[str, str, int, str | None, str]]:
        """Move sessions from the other version: a row for each from, to and outcome, with the last one looked at."""
        chosen = sorted(
            session_id
            for session_id, session in self.sessions.items()
            if session.head.machine_version != to_version and not self.machine(session).final(session.state)
        )[:limit]
        counts: dict[tuple[str, str, str | None], int] = {}
        for session_id in chosen:
            session = self.sessions[session_id]
            whole = copy.deepcopy(session)
            here = session.state
            target = state_map.get(here, here)
            code = self._upgraded(session, to_version, target, patch)
            if dry_run:
                self.sessions[session_id] = whole
            counts[here, target, code] = counts.get((here, target, code), 0) + 1
        rows = [(here, target, number, code, chosen[-1]) for (here, target, code), number in counts.items()]
        return sorted(rows, key=lambda row: (row[0], row[3] or "", row[1]))

    def _upgraded(self, session: Session, to_version: int, target: str, patch: dict[str, Any]) -> str | None:
        machine = self.machines[to_version]
        if target not in machine.states:
            return "unmapped_state"
        if self.held(session) is not None:
            return "turn_held"
        context = merge(session.context, patch)
        if machine.too_large(context):
            return "context_rejected"
        try:
            self.settle(session, Move("upgrade", target, None, context), machine=machine)
        except Refused:
            return "context_rejected"
        return None

    def trim(self, keep_versions: int, keep_for: int) -> int:
        """Remove the oldest versions; how many."""
        before = self.now - self._kept(keep_for)
        removed = 0
        for session in self.sessions.values():
            last = max(
                (r.version for r in session.rows if r.version <= session.version - keep_versions and r.at < before),
                default=0,
            )
            kept = [row for row in session.rows if row.version > last]
            removed += len(session.rows) - len(kept)
            session.rows = kept
        return removed

    def forgotten(self, keep_for: int) -> list[int]:
        """When versions become old enough to be removed."""
        return sorted({row.at + self._kept(keep_for) for session in self.sessions.values() for row in session.rows})

    def _kept(self, keep_for: int) -> int:
        return max([keep_for * SECOND, *(machine.longest_window() for machine in self.machines.values())])

    # What only reads.

    def as_of(self, session_id: str, at: int) -> Row | None:
        rows = [row for row in self.sessions[session_id].rows if row.at <= at]
        return rows[-1] if rows else None

    def loops(self, session_id: str) -> list[tuple[str | None, str, int, int, int, int]]:
        """from, to, how often, limit, first and last time of each loop, the newest first."""
        passages: dict[tuple[str | None, str], list[Row]] = {}
        for row in self.known(session_id).rows:
            if row.kind in ("transition", "deadline"):
                passages.setdefault((row.from_state, row.state), []).append(row)
        found = []
        for (here, target), rows in sorted(passages.items(), key=lambda pair: -pair[1][-1].version):
            rule = self._told(rows[-1])
            times = [row.at for row in rows if rule is not None and row.at >= self.now - rule.window]
            if rule is not None and len(times) > rule.limit:
                found.append((here, target, len(times), rule.limit, min(times), max(times)))
        return found

    def _told(self, row: Row) -> Rule | None:
        """The rule of a passage as history tells it: of its event the first candidate that leads there.

        Which candidate was taken is not written down; two of one event may lead to the same state with other rules.
        """
        assert row.from_state is not None
        machine = self.machines[row.machine_version]
        if row.event is None:
            return row.rule
        return next(one.rule for one in machine.candidates(row.from_state, row.event) if one.target == row.state)

    def allowed(self, session_id: str) -> list[tuple[str, str, str | None, bool | None]]:
        """Every candidate of every event here, and whether the event would go there now; None: that is not said."""
        session = self.known(session_id)
        machine = self.machine(session)
        found: list[tuple[str, str, str | None, bool | None]] = []
        for event in machine.events(session.state):
            first = True
            for way in machine.candidates(session.state, event):
                allowed: bool | None = first and way.holds(session.context)
                if allowed:
                    first = False
                    allowed = self._goes(session, event, way)
                found.append((event, way.target, way.guard, allowed))
        return found

    def _goes(self, session: Session, event: str, way: Candidate) -> bool | None:
        """Whether it would go there now. Not said where the clock is behind the session, and a loop hangs on that."""
        rule = way.rule
        if rule is not None:
            passage = self._passage(session, session.state, way.target, rule.limit)
            if self.now <= passage + rule.window < session.head.at + 1:
                return None
        trial = copy.deepcopy(session)
        try:
            move = Move("transition", way.target, event, session.context, rule, way.reenter)
            return self.settle(trial, move).kind == "transition"
        except Refused:
            return False
