"""How deep, how precise and how large a context may be, to the very edge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from support.api import Api, case, refused


def nested(levels: int, brackets: str) -> str:
    """A value of so many objects or arrays in one another, as JSON text."""
    if brackets == "[]":
        return "[" * levels + "]" * levels
    if brackets == "{}":
        return '{"a":' * (levels - 1) + "{}" + "}" * (levels - 1)
    return '[{"a":' * (levels // 2) + ("[]" if levels % 2 else "1") + "}]" * (levels // 2)


# Each way in, as a call that puts a JSON text into key x of session s-1's context.
WAYS: dict[str, Callable[[Api, str], Any]] = {
    "create": lambda api, value: api.create("new", context=f'{{"x": {value}}}'),
    "save": lambda api, value: api.save("s-1", "open", f'{{"x": {value}}}'),
    "save in place": lambda api, value: api.save("s-1", "closed", f'{{"x": {value}, "y": [1]}}'),
    "patch of an event": lambda api, value: api.send("s-1", "OPEN", patch=f'{{"x": {value}}}'),
    "patch": lambda api, value: api.update("s-1", patch=f'{{"x": {value}}}'),
}


@pytest.fixture
def s(api: Api) -> Api:
    """Session s-1 exists."""
    api.create("s-1", context={"y": [1]})
    return api


@pytest.mark.parametrize("brackets", ["[]", "{}", "[{"])
def test_100_objects_and_arrays_in_one_another(s: Api, brackets: str) -> None:
    """The context itself is the first of them."""
    for way, call in WAYS.items():
        for levels in (100, 101, 3000):
            with case((way, levels)), refused("SM021") as refusal:
                call(s, nested(levels, brackets))
            assert refusal.detail["code"] == "too_deep"
        with case((way, 99)), s.conn.transaction(force_rollback=True):
            call(s, nested(99, brackets))


@pytest.mark.parametrize("how", ["update", "send"])
def test_appended_elements_count_their_depth_too(s: Api, how: str) -> None:
    calls: dict[str, Callable[[str], Any]] = {
        "update": lambda element: s.update("s-1", append=f'{{"log": [{element}]}}'),
        "send": lambda element: s.send("s-1", "KNOCK", append=f'{{"log": [{element}]}}'),
    }
    with refused("SM021") as refusal:
        calls[how](nested(99, "[]"))
    assert refusal.detail["code"] == "too_deep"
    calls[how](nested(98, "[]"))
    with refused("SM021"):
        calls[how](nested(3000, "[]"))


TOO_LONG = [
    "1e1000",
    "-1e1000",
    "1" + "0" * 1000,
    "1e-1001",
    "-1e-1001",
    "0." + "0" * 1001,
    "1." + "0" * 1001,
    "9" * 1001,
]
LONGEST = ["9" * 1000, "-1e999", "1e-1000", "0." + "0" * 999 + "1", "9" * 1000 + "." + "9" * 1000, "-0." + "9" * 1000]


def test_numbers_of_more_than_1000_digits_on_a_side(s: Api) -> None:
    for way, number in [(way, number) for way in WAYS for number in TOO_LONG]:
        for value in (number, f"[[{number}]]", f'{{"a": {{"b": {number}}}}}'):
            with case((way, value[:20])), refused("SM021") as refusal:
                WAYS[way](s, value)
            assert (refusal.detail["code"], refusal.detail["path"]) == ("number_too_long", "$.x")
    assert s.text("s-1") == '{"y": [1]}'


def test_numbers_of_1000_digits_on_a_side(s: Api) -> None:
    for number in LONGEST:
        spelled = s.conn.execute("select %s::jsonb::text", (number,)).fetchone()
        assert spelled is not None
        version = s.update("s-1", patch=f'{{"x": {number}}}').version
        assert s.text("s-1") == f'{{"x": {spelled[0]}, "y": [1]}}'
        s.save("s-1", "closed", {"y": [1]})
        assert s.text("s-1", version) == f'{{"x": {spelled[0]}, "y": [1]}}'


def test_an_only_respelled_number_is_checked_too(s: Api) -> None:
    s.update("s-1", patch='{"x": 1}')
    with refused("SM021"):
        s.update("s-1", patch='{"x": 1.' + "0" * 1001 + "}")


def test_what_stands_beside_a_number_does_not_hide_it(s: Api) -> None:
    """Among other keys, changed or not, and in a long context."""
    s.save("s-1", "closed", {"y": [1], "long": ["x" * 100] * 100, "n": list(range(500))})
    for patch in ('{"a": 1, "x": 1e1000, "z": "x"}', '{"n": [1, 2, 1e-1001]}'):
        with refused("SM021"):
            s.update("s-1", patch=patch)


def test_digits_in_strings_and_keys_are_no_numbers(s: Api) -> None:
    digits = "9" * 2000
    s.save("s-1", "open", {digits: digits, "brackets": "[" * 300})
    assert s.load("s-1").context == {digits: digits, "brackets": "[" * 300}


def _text_of(size: int) -> str:
    """A context whose text has so many bytes: more bytes than characters."""
    if size < 9:
        return "{}" if size == 2 else '{"": 1}'
    return f'{{"x": "{"é" * ((size - 9) // 2)}{"e" * ((size - 9) % 2)}"}}'


@pytest.mark.parametrize("most", [2, 9, 300, 40_000])
def test_the_text_may_have_max_context_bytes_exactly(api: Api, define: Callable[..., int], most: int) -> None:
    define({"a": {"on": {"GO": "a"}}}, max_context_bytes=most)
    fits, too_large = _text_of(most), _text_of(most + 1)
    assert len(fits.encode()) == most < len(too_large.encode())
    calls: list[Callable[[str], Any]] = [
        lambda text: api.create(f"s-{len(text)}", "m", context=text),
        lambda text: api.save("s-1", "a", text),
        lambda text: api.update("s-1", patch=text),
        lambda text: api.send("s-1", "GO", patch=text),
    ]
    api.create("s-1", "m")
    for call in calls:
        with refused("SM021") as refusal:
            call(too_large)
        assert refusal.detail["code"] == "too_large"
        call(fits)


def test_state_and_id_do_not_count(api: Api, define: Callable[..., int]) -> None:
    define({"a": {"on": {"GO": "a"}}}, max_context_bytes=9)
    api.create("s-1", "m", context={"x": 10, "current_state": "a", "session_id": "s-1"})
    api.save("s-1", "a", {"x": 99, "current_state": "a", "session_id": "s-1"})
    assert api.text("s-1") == '{"x": 99}'


def test_by_default_8_mebibytes(api: Api) -> None:
    api.create("s-1")
    context = {"x": "x" * (8 * 1024 * 1024 - 9)}
    api.save("s-1", "open", context)
    with refused("SM021"):
        api.update("s-1", append={"y": []})
    with refused("SM021"):
        api.save("s-1", "closed", {"x": context["x"] + "x"})
    assert api.load("s-1").context == context


def test_compressible_contexts_are_measured_by_their_text(api: Api, define: Callable[..., int]) -> None:
    define({"a": {"on": {"GO": "a"}}}, max_context_bytes=100_000)
    api.create("s-1", "m")
    with refused("SM021"):
        api.save("s-1", "a", {"x": "a" * 100_000})
    api.save("s-1", "a", {"x": "a" * 99_991})
    for patch in ('{"y": []}', f'{{"x": "{"a" * 99_992}"}}'):
        with refused("SM021"):
            api.update("s-1", patch=patch)


@pytest.mark.parametrize(
    ("number", "code"), [("1e131071", "number_too_long"), ("1e-16383", "number_too_long"), ("1e999", "too_large")]
)
def test_a_small_request_whose_text_is_huge_is_refused_before_it_is_written_out(s: Api, number: str, code: str) -> None:
    """Numbers of a few bytes: the text of all of them has up to 1.5 GB, more than any text may have."""
    numbers = f'{{"x": [{", ".join([number] * 12_000)}]}}'
    calls: list[Callable[[], Any]] = [
        lambda: s.create("new", context=numbers),
        lambda: s.save("s-1", "open", numbers),
        lambda: s.save("s-1", "nowhere", numbers),
        lambda: s.send("s-1", "OPEN", patch=numbers),
        lambda: s.update("s-1", append=numbers),
    ]
    for call in calls:
        with refused("SM021") as refusal:
            call()
        assert refusal.detail["code"] == code
    [finding] = s.rows("validate_context", machine="door", state="open", context=numbers)
    assert finding.code == code
    with refused("22023"):
        s.update("s-1", note=numbers)
