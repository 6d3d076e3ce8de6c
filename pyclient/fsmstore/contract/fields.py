"""The fields of a session's context in the present generation: name, kind, default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from fsmstore.errors import InvalidContext
from fsmstore.jsonvalues import jsonpath

if TYPE_CHECKING:
    from .context import SwisperContext

T = TypeVar("T")
_JSON_NAMES: Mapping[type, str] = {
    str: "a string",
    bool: "true or false",
    int: "an integer",
    float: "a number with a fraction",
    list: "an array",
    dict: "an object",
}


class Field(Generic[T]):
    """An attribute of SwisperContext that is an entry of its data under the same name.

    Args:
        default: makes the value of a context that does not have the field.
        kinds: the Python types of the JSON values that it may have.
        convert: applied to what is assigned.
    """

    def __init__(
        self, default: Callable[[], T], *kinds: type | None, convert: Callable[[Any], Any] | None = None
    ) -> None:
        self.default = default
        self.kinds = kinds
        self._convert = convert

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Field[T]: ...
    @overload
    def __get__(self, instance: SwisperContext, owner: type) -> T: ...
    def __get__(self, instance: SwisperContext | None, owner: type) -> Field[T] | T:
        if instance is None:
            return self
        value: T = instance._data[self.name]
        return value

    def __set__(self, instance: SwisperContext, value: T) -> None:
        instance._data[self.name] = self.converted(value)

    def converted(self, value: Any) -> Any:
        """Return what is stored for a value that is assigned."""
        return value if self._convert is None else self._convert(value)

    def check(self, value: Any) -> None:
        """Refuse a value of another kind.

        Raises:
            InvalidContext: the path of the field is in its detail.
        """
        if not any(value is None if kind is None else type(value) is kind for kind in self.kinds):
            allowed = " or ".join("null" if kind is None else _JSON_NAMES[kind] for kind in self.kinds)
            raise wrong_type(self.name, allowed, value)


def wrong_type(name: str, allowed: str, value: Any) -> InvalidContext:
    """Return the error for a field of the context that has a value of another type than it may have."""
    finding = {
        "code": "wrong_type",
        "path": jsonpath([name]),
        "message": f"a value of type {type(value).__name__}; it must be {allowed}",
    }
    return InvalidContext(
        "a field of the context has the wrong type",
        detail={"code": finding["code"], "path": finding["path"], "findings": [finding]},
        hint="Assign a value of the type that the field has.",
    )


def iso(value: Any) -> Any:
    """Return a moment as ISO text; anything else as it is."""
    return value.isoformat() if isinstance(value, date) else value
