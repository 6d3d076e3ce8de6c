"""fsm.diagram draws a machine, and a session's way through it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.api import Api, refused
from support.machines import DOOR

LAMP: dict[str, Any] = {
    "id": "lamp",
    "initial": "off",
    "states": {
        "off": {"on": {"ON": [{"target": "#lamp.on", "guard": "$.power > 0"}, {"target": ".dark room"}]}},
        "on": {"on": {"OFF": "off", "FAIL": "off"}, "after": {"90000": {"target": "off"}, "86400000": "dark room"}},
        "dark room": {"type": "final"},
    },
    "on": {"FAIL": "dark room", "RESET": ".off"},
    "meta": {"loop": None},
}


def _draw(api: Api, machine: str | None = "lamp", format: str | None = "mermaid", **more: Any) -> str:
    text: str = api.one("diagram", machine=machine, format=format, **more).diagram
    return text


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines()]


@pytest.fixture
def lamp(api: Api, define: Callable[..., int]) -> Api:
    define(LAMP)
    return api


def test_mermaid(lamp: Api) -> None:
    assert _draw(lamp) == (
        "stateDiagram-v2\n"
        '  state "dark room" as _3\n'
        '  state "every open state" as _every\n'
        "  [*] --> off\n"
        "  off --> on : ON [$.power > 0]\n"
        "  off --> _3 : ON\n"
        "  on --> off : FAIL\n"
        "  on --> off : OFF\n"
        "  on --> off : after 90 s\n"
        "  on --> _3 : after 1 d\n"
        "  _every --> _3 : FAIL (not from on)\n"
        "  _every --> off : RESET\n"
        "  _3 --> [*]"
    )
    assert _draw(lamp) == lamp.one("diagram", machine="lamp").diagram


def test_dot(lamp: Api) -> None:
    assert _lines(_draw(lamp, format="dot"))[2:] == [
        's1 [label="off"];',
        's2 [label="on"];',
        's3 [label="dark room", peripheries=2];',
        'every [label="every open state", style="rounded,dashed"];',
        "initial -> s1;",
        's1 -> s2 [label="ON [$.power > 0]"];',
        's1 -> s3 [label="ON"];',
        's2 -> s1 [label="FAIL"];',
        's2 -> s1 [label="OFF"];',
        's2 -> s1 [label="after 90 s", style=dashed];',
        's2 -> s3 [label="after 1 d", style=dashed];',
        'every -> s3 [label="FAIL (not from on)"];',
        'every -> s1 [label="RESET"];',
        "}",
    ]


def test_nothing_of_a_session_without_a_session(lamp: Api) -> None:
    for format in ("mermaid", "dot"):
        assert not re.search("visited|present|✔|[^l]color=|penwidth|×", _draw(lamp, format=format))


@pytest.fixture
def walked(lamp: Api) -> Api:
    """Session s-1 went off, on, off, on, dark room, and back to on by a rollback."""
    lamp.create("s-1", "lamp", context={"power": 1})
    lamp.move("s-1", "ON", "OFF", "ON")
    lamp.update("s-1")
    lamp.move("s-1", "RESET")
    lamp.one("rollback_session", session_id="s-1", to_version=2, expected_version=None)
    return lamp


def test_the_way_of_a_session_in_mermaid(walked: Api) -> None:
    lines = _lines(_draw(walked, session_id="s-1"))
    assert [line for line in lines if "✔" in line] == [
        "off --> on : ✔ 2× ON [$.power > 0]",
        "off --> on : ✔ 1× rollback",
        "on --> off : ✔ 1× OFF",
        "on --> off : ✔ 1× RESET",
    ]
    assert "_every --> off : RESET" in lines
    assert [line for line in lines if line.startswith("class ")] == ["class off visited", "class on present"]
    assert [line.split()[1] for line in lines if line.startswith("classDef ")] == ["visited", "present"]


def test_the_way_of_a_session_in_dot(walked: Api) -> None:
    lines = _lines(_draw(walked, format="dot", session_id="s-1"))
    taken = ', color="#e8590c", fontcolor="#e8590c", penwidth=3];'
    assert [line for line in lines if "×" in line] == [
        f's1 -> s2 [label="ON [$.power > 0] (2×)"{taken}',
        f's1 -> s2 [label="rollback (1×)", style=dotted{taken}',
        f's2 -> s1 [label="OFF (1×)"{taken}',
        f's2 -> s1 [label="RESET (1×)"{taken}',
    ]
    assert lines[2:5] == [
        's1 [label="off", color="#e8590c", penwidth=3];',
        's2 [label="on", color="#e8590c", penwidth=3, fillcolor="#ffd43b"];',
        's3 [label="dark room", peripheries=2];',
    ]


def test_a_session_that_has_just_begun(lamp: Api) -> None:
    lamp.create("s-1", "lamp")
    lines = _lines(_draw(lamp, session_id="s-1"))
    assert [line for line in lines if line.startswith("class ")] == ["class off present"]
    assert "✔" not in "".join(lines)


def test_deadlines_and_diverted_loops_are_drawn_and_marked(
    api: Api, define: Callable[..., int], db: psycopg.Connection[Any]
) -> None:
    states = {
        "a": {"on": {"SELF": "a", "OTHER": "a"}, "after": {"1": "b"}},
        "b": {"on": {"X": "a"}},
        "help": {"type": "final"},
    }
    define(states, loop={"limit": 1, "window": "1 hour", "action": {"divert": "help"}})
    api.create("s-1", "m")
    api.create("s-2", "m")
    api.move("s-1", "SELF", "SELF")
    db.execute("update fsm_internal.sessions set entered_at = now() - interval '1 hour' where session_id = 's-2'")
    db.execute("update fsm_internal.deadlines set wake_at = now() - interval '1 hour'")
    assert [row.to_state for row in api.rows("fire_deadlines")] == ["b"]
    diverted = _lines(_draw(api, "m", session_id="s-1"))
    assert "a --> help : ✔ 1× loop of OTHER, SELF, after 1 ms" in diverted
    assert "a --> a : ✔ 1× SELF" in diverted
    assert "a --> a : OTHER" in diverted
    assert "b --> help : loop of X" in diverted
    assert "class help present" in diverted
    assert "a --> b : ✔ 1× after 1 ms" in _lines(_draw(api, "m", session_id="s-2"))


def test_versions(api: Api, define: Callable[..., int], db: psycopg.Connection[Any]) -> None:
    api.create("s-1")
    define({**DOOR, "states": {"closed": {"on": {"BREAK": "open"}}, "open": {"on": {"CLOSE": "closed"}}}})
    assert "KNOCK" in _draw(api, "door", machine_version=1)
    assert "BREAK" in _draw(api, "door", machine_version=2)
    assert "BREAK" in _draw(api, "door")
    assert "KNOCK" in _draw(api, "door", session_id="s-1"), "the session's own"
    api.send("s-1", "KNOCK")
    api.send("s-1", "OPEN")
    lines = _lines(_draw(api, "door", machine_version=2, session_id="s-1"))
    assert {"closed --> open : BREAK", "closed --> open : ✔ 1× OPEN", "class open present"} <= set(lines)
    Api(db).one("retire_machine", machine="door", machine_version=2)
    assert "KNOCK" in _draw(api, "door")
    assert "BREAK" in _draw(api, "door", machine_version=2)


HOSTILE = [
    "start",
    "end",
    "State",
    "class",
    "root",
    "__proto__",
    "_2",
    "s1",
    'a"b',
    "x;y",
    "a: b",
    "new\nline\r",
    "tab\tx",
    "<script>",
    "a & b",
    "&lt;",
    "x#34;",
    "{ }",
    "%% c",
    "%%{init: {}}%%",
    "--> z",
    "[*]",
    "direction TB",
    "a DIRECTION  LR",
    "`code`",
    "back\\N",
    "\\",
    '\\"',
    "ü ✔",
    "💡",
    "note left of a",
    "*x*",
    " ",
]


@pytest.fixture
def hostile(api: Api, define: Callable[..., int]) -> Api:
    """Each state's event is the name of the next state."""
    following = dict(zip(HOSTILE, HOSTILE[1:] + HOSTILE[:1], strict=True))
    states = {name: {"on": {other: f"#h.{other}"}} for name, other in following.items()}
    define({"id": "h", "initial": "start", "states": states, "meta": {"loop": None}})
    return api


