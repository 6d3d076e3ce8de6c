"""Contract templates: one name for each, one place where a name becomes a file, and what the file says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEFAULT = "purchase_item"
"""The template of a context that does not say which."""
SHIPPED = Path(__file__).resolve().parent / "templates"
_NAME = re.compile(r"[A-Za-z0-9_]+\Z")
_SUFFIX = re.compile(r"\.ya?ml\Z", re.IGNORECASE)


class UnknownTemplate(LookupError):
    """There is no contract template of that name, or it cannot be one."""


class InvalidTemplate(ValueError):
    """A template's file does not say what a contract template has to."""


def template_name(template: Any) -> str:
    """Return the one name under which a contract template is stored.

    A path, of whatever system, counts for its last part without ``.yaml``; nothing is looked up and nothing opened. A
    template object counts for its ``contract_type``. None, an empty text and what is neither mean the purchase.

    Args:
        template: what a context or an engine has in ``contract_template``: path, name, object, None, anything.

    Raises:
        UnknownTemplate: the name has other characters than letters, digits and underscores.
    """
    if isinstance(template, Mapping):
        template = template.get("contract_type")
    if isinstance(template, Path):
        template = str(template)
    if not isinstance(template, str) or not template.strip():
        return DEFAULT
    name = _SUFFIX.sub("", re.split(r"[/\\]", template.strip())[-1])
    if not _NAME.match(name):
        raise UnknownTemplate(f"{template!r} does not name a contract template: letters, digits and _ are allowed")
    return name


def template_path(template: Any, directory: str | Path | None = None) -> Path:
    """Return the file of a template: in `directory` if it is there, else among those that are shipped.

    Only the name counts, never the directories of a stored path.

    Raises:
        UnknownTemplate: there is no such file.
    """
    name = template_name(template)
    places = [SHIPPED] if directory is None else [Path(directory), SHIPPED]
    for place in places:
        for suffix in (".yaml", ".yml"):
            if (place / f"{name}{suffix}").is_file():
                return place / f"{name}{suffix}"
    raise UnknownTemplate(f"there is no contract template {name!r}: looked in {' and '.join(map(str, places))}")


@dataclass(frozen=True, slots=True)
class Branch:
    """One target of an event, and how long a list must be for it."""

    target: str
    above: int | None
    """More elements than this; None: any number."""


@dataclass(frozen=True, slots=True)
class State:
    """One state of a contract."""

    handler: str | None
    """The name of the handler that works in it; None: it is final."""
    prompt: str | None
    """What the user is asked or told in it; None: there is work to do."""
    on: Mapping[str, tuple[Branch, ...]]
    """Where each event leads."""


@dataclass(frozen=True, slots=True)
class Template:
    """A contract template as its file has it."""

    name: str
    contract_type: str
    initial: str
    parameters: Mapping[str, Any]
    counted: str
    """The list in the context whose length chooses between the targets of an event."""
    states: Mapping[str, State]

    @classmethod
    def read(cls, path: str | Path) -> Template:
        """Read a template's file.

        Raises:
            InvalidTemplate: it is no YAML, or lacks what a template has.
            OSError: it cannot be read.
            ModuleNotFoundError: PyYAML is not installed.
        """
        text = Path(path).read_text("utf-8")
        content = _parsed(text, Path(path))
        try:
            parameters = dict(content.get("parameters") or {})
            states = {
                str(name): _state(dict(state or {}), {str(k): v for k, v in parameters.items()})
                for name, state in content["states"].items()
            }
            template = cls(
                name=template_name(str(path)),
                contract_type=str(content["contract_type"]),
                initial=str(content["initial"]),
                parameters=parameters,
                counted=str(content.get("counted", "")),
                states=states,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidTemplate(f"{path} is no contract template: {type(error).__name__}: {error}") from error
        missing = {template.initial, *(branch.target for branch in template.branches())} - states.keys()
        if missing:
            raise InvalidTemplate(f"{path} leads to states that it does not have: {', '.join(sorted(missing))}")
        return template

    def branches(self) -> list[Branch]:
        """Return all branches of all events."""
        return [branch for state in self.states.values() for branches in state.on.values() for branch in branches]

    def target(self, state: str, event: str, context: Mapping[str, Any]) -> str:
        """Return where an event leads from a state, given how long the counted list is.

        Raises:
            LookupError: the template does not say.
        """
        counted = context.get(self.counted)
        length = len(counted) if isinstance(counted, list) else 0
        for branch in self.states[state].on.get(event, ()):
            if branch.above is None or length > branch.above:
                return branch.target
        raise LookupError(f"contract template {self.name} does not say where {event} leads from {state}")


def _parsed(text: str, path: Path) -> dict[str, Any]:
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "reading a contract template needs PyYAML: pip install 'fsmstore[contract]'", name=error.name
        ) from error
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidTemplate(f"{path} is no YAML: {error}") from error
    if not isinstance(content, dict):
        raise InvalidTemplate(f"{path} is no contract template: its top level is no mapping")
    return content


def _state(content: dict[str, Any], parameters: Mapping[str, Any]) -> State:
    return State(
        handler=content.get("handler"),
        prompt=content.get("prompt"),
        # YAML 1.1 reads a bare `on` as true, so the key is called events.
        on={str(event): _branches(targets, parameters) for event, targets in (content.get("events") or {}).items()},
    )


def _branches(targets: Any, parameters: Mapping[str, Any]) -> tuple[Branch, ...]:
    if isinstance(targets, str):
        return (Branch(targets, None),)
    branches = []
    for one in targets:
        above = one.get("above")
        # A bound is a number, or the name of the parameter that has it.
        branches.append(Branch(str(one["target"]), None if above is None else int(parameters.get(above, above))))
    return tuple(branches)
