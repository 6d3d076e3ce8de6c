"""A session's context as the contract engine has it: fields as attributes, and whatever else it was given."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fsmstore.jsonvalues import Codec, copy_json

from .fields import Field, iso
from .generations import SERIALIZATION_VERSION, upgraded
from .template import DEFAULT, template_name

_CODEC = Codec()


def _no_executions() -> dict[str, Any]:
    return {
        "total_executions": 0,
        "total_execution_time": 0.0,
        "average_execution_time": 0.0,
        "pipeline_breakdown": {},
    }


class SwisperContext:
    """What a contract's session knows.

    The fields of the present generation are attributes, and are live: ``context.step_log.append(…)`` changes the
    context. Any other key is kept too, in its place and under its name, however odd; where the name allows it, it can
    be read and assigned as an attribute as well. Two contexts are equal when their data are.

    What is handed in is copied: to change a dict that a context was made from changes nothing.

    Args:
        session_id: which session this is of; None until it is saved.
        fields: any fields by name; those that are missing get their defaults.

    Raises:
        UnknownTemplate: the contract template's name cannot be one.
    """

    __slots__ = ("_data",)
    _data: dict[str, Any]

    session_id = Field[str | None](lambda: None, str, None)
    contract_type = Field[str](lambda: DEFAULT, str)
    contract_template = Field[str](lambda: DEFAULT, str, convert=template_name)
    contract_status = Field[str](lambda: "active", str)
    current_state = Field[str](lambda: "start", str)
    user_id = Field[str | None](lambda: None, str, None)
    product_query = Field["str | None"](str, str, None)
    preferences = Field["dict[str, Any] | list[Any]"](dict, dict, list)
    constraints = Field["dict[str, Any] | list[Any]"](list, list, dict)
    user_preferences = Field[dict[str, Any]](dict, dict)
    search_constraints = Field[dict[str, Any]](dict, dict)
    extracted_attributes = Field[list[Any]](list, list)
    search_results = Field[list[Any]](list, list)
    selected_product = Field["dict[str, Any] | None"](lambda: None, dict, None)
    confirmation_pending = Field[bool](bool, bool)
    is_cancelled = Field[bool](bool, bool)
    conversation_history = Field[list[Any]](list, list)
    step_log = Field[list[Any]](list, list)
    fsm_state_history = Field[list[Any]](list, list)
    tools_used = Field[list[Any]](list, list)
    pipeline_executions = Field[dict[str, Any]](dict, dict)
    pipeline_results = Field[dict[str, Any]](dict, dict)
    last_pipeline_results = Field[dict[str, Any]](dict, dict)
    pipeline_execution_history = Field[list[Any]](list, list)
    pipeline_performance_metrics = Field[dict[str, Any]](_no_executions, dict)
    metadata = Field[dict[str, Any]](dict, dict)
    # Text; some old builds wrote a number, which is kept as it is.
    created_at = Field["str | int | float | None"](lambda: None, str, None, int, float, convert=iso)
    last_updated = Field["str | int | float | None"](lambda: None, str, None, int, float, convert=iso)
    serialization_version = Field[str](lambda: SERIALIZATION_VERSION, str)

    def __init__(self, session_id: str | None = None, **fields: Any) -> None:
        self._take({"session_id": session_id, **fields})

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SwisperContext:
        """Return the context that a dict stands for: the exact inverse of `to_dict`, for older generations too.

        A dict of an older generation keeps all that it has, and gets what it lacks. The name of its state stays.

        Raises:
            UnsupportedSerialization: it was written in a form that this release does not know.
            UnknownTemplate: its template's name cannot be one.
            TypeError: it is no mapping.
        """
        if not isinstance(data, Mapping):
            raise TypeError(f"a context is made from a mapping, not from {type(data).__name__}")
        context = cls.__new__(cls)
        context._take(upgraded(data))
        return context

    def to_dict(self) -> dict[str, Any]:
        """Return a deep copy of the data as JSON has it, with ``serialization_version``.

        Raises:
            InvalidContext: a field has the wrong type, or JSON or jsonb cannot hold a value; `path` names the place.
        """
        for name, field in FIELDS.items():
            field.check(self._data[name])
        copied: dict[str, Any] = _CODEC.decode(_CODEC.encode(self._data))
        return copied

    def merge(self, fields: Mapping[str, Any]) -> None:
        """Set several fields at once, known ones and others; what is given is copied."""
        for name, value in fields.items():
            field = FIELDS.get(name)
            self._data[name] = copy_json(value) if field is None else field.converted(copy_json(value))

    def view(self) -> Mapping[str, Any]:
        """Return the live data, to be read and not to be changed."""
        return MappingProxyType(self._data)

    def _take(self, data: Mapping[str, Any]) -> None:
        object.__setattr__(self, "_data", {})
        self.merge(data)
        for name, field in FIELDS.items():
            if name not in self._data:
                self._data[name] = field.default()

    def __getattr__(self, name: str) -> Any:
        # Reached for what is no field. Before _data is there (copy, pickle), nothing is.
        if name != "_data" and name in self._data:
            return self._data[name]
        raise AttributeError(f"the context has no field {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in FIELDS:
            object.__setattr__(self, name, value)
        elif name.startswith("_"):
            raise AttributeError(f"{name!r} is no name of a field")
        else:
            self._data[name] = value

    def __eq__(self, other: object) -> bool:
        return self._data == other._data if isinstance(other, SwisperContext) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __getstate__(self) -> dict[str, Any]:
        return self._data

    def __setstate__(self, state: dict[str, Any]) -> None:
        object.__setattr__(self, "_data", state)

    def __repr__(self) -> str:
        return f"SwisperContext(session_id={self.session_id!r}, current_state={self.current_state!r})"


FIELDS: Mapping[str, Field[Any]] = {
    name: field for name, field in vars(SwisperContext).items() if isinstance(field, Field)
}
"""The fields of the present generation."""
