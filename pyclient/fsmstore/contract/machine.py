"""A contract at work: a template, a context, and the handlers of its states."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .context import SwisperContext
from .purchase import PurchaseHandler
from .steps import Handler, Step, as_step
from .template import InvalidTemplate, Template, template_path

__all__ = ["ContractStateMachine", "Step"]

_HANDLERS = {"purchase": functools.cache(PurchaseHandler)}
"""The handlers that a template can name."""


@functools.lru_cache(maxsize=64)
def _read(path: Path, changed: int) -> Template:
    return Template.read(path)


class ContractStateMachine:
    """A contract's template, its context, and what is done in each of its states.

    Nothing is saved here and nothing refused: `next` proposes one step, and whether the session may take it is decided
    by the database when the step is saved.

    Args:
        template_path: a template's file, or anything that `template_name` takes: then the shipped one of that name.
        handlers: a state's name → callable(context, user_input), for states that are not left to the template's own
            handler. It returns a `Step`, a mapping with a Step's fields, the name of the next state, or None to stay.

    Attributes:
        context: the session's context, a SwisperContext.
        contract_template: the path of the template's file.
        template: what the file says.

    Raises:
        UnknownTemplate: there is no such template.
        InvalidTemplate: its file is none, or names a handler that there is not.
        ValueError: there is a handler for a state that the template does not have.
    """

    def __init__(self, template_path: str | Path | None, handlers: Mapping[str, Handler] | None = None) -> None:
        path = _file(template_path)
        self.template = _read(path, path.stat().st_mtime_ns)
        self.contract_template = str(path)
        self._handlers = dict(handlers or {})
        unknown = sorted(self._handlers.keys() - self.template.states.keys())
        if unknown:
            raise ValueError(f"contract template {self.template.name} has no state {', '.join(unknown)}")
        for name, state in self.template.states.items():
            if name not in self._handlers and state.handler is not None:
                self._handlers[name] = _named(state.handler, path)
        self.context = SwisperContext(
            contract_type=self.template.contract_type,
            contract_template=self.template.name,
            current_state=self.template.initial,
        )

    def next(self, user_input: str | None = None) -> dict[str, Any]:
        """Let the handler of the present state take one step: one transition at most, so that it can be saved as one.

        A handler that raises has changed nothing, unless it changed the context itself.

        Args:
            user_input: what the user said; None: go on without.

        Returns:
            ``session_id``, ``from_state`` and ``state`` (the same if it stayed), ``event`` or None, ``message`` to the
            user or None, ``waiting`` whether the user must speak before the next call can do anything, ``heard``
            whether the user's input was taken, ``is_final``.

        Raises:
            LookupError: the template lacks the present state, or does not say where the handler's event leads.
            TypeError: the handler returned what a handler may not.
        """
        before = self.context.current_state
        if before not in self.template.states:
            raise LookupError(f"contract template {self.template.name} has no state {before!r}")
        handler = self._handlers.get(before)
        if handler is None:
            return self._reply(before, Step(waiting=False, heard=False), self._question(), heard=False)
        step = as_step(handler(self.context, user_input))
        heard = step.heard and user_input is not None
        after = self._after(before, step)
        self.context.merge({**step.patch, "current_state": after})
        message = self._question() if step.message is None else step.message
        if heard or step.event is not None or step.patch or after != before:
            self._record(before, after, step, user_input if heard else None, message)
        return self._reply(before, step, message, heard=heard)

    def _after(self, before: str, step: Step) -> str:
        if step.state is not None:
            return step.state
        if step.event is not None:
            return self.template.target(before, step.event, {**self.context.view(), **step.patch})
        return self.context.current_state  # a handler may have set it

    def _question(self) -> str | None:
        """Return what the present state says; None if it works without the user, or is not the template's."""
        state = self.context.current_state
        known = self.template.states.get(state)
        if known is None:
            return None
        # A final state has no handler; what there is to say at the end is known by the one that began.
        handler = self._handlers.get(state) or self._handlers.get(self.template.initial)
        if isinstance(handler, PurchaseHandler):
            return handler.question(self.context, known.prompt)
        return known.prompt

    def _record(self, before: str, after: str, step: Step, said: str | None, message: str | None) -> None:
        context, now = self.context, datetime.now(timezone.utc).isoformat()
        if after != before:
            context.step_log.append(f"{before} -> {after}")
            context.fsm_state_history.append(
                {"from_state": before, "to_state": after, "trigger": step.event, "timestamp": now}
            )
        for role, content in (("user", said), ("assistant", message)):
            if content is not None:
                context.conversation_history.append({"role": role, "content": content, "timestamp": now})
        context.created_at = context.created_at or now
        context.last_updated = now

    def _reply(self, before: str, step: Step, message: str | None, *, heard: bool) -> dict[str, Any]:
        state = self.context.current_state
        known = self.template.states.get(state)
        is_final = known is not None and known.handler is None and state not in self._handlers
        waiting = (message is not None) if step.waiting is None else step.waiting
        return {
            "session_id": self.context.session_id,
            "from_state": before,
            "state": state,
            "event": step.event,
            "message": message,
            "waiting": waiting and not is_final,
            "heard": heard,
            "is_final": is_final,
        }


def _file(template: str | Path | None) -> Path:
    # A file that the caller names is opened; what came from a stored context is a name (see template_name).
    if isinstance(template, (str, Path)) and Path(template).suffix.lower() in (".yaml", ".yml"):
        path = Path(template)
        if path.is_file():
            return path
    return template_path(template)


def _named(name: str, path: Path) -> Handler:
    if name not in _HANDLERS:
        raise InvalidTemplate(f"{path} names a handler {name!r}; there is {', '.join(sorted(_HANDLERS))}")
    return _HANDLERS[name]()
