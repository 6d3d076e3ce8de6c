"""RFC 7396 patches and appends, as update_context applies them."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.api import Api, refused

# The examples of RFC 7396, appendix A, whose target and patch are objects.
RFC_EXAMPLES = [
    ('{"a":"b"}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'),
    ('{"a":"b"}', '{"a":null}', "{}"),
    ('{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'),
    ('{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'),
    ('{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'),
    ('{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'),
    ('{"e":null}', '{"a":1}', '{"e":null,"a":1}'),
    ("{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'),
]
# Those with another target or patch, one level down.
RFC_EXAMPLES += [
    (f'{{"x":{target}}}', f'{{"x":{patch}}}', f'{{"x":{result}}}')
    for target, patch, result in [
        ('["a","b"]', '["c","d"]', '["c","d"]'),
        ('{"a":"b"}', '["c"]', '["c"]'),
        ('{"a":"foo"}', '"bar"', '"bar"'),
        ("[1,2]", '{"a":"b","c":null}', '{"a":"b"}'),
    ]
]
RFC_EXAMPLES += [('{"x":{"a":"foo"}}', '{"x":null}', "{}")]


def test_examples_of_the_rfc(api: Api) -> None:
    for target, patch, result in RFC_EXAMPLES:
        name = f"{target} {patch}"
        api.create(name, context=target)
        api.update(name, patch=patch)
        assert api.load(name).context == json.loads(result), name


def merged(target: Any, patch: Any) -> Any:
    """The pseudocode of RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


keys = st.sampled_from(["a", "b", "", "é", "0"])
scalars = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "x"])
values = st.recursive(scalars, lambda v: st.lists(v, max_size=2) | st.dictionaries(keys, v, max_size=3), max_leaves=8)
objects = st.dictionaries(keys, values, max_size=3)


def test_any_patch_is_applied_as_the_rfc_says(api: Api) -> None:
    api.create("s-1")

    @settings(max_examples=100)
    @given(context=objects, patch=objects)
    def apply(context: dict[str, Any], patch: dict[str, Any]) -> None:
        api.save("s-1", "closed", context)
        sent = api.send("s-1", "KNOCK", patch=patch)
        assert sent.context == merged(context, patch)
        assert api.load("s-1").context == sent.context

    apply()


def test_an_array_is_appended_to_or_made(api: Api) -> None:
    api.create("s-1", context={"log": [1, [2]], "other": 1})
    api.update("s-1", append={"log": [[3], 4], "new": [], "newer": [None]})
    assert api.load("s-1").context == {"log": [1, [2], [3], 4], "other": 1, "new": [], "newer": [None]}


def test_the_patch_comes_first_then_the_append(api: Api) -> None:
    api.create("s-1", context={"log": "text", "gone": [1]})
    api.update("s-1", patch={"log": ["first"], "gone": None}, append={"log": ["second"], "gone": [2]})
    assert api.load("s-1").context == {"log": ["first", "second"], "gone": [2]}


def test_only_top_level_keys_are_appended_to(api: Api) -> None:
    api.create("s-1", context={"a": {"b": [1]}})
    api.update("s-1", append={"a.b": [2], "$.a.b": [3], "": [4]})
    assert api.load("s-1").context == {"a": {"b": [1]}, "a.b": [2], "$.a.b": [3], "": [4]}


@pytest.mark.parametrize("there", ['"text"', "1", "{}", "null", "false"])
def test_what_is_no_array_is_not_appended_to(api: Api, there: str) -> None:
    api.create("s-1", context=f'{{"log": {there}}}')
    for call in (partial(api.update, "s-1", append={"log": []}), partial(api.send, "s-1", "NO", append={"log": [1]})):
        with refused("SM021") as refusal:
            call()
        assert (refusal.detail["code"], refusal.detail["path"]) == ("not_an_array", "$.log")


@pytest.mark.parametrize("value", ['"text"', "1", "{}", "null"])
def test_what_is_appended_is_an_array(api: Api, value: str) -> None:
    api.create("s-1", context={"log": []})
    with refused("SM021") as refusal:
        api.update("s-1", append=f'{{"log": {value}}}')
    assert (refusal.detail["code"], refusal.detail["path"]) == ("not_an_array", "$.log")


def test_a_patch_keeps_the_spelling_of_numbers(api: Api) -> None:
    api.create("s-1", context='{"a": {"x": 1.50, "y": 100}, "z": [1.0]}')
    api.update("s-1", patch='{"a": {"y": 1.00}}', append='{"z": [2.00]}')
    assert api.text("s-1") == '{"a": {"x": 1.50, "y": 1.00}, "z": [1.0, 2.00]}'
