"""One docstring for both clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

C = TypeVar("C", bound=type)


def documented_like(model: type) -> Callable[[C], C]:
    """Give a class, and each of its public methods, the docstring of the same name in `model`."""

    def decorate(target: C) -> C:
        target.__doc__ = model.__doc__
        for name in dir(target):
            method: Any = getattr(target, name)
            if callable(method) and not name.startswith("_"):
                method.__doc__ = getattr(model, name).__doc__
        return target

    return decorate
