"""Judges what a reader of the feed was shown."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable

from .stored import Stored, Violation

Line = tuple[str, int, str]
"""A line of the feed: session, version, kind."""
# fire_deadlines writes several sessions, one after the other, and has one place in the feed: where its first write was.
# So a version of a session that it came to later may stand before one that another call wrote meanwhile.
_ONE_PLACE = frozenset({"deadline"})


def shown_wrongly(feed: Iterable[Line], stored: dict[str, Stored]) -> tuple[list[Violation], int]:
    """Return what is wrong with these lines, and how many of them stand early because their call has one place."""
    shown: dict[str, list[int]] = defaultdict(list)
    kinds: dict[tuple[str, int], str] = {}
    for session, version, kind in feed:
        if session in stored and kind != "delete":
            shown[session].append(version)
            kinds[session, version] = kind
    violations: list[Violation] = []
    early = 0
    for session, one in stored.items():
        versions = shown[session]
        twice = [version for version, times in Counter(versions).items() if times > 1]
        if twice:
            violations.append(Violation("the feed shows nothing twice", session, f"versions {twice[:5]}"))
        for before, after in itertools.pairwise(versions):
            if after < before and kinds[session, before] in _ONE_PLACE:
                early += 1
            elif after < before:
                how = f"{before} ({kinds[session, before]}) before {after} ({kinds[session, after]})"
                violations.append(Violation("the feed is in order", session, how))
        missing = {row.version for row in one.rows} - set(versions)
        if missing:
            what = f"versions {sorted(missing)[:5]} of {len(one.rows)}"
            violations.append(Violation("the feed misses nothing", session, what))
        for row in one.rows:
            if kinds.get((session, row.version), row.kind) != row.kind:
                violations.append(Violation("the feed tells what is stored", session, f"version {row.version}"))
    return violations, early
