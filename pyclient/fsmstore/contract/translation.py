"""Between an engine's object and what the database stores of it: a machine, a state, a context."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from fsmstore.rows import Session

from .context import SwisperContext
from .fields import wrong_type
from .template import template_name

_NEVER = datetime.fromtimestamp(0, timezone.utc)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an engine's object asks to be saved as."""

    machine: str
    state: str
    context: dict[str, Any]

    def session(self, session_id: str, version: int, state: str | None = None) -> Session:
        """Return a Session with what a save needs of one (id, state, context, version) and nothing else that counts."""
        return Session(
            session_id=session_id,
            machine=self.machine,
            machine_version=0,
            state=self.state if state is None else state,
            version=version,
            context=self.context,
            context_version=0,
            is_final=False,
            entered_at=_NEVER,
            created_at=_NEVER,
            updated_at=_NEVER,
        )


def machine_of(data: Mapping[str, Any], template: Any = None) -> str:
    """Return the machine that a context's session runs on: its contract type, or else its template's name."""
    contract_type = data.get("contract_type")
    if isinstance(contract_type, str) and contract_type:
        return contract_type
    return template_name(data.get("contract_template") if template is None else template)


def wanted(fsm: Any) -> Wanted:
    """Return what is to be saved of an engine's object.

    The state is the session's, so it is taken off the context. A session id stays in it, if there is one: the database
    compares it with the session's own, and does not store it.

    Raises:
        InvalidContext: its state is no text, or its context says that it cannot be written.
        UnknownTemplate: its template's name cannot be one.
        TypeError: its `to_dict` does not return a dict.
    """
    given = fsm.context.to_dict()
    if not isinstance(given, dict):
        raise TypeError(f"to_dict() of a context returns a dict, not {type(given).__name__}")
    data: dict[str, Any] = dict(given)
    state = data.pop("current_state", None)
    if not isinstance(state, str):
        raise wrong_type("current_state", "a string", state)
    if not data.get("session_id", True):
        del data["session_id"]  # an object that was never saved may not know its id yet
    template = fsm.contract_template
    if template is None:
        template = data.get("contract_template") or data.get("contract_type")
    machine = machine_of(data, template)
    data["contract_template"] = template_name(template)
    return Wanted(machine, state, data)


def handed_out(session: Session) -> dict[str, Any]:
    """Return the data of the context that stands for a stored session, its id and state put back in."""
    data = {"session_id": session.session_id, "current_state": session.state, **session.context}
    if not data.get("contract_type"):
        data["contract_type"] = session.machine
    if not data.get("contract_template"):
        data["contract_template"] = session.machine
    return data


def context_like(present: Any, session: Session) -> Any:
    """Return the context of a stored session, of the class that `present` has if that can be made from a dict.

    Raises:
        UnsupportedSerialization: it was written in a form that this release does not know.
    """
    maker = getattr(type(present), "from_dict", SwisperContext.from_dict)
    return maker(handed_out(session))