def test_any_name_in_mermaid(hostile: Api) -> None:
    """Nothing that could end a label, begin a statement or mean something else stands in one."""
    entity = re.compile(r"#(\d+);")
    aliases: dict[str, str] = {}
    moves = {}
    for line in _lines(_draw(hostile, "h"))[1:]:
        if found := re.fullmatch(r'state "([^"]*)" as (_\d+)', line):
            aliases[found[2]] = found[1]
        elif found := re.fullmatch(r"(\w+|\[\*\]) --> (\w+)(?: : (.+))?", line):
            moves[found[1]] = (found[2], found[3])
        else:
            raise AssertionError(line)
    names = {alias: entity.sub(lambda one: chr(int(one[1])), label) for alias, label in aliases.items()}
    cleaned = [re.sub(r"[\x00-\x1f]", "·", name) for name in HOSTILE]
    assert moves.pop("[*]")[0] == "start"
    seen, at = [], "start"
    for _ in HOSTILE:
        seen.append(names.get(at, at))
        at, label = moves[at]
        assert entity.sub(lambda one: chr(int(one[1])), label) == names.get(at, at)
        assert not re.search(r'["<&%{}`*\\:\n;#]|direction ', entity.sub("?", label).lower()), label
    assert seen == cleaned
    assert not {"end", "State", "class", "root", "__proto__", "_2"} & set(moves) - set(aliases)


