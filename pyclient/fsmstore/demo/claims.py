"""The demo checks its own story."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from fsmstore import FsmError

E = TypeVar("E", bound=FsmError)


class StoryBroken(Exception):
    """Something was not as the demo tells it."""


def expect(true: bool, claim: str) -> None:
    """Go on if the claim is true.

    Raises:
        StoryBroken: it is not.
    """
    if not true:
        raise StoryBroken(f"The demo did not go as it tells. Not true: {claim}")


def refused(kind: type[E], call: Callable[[], Any]) -> E:
    """Return the refusal that the call meets.

    Raises:
        StoryBroken: the call was not refused, or for another reason.
    """
    try:
        call()
    except kind as error:
        return error
    except FsmError as error:
        raise StoryBroken(f"The demo did not go as it tells: {kind.__name__} was due, and not\n{error}") from error
    raise StoryBroken(f"The demo did not go as it tells: {kind.__name__} was due, and nothing was refused")
