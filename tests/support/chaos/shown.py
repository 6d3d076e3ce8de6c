"""Judges what a reader of the feed was shown."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable

from .stored import Stored, Violation

Line = tuple[str, int, str]
"""A line of the feed: session, version, kind."""


def shown_wrongly(feed: Iterable[Line], stored: dict[str, Stored]) -> list[Violation]:
    """Return what is wrong with these lines."""
    shown: dict[str, list[int]] = defaultdict(list)
    kinds: dict[tuple[str, int], str] = {}
    for session, version, kind in feed:
        if session in stored and kind != "delete":
            shown[session].append(version)
            kinds[session, version] = kind
    violations: list[Violation] = []
    for session, one in stored.items():
        versions = shown[session]
        twice = [version for version, times in Counter(versions).items() if times > 1]
        if twice:
            violations.append(Violation("the feed shows nothing twice", session, f"versions {twice[:5]}"))
        for before, after in itertools.pairwise(versions):
            if after < before:
                how = f"{before} ({kinds[session, before]}) before {after} ({kinds[session, after]})"
                violations.append(Violation("the feed is in order", session, how))
        missing = {row.version for row in one.rows} - set(versions)
        if missing:
            what = f"versions {sorted(missing)[:5]} of {len(one.rows)}"
            violations.append(Violation("the feed misses nothing", session, what))
        for row in one.rows:
            if kinds.get((session, row.version), row.kind) != row.kind:
                violations.append(Violation("the feed tells what is stored", session, f"version {row.version}"))
    return violations
