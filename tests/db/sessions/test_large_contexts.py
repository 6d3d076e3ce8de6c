"""Large contexts: exactly kept, and done with before the statement_timeout that is recommended."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from support.api import Api


@pytest.fixture
def s(api: Api) -> Api:
    """Session s-1 exists; no call may take longer than the recommended 10 seconds."""
    api.create("s-1")
    api.conn.execute("set statement_timeout = '10s'")
    return api


def test_contexts_that_are_stored_out_of_line_come_back(s: Api) -> None:
    """Compressible or not, growing, shrinking, respelled."""
    letters = random.Random(7)
    noise = "".join(letters.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=150_000))
    contexts: list[dict[str, Any]] = [
        {"noise": noise, "log": []},
        {"noise": noise, "log": [{"n": n, "text": "x" * 200} for n in range(500)]},
        {"noise": noise[:-1], "log": [{"n": n, "text": "x" * 200} for n in range(700)]},
        {"noise": noise, "log": [{"n": float(n), "text": "x" * 200} for n in range(300)], "more": noise},
        {},
        {"log": list(range(20_000)), "flat": {f"k{n}": n for n in range(2_000)}},
        {"log": list(range(20_001)), "flat": {f"k{n}": n for n in range(2_001)}},
    ]
    for context in contexts:
        s.save("s-1", "closed", context)
    for version, context in enumerate(contexts, start=2):
        assert s.at("s-1", version).context == context
        assert s.text("s-1", version) == _spelled(s, context)


def test_an_update_that_changes_nothing_keeps_a_large_context_as_it_is(s: Api) -> None:
    context = {"log": ["x" * 1000] * 300, "n": 1.0}
    s.save("s-1", "closed", context)
    for _ in range(3):
        s.update("s-1")
        s.send("s-1", "KNOCK")
    assert s.text("s-1") == s.text("s-1", 2) == _spelled(s, context)


def test_ten_thousand_keys(s: Api) -> None:
    """The work of a write grows with its context, not with the square of its keys."""
    keys = range(10_000)
    contexts: list[dict[str, Any]] = [
        {f"k{n}": n for n in keys},
        {f"k{n}": n + 1 for n in keys},
        {f"k{n}": [n] for n in keys},
        {f"k{n}": [n, n] for n in keys},
        {f"j{n}": n for n in keys},
        {},
    ]
    for context in contexts:
        s.save("s-1", "closed", context)
    s.update("s-1", patch={f"k{n}": n for n in keys})
    s.send("s-1", "KNOCK", append={f"a{n}": [n] for n in keys})
    s.update("s-1", append={f"a{n}": [n] for n in range(1_000)})
    s.update("s-1", patch={f"k{n}": None for n in keys})
    for version, context in enumerate(contexts, start=2):
        assert s.at("s-1", version).context == context
    assert s.load("s-1").context == {f"a{n}": [n] * (2 if n < 1_000 else 1) for n in keys}


def _spelled(api: Api, context: dict[str, Any]) -> str:
    row = api.conn.execute("select %s::jsonb::text", (json.dumps(context),)).fetchone()
    assert row is not None
    return str(row[0])
