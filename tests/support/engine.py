"""Contract engines: ours, and somebody else's, in the style of those that grew over years, with classes of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from fsmstore.contract import ContractStateMachine


def machine(state: str = "search", **fields: Any) -> ContractStateMachine:
    """Return our own engine's machine, its context in that state and with these fields."""
    fsm = ContractStateMachine("purchase_item")
    fsm.context.merge({"current_state": state, **fields})
    return fsm


class Phase(str, Enum):
    """The states as this engine has them."""

    START = "start"
    SEARCH = "search"
    REFINE = "refine_constraints"
    COLLECT = "collect_preferences"
    CANCELLED = "cancelled"


@dataclass
class EngineContext:
    """Not a SwisperContext: other attributes, and an enumeration for the state."""

    session_id: str | None = None
    phase: Phase = Phase.START
    query: str = ""
    found: list[Any] = field(default_factory=list)
    contract_template: Any = None

    def to_dict(self) -> dict[str, Any]:
        """Return what is stored, under the names that the machine knows."""
        return {
            "session_id": self.session_id,
            "current_state": self.phase.value,
            "product_query": self.query,
            "search_results": self.found,
            "contract_template": self.contract_template,
            "contract_type": "purchase_item",
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EngineContext:
        """Return the context of a stored dict."""
        return cls(
            session_id=data["session_id"],
            phase=Phase(data["current_state"]),
            query=data["product_query"],
            found=data["search_results"],
            contract_template=data["contract_template"],
        )


class Engine:
    """Takes the path of its template, which it does not read."""

    def __init__(self, template_path: Any = None) -> None:
        self.contract_template: Any = template_path
        self.context: Any = EngineContext()


class SlottedEngine:
    """One that no weak reference can be made to."""

    __slots__ = ("context", "contract_template")

    def __init__(self, template_path: Any = None) -> None:
        self.contract_template: Any = template_path
        self.context: Any = EngineContext()
