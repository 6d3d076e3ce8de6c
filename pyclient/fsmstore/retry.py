"""When a call may be sent again, and how long to wait before."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from enum import Enum

import psycopg

from .errors import Outcome, is_lost_connection, outcome_of

logger = logging.getLogger("fsmstore")


class Repeat(Enum):
    """Whether a call whose answer was lost may be sent again."""

    READ = "read"
    """It writes nothing."""
    SAME_REQUEST = "same request"
    """It carries a request id, so that the database applies it once however often it comes."""
    HARMLESS = "harmless"
    """Done twice, it leaves what it leaves done once."""
    NEVER = "never"
    """It writes, and nothing would stop it from being applied twice."""


MAX_CONFLICTS = 10
"""How often a call is sent again after serialization_failure or deadlock_detected."""
_CONFLICTS = frozenset({"40001", "40P01"})
_MISUSE = "22"
"""The class of the standard codes with which schema ``fsm`` refuses an argument: the same one every time."""
_FIRST_DELAY, _LONGEST_DELAY = 0.02, 1.0


class Attempts:
    """The attempts at one call.

    Args:
        name: the call, for the log.
        repeat: whether it may be sent again after its answer was lost.
        timeout: seconds after the first lost answer during which it is sent again.
        joined: the call is part of a transaction of the caller's, who alone can repeat it: it is never sent again.
        clock: seconds, never running backwards.
    """

    def __init__(
        self,
        name: str,
        repeat: Repeat,
        timeout: float,
        *,
        joined: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._repeat = repeat
        self._timeout = timeout
        self._joined = joined
        self._clock = clock
        self._delay = _FIRST_DELAY
        self._conflicts = 0
        self._give_up_at = 0.0
        self.lost: psycopg.Error | None = None
        """The error of the first attempt whose connection broke."""

    def remaining(self) -> float:
        """Return how many seconds the next attempt may wait for a connection."""
        return self._timeout if self.lost is None else max(0.001, self._give_up_at - self._clock())

    def delay_after(self, error: psycopg.Error) -> float:
        """Return the seconds to wait before the call is sent again.

        Raises:
            psycopg.Error: `error` itself, when the call must not or need not be sent again. If an earlier attempt may
                have been committed and `error` does not settle that, the earlier error is its cause, so that
                outcome_of() says unknown.
        """
        if self._joined:
            raise error
        if error.sqlstate in _CONFLICTS:
            self._conflicts += 1
            if self._conflicts > MAX_CONFLICTS:
                raise self._unsettled(error)
        elif is_lost_connection(error):
            if self._repeat is Repeat.NEVER:
                raise error
            if self.lost is None:
                self.lost = error
                self._give_up_at = self._clock() + self._timeout
            if self._clock() >= self._give_up_at:
                raise self._unsettled(error)
        elif error.sqlstate is not None and outcome_of(error) is Outcome.NOT_DONE:
            if self.lost is None or error.sqlstate.startswith(_MISUSE):
                raise error
            # This attempt did nothing, but it may have ended before it looked for the request id of the earlier ones,
            # for want of a lock or of room. (A refusal, which comes after that look, is FsmError and not handled here.)
            raise self._unsettled(error)
        else:
            raise self._unsettled(error)
        logger.warning("%s is sent again after %s", self._name, error.sqlstate or type(error).__name__)
        delay = random.uniform(0.5, 1.0) * self._delay
        self._delay = min(self._delay * 2, _LONGEST_DELAY)
        return delay

    def _unsettled(self, error: psycopg.Error) -> psycopg.Error:
        if self.lost is not None and self.lost is not error:
            error.__cause__ = self.lost
        return error
