"""Machine definitions made on the spot: small ones, random ones, and what a random one means."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

Definition = dict[str, Any]

# Text that PostgreSQL can store: no NUL, no half of a surrogate pair.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


def small(**changes: Any) -> Definition:
    """Return a machine without findings (a -GO-> b, b final), with other values for the given keys."""
    machine: Definition = {
        "id": "small",
        "initial": "a",
        "states": {"a": {"on": {"GO": "b"}}, "b": {"type": "final"}},
    }
    return {**machine, **changes}


def small_with(path: Sequence[str | int], value: Any) -> Definition:
    """Return the small machine with a value at a path; objects on the way to it are made."""
    machine = copy.deepcopy(small())
    inner: Any = machine
    for step in path[:-1]:
        inner = inner.setdefault(step, {})
    inner[path[-1]] = value
    return machine


# --- any JSON at all -------------------------------------------------------------------------------------------------

_WORDS = [
    "id",
    "initial",
    "states",
    "on",
    "after",
    "type",
    "meta",
    "context",
    "description",
    "tags",
    "version",
    "types",
    "output",
    "target",
    "guard",
    "reenter",
    "loop",
    "limit",
    "window",
    "action",
    "divert",
    "log",
    "block",
    "invariant",
    "context_schema",
    "context_version",
    "max_context_bytes",
    "audit",
    "chain",
    "none",
    "final",
    "parallel",
    "history",
    "always",
    "invoke",
    "entry",
    "a",
    "b",
    ".a",
    "#m.a",
    "m",
    "*",
    "x.*",
    "1",
    "1000",
    "315576000000",
    "5",
    "minutes",
    "$.x",
    "strict",
    "$.x>1",
    "properties",
] + ["", "$.a == 1", "5 minutes", "-1 day", "(", "odd key", "é", "x" * 129]

_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(_WORDS)
    | texts
)
any_json = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_WORDS) | texts, inner, max_size=5),
    max_leaves=30,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [path] + [place for key, inner in items for place in _places(inner, (*path, key))]


@st.composite
def spoiled(draw: st.DrawFn, originals: Sequence[Mapping[str, Any]]) -> Any:
    """Draw one of the definitions with one to three parts of it replaced by any JSON."""
    value: Any = copy.deepcopy(dict(draw(st.sampled_from(originals))))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(_places(value)))
        if not path:
            return draw(any_json)
        inner = value
        for step in path[:-1]:
            inner = inner[step]
        if isinstance(inner, dict) and draw(st.booleans()):
            inner[draw(st.sampled_from(_WORDS))] = inner.pop(path[-1])
        else:
            inner[path[-1]] = draw(any_json)
    return value


# --- definitions that are right, and what they mean ------------------------------------------------------------------

GUARDS = {f"$.{name} == true": name for name in "pqrs"}

_rules = st.none() | st.sampled_from(
    [
        {},
        {"limit": 1},
        {"window": "2 hours", "action": "block"},
        {"limit": 3, "window": "300 seconds", "action": "log"},
        {"action": {"divert": ".a"}},
        {"limit": 7, "action": {"divert": "#random.b"}},
    ]
)
_no_meta: st.SearchStrategy[Any] = st.just({})


def _candidates(states: Sequence[str]) -> st.SearchStrategy[Any]:
    targets = st.sampled_from(states).flatmap(lambda name: st.sampled_from([name, f".{name}", f"#random.{name}"]))
    full = st.fixed_dictionaries(
        {"target": targets},
        optional={
            "guard": st.sampled_from(list(GUARDS)),
            "reenter": st.booleans(),
            "meta": st.fixed_dictionaries({"loop": _rules}) | _no_meta,
        },
    )
    return targets | full | st.lists(targets | full, max_size=5)


@st.composite
def definitions(draw: st.DrawFn) -> Definition:
    """Draw a definition without errors: states a, b, …, of which a is initial, b is there and some are final."""
    states = "abcde"[: draw(st.integers(2, 5))]
    events = st.dictionaries(st.sampled_from(["E", "F", "G", "e", "É"]), _candidates(states), max_size=4)
    body = st.fixed_dictionaries({}, optional={"on": events}) | st.just({"type": "final"})
    return {
        "id": "random",
        "initial": "a",
        "states": {"a": {"on": draw(events)}, **{name: draw(body) for name in states[1:]}},
        "on": draw(events),
        "meta": draw(st.fixed_dictionaries({}, optional={"loop": _rules})),
    }


def plain(target: str) -> str:
    """Return the name that a target of machine "random" means."""
    return target.removeprefix("#random.").removeprefix(".")


def candidates_of(definition: Definition, state: str, event: str) -> list[dict[str, Any]]:
    """Return the candidates of an event in a state: the state's own if it names the event, else the root's."""
    body = definition["states"][state]
    if body.get("type") == "final":
        return []
    own = body.get("on", {})
    found = own[event] if event in own else definition["on"].get(event, [])
    listed = found if isinstance(found, list) else [found]
    return [{"target": one} if isinstance(one, str) else one for one in listed]


def events_of(definition: Definition, state: str) -> set[str]:
    """Return every event that means something in a state."""
    return {*definition["states"][state].get("on", {}), *definition["on"]}


def taken(candidates: Sequence[Mapping[str, Any]], context: Mapping[str, bool]) -> Mapping[str, Any] | None:
    """Return the first candidate whose guard holds."""
    for one in candidates:
        if "guard" not in one or context.get(GUARDS[one["guard"]]) is True:
            return one
    return None


def rule(definition: Definition, candidate: Mapping[str, Any]) -> tuple[Any, Any, Any, Any]:
    """Return limit, window in seconds, action and divert state of a candidate's loop rule; four None if it is off."""
    found = definition["meta"].get("loop", {})
    if "loop" in candidate.get("meta", {}):
        found = candidate["meta"]["loop"]
    if found is None:
        return None, None, None, None
    seconds = {"2 hours": 7200, "300 seconds": 300}[found["window"]] if "window" in found else 300
    action = found.get("action", "log")
    if isinstance(action, dict):
        return found.get("limit", 3), seconds, "divert", plain(action["divert"])
    return found.get("limit", 3), seconds, action, None