def test_any_name_in_dot(hostile: Api) -> None:
    text = _draw(hostile, "h", "dot")
    quoted = r'"((?:[^"\\]|\\\\|\\")*)"'
    labels = re.findall(rf"^  s\d+ \[label={quoted}\];$", text, re.MULTILINE)
    shown = [label.replace("&amp;", "&").replace('\\"', '"').replace("\\\\", "\\") for label in labels]
    assert sorted(shown) == sorted(re.sub(r"[\x00-\x1f]", "·", name) for name in HOSTILE)
    assert len(re.findall(rf"^  s\d+ -> s\d+ \[label={quoted}\];$", text, re.MULTILINE)) == len(HOSTILE)
    assert len(text.splitlines()) == 2 * len(HOSTILE) + 4


def test_long_guards_are_cut(api: Api, define: Callable[..., int]) -> None:
    guard = f"$.{'x' * 3000} > 0"
    define({"a": {"on": {"GO": {"target": "b", "guard": guard}}}, "b": {"type": "final"}})
    assert f"a --> b : GO [$.{'x' * 57}…]" in _draw(api, "m")


def test_delays_in_the_largest_unit_that_fits(api: Api, define: Callable[..., int]) -> None:
    delays = {"1": "1 ms", "1500": "1500 ms", "60000": "1 min", "7200000": "2 h", "315576000000": "87660 h"}
    define({"a": {"after": dict.fromkeys(delays, "b")}, "b": {"type": "final"}})
    labels = re.findall(r"after (.*)", _draw(api, "m"))
    assert labels == list(delays.values())


def test_states_that_nothing_leads_to_are_drawn_too(api: Api, define: Callable[..., int]) -> None:
    define({"a": {"on": {"X": "a"}}, "lost": {"on": {"X": "lost"}}, "the end": {"type": "final"}})
    assert _lines(_draw(api, "m", "dot"))[2:5] == [
        's1 [label="a"];',
        's2 [label="lost"];',
        's3 [label="the end", peripheries=2];',
    ]


def test_what_is_refused(lamp: Api) -> None:
    lamp.create("d-1", "door")
    with refused("SM001") as refusal:
        _draw(lamp, "nobody's")
    assert refusal.detail == {"machine": "nobody's", "machine_version": None, "versions": []}
    with refused("SM001"):
        _draw(lamp, machine_version=2)
    with refused("SM001"):
        _draw(lamp, "door", machine_version=7, session_id="d-1")
    with refused("SM010") as refusal:
        _draw(lamp, session_id="unknown")
    assert refusal.detail == {"session_id": "unknown"}
    with refused("22023") as refusal:
        _draw(lamp, session_id="d-1")
    assert refusal.detail == {"argument": "p_session_id", "session_id": "d-1", "machine": "door"}
    with refused("22023") as refusal:
        _draw(lamp, format="png")
    assert refusal.detail == {"argument": "p_format", "value": "png", "formats": ["mermaid", "dot"]}
    for arguments in ({"machine": None}, {"format": None}):
        with refused("22004"):
            _draw(lamp, **arguments)
    for more in ({"machine": ""}, {"machine": "m" * 513}, {"session_id": ""}, {"session_id": "s" * 513}):
        with refused("22023"):
            _draw(lamp, **more)


def test_a_session_of_another_machine_with_a_version(lamp: Api) -> None:
    lamp.create("d-1", "door")
    with refused("22023"):
        _draw(lamp, machine_version=1, session_id="d-1")
    with refused("SM010"):
        _draw(lamp, machine_version=1, session_id="unknown")


def test_the_monitor_may_not(lamp: Api, connect_as: Callable[..., Any]) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        _draw(Api(connect_as("test_monitor")))
