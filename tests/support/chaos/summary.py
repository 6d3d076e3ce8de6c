"""What a run was: the numbers, what was reached, what was wrong."""

from __future__ import annotations

import bisect
import itertools
from collections import Counter
from dataclasses import dataclass, field

from .faults import Fault
from .records import Call
from .stored import Violation

LONGEST_RECOVERY = 10.0
LOSSES = ("acknowledged is stored", "read is stored")


@dataclass
class Summary:
    """Adds up the rounds of a run."""

    seconds: float = 0.0
    """Under load, without the time in which a round is checked."""
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    server_faults: int = 0
    violations: list[Violation] = field(default_factory=list)
    longest_stall: float = 0.0
    recoveries: dict[str, float] = field(default_factory=dict)
    """The longest time from each kind of fault to the first acknowledged write after it."""
    sometimes: dict[str, int] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    """What could not be had here, with the reason."""
    megabytes: tuple[int, int] = (0, 0)
    """Of the database, after the first round and in the end."""
    resident: tuple[int, int] = (0, 0)
    """Kilobytes of the client process that is never killed, after the first round and in the end."""

    def time(self, calls: list[Call], faults: list[Fault], end: float) -> None:
        """Measure how long nothing was acknowledged, and how long that took after each fault."""
        told = sorted(
            call.ended for call in calls if any(answer.how == "wrote" for answer in call.answers) and call.ended <= end
        )
        recovering: list[tuple[float, float]] = []
        for fault in faults:
            after = bisect.bisect_right(told, fault.ended)
            progress = told[after] if after < len(told) else end
            recovering.append((fault.began, progress))
            took = progress - fault.began
            if after < len(told):  # otherwise the round ended with it
                self.recoveries[fault.kind] = max(took, self.recoveries.get(fault.kind, 0.0))
            if took > LONGEST_RECOVERY:
                self.violations.append(Violation("progress after a fault", "", f"{fault.kind}: after {took:.1f} s"))
        for one, other in itertools.pairwise(told):
            if not any(began < other and one < ended for began, ended in recovering):
                self.longest_stall = max(self.longest_stall, other - one)

    def updated(self, hot: int, of: int) -> None:
        """Add updates of sessions of which the server still knows how they were done."""
        self.counts["hot"] += hot
        self.counts["updated"] += of

    def grown(self, megabytes: int) -> None:
        """Note the size of the database, when the sessions of a round are gone."""
        self.megabytes = (self.megabytes[0] or megabytes, megabytes)

    @property
    def missed(self) -> list[str]:
        """What should have been reached once, and was not."""
        return [name for name, times in self.sometimes.items() if not times]

    @property
    def good(self) -> bool:
        """No violation, and everything reached."""
        return not self.violations and not self.missed

    def __str__(self) -> str:
        rules = Counter(one.rule for one in self.violations)
        lines = [
            f"{self.seconds:.0f} s under load, {self.counts['calls']} calls "
            f"({self.counts['calls'] / self.seconds:.0f}/s), of which {self.counts['done']} were done, "
            f"{self.counts['acknowledged']} writes acknowledged, {self.counts['versions']} versions; "
            f"{100 * self.counts['hot'] / max(1, self.counts['updated']):.0f} % of {self.counts['updated']} updates of "
            "sessions were HOT",
            f"faults of the server: {self.server_faults}; of all kinds: "
            + ", ".join(f"{name} {times}" for name, times in sorted(self.faults.items())),
            f"lost replies: {self.counts['lost after commit']}, replays: {self.counts['replayed']}, "
            f"unknown that were done: {self.counts['unknown that were done']}",
            f"lost: {sum(rules[name] for name in LOSSES)}, doubled: {rules['applied once']}, "
            f"violations: {len(self.violations)}",
            f"longest time without an acknowledged write: {self.longest_stall:.1f} s; from a fault to the next one: "
            + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in sorted(self.recoveries.items())),
            f"memory of a client process: {self.resident[0] // 1024} MB after the first round, "
            f"{self.resident[1] // 1024} MB in the end; the database: {self.megabytes[0]} MB, then "
            f"{self.megabytes[1]} MB",
            "answers: "
            + ", ".join(
                f"{name.split()[1]} {times}"
                for name, times in sorted(self.counts.items())
                if name.startswith("sqlstate ")
            ),
            "sometimes: " + ", ".join(f"{name} {times}" for name, times in self.sometimes.items()),
        ]
        lines += [f"not here: {name}: {reason}" for name, reason in self.absent.items()]
        lines += [f"NOT REACHED: {name}" for name in self.missed]
        lines += [f"VIOLATION {one.rule}: {one.session}: {one.what}" for one in self.violations[:40]]
        return "\n".join(lines)
