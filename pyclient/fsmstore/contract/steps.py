"""What a handler makes of a state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .context import SwisperContext


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a contract: at most one transition."""

    event: str | None = None
    """What happened: the template says which state it leads to. None: nothing did, or `state` says where to go."""
    state: str | None = None
    """The next state by name, where the handler chooses it itself."""
    patch: Mapping[str, Any] = field(default_factory=dict)
    """What the context learns by it."""
    message: str | None = None
    """What to say to the user; None: what the next state asks."""
    waiting: bool | None = None
    """Whether the user must speak now; None: if there is something to say."""
    heard: bool = True
    """Whether the user's input was taken, if there was any."""


Handler = Callable[[SwisperContext, "str | None"], "Step | Mapping[str, Any] | str | None"]
"""Works in a state. A str is the next state, a mapping has the fields of a Step, None stays."""


def as_step(made: Step | Mapping[str, Any] | str | None) -> Step:
    """Return what a handler returned as a Step.

    Raises:
        TypeError: it is nothing that a handler may return, or a mapping with other keys.
    """
    if isinstance(made, Step):
        return made
    if made is None or isinstance(made, str):
        return Step(state=made)
    if isinstance(made, Mapping):
        return Step(**made)
    raise TypeError(f"a handler returns a Step, a mapping, a state's name or None, not {type(made).__name__}")
