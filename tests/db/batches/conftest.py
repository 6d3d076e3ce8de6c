"""Fixtures of the tests of batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.api import Api
from support.batches import META, STATES


@pytest.fixture
def s(api: Api, define: Callable[..., int], db: psycopg.Connection[Any]) -> Api:
    """Sessions s-1 to s-4 are in a, s-z is in a final state, s-broken in a state that its machine lacks.

    loop-1 has passed a -> a once, which is as often as it may; the turn of s-held is held by "the holder".
    """
    define(STATES, **META)
    for name in ("s-1", "s-2", "s-3", "s-4", "s-z", "s-broken", "loop-1", "s-held"):
        api.create(name, "m", context={"n": 0})
    api.send("s-z", "END")
    api.send("loop-1", "SELF")
    api.begin("s-held", "the holder", ttl="1 hour")
    db.execute("update fsm_internal.sessions set state = 'nowhere' where session_id = 's-broken'")
    return api
