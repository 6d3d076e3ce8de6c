"""A context survives to_dict and from_dict exactly, and every older generation is read."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsmstore import FsmError, InvalidContext
from fsmstore.contract import SERIALIZATION_VERSION, SwisperContext, UnsupportedSerialization, generation_of
from fsmstore.contract.context import FIELDS
from fsmstore.jsonvalues import Codec

GENERATIONS = ("V1", "V1p", "V2", "V3", "V4", "V5", "V6", "V7")
StoredContext = Callable[[str], dict[str, Any]]

_text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
_number = st.integers() | st.floats(allow_nan=False, allow_infinity=False).map(lambda value: value or 0.0)
_json = st.recursive(
    st.none() | st.booleans() | _number | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=8,
)
_objects, _arrays = st.dictionaries(_text, _json, max_size=3), st.lists(_json, max_size=3)
_BY_KIND: dict[Any, st.SearchStrategy[Any]] = {
    str: _text, bool: st.booleans(), dict: _objects, list: _arrays, None: st.none(), int: st.integers(),
    float: st.floats(allow_nan=False, allow_infinity=False).map(lambda value: value or 0.0),
}  # fmt: skip
_OWN = {"contract_template": st.just("purchase_item"), "serialization_version": st.just(SERIALIZATION_VERSION)}
_known = st.fixed_dictionaries(
    {},
    optional={
        name: _OWN.get(name, st.one_of([_BY_KIND[kind] for kind in field.kinds])) for name, field in FIELDS.items()
    },
)
_odd = st.dictionaries(st.sampled_from(["", "__proto__", "a.b[0]", "constructor", "_data", "to_dict"]) | _text, _json)


@given(known=_known, unknown=_odd)
def test_every_field_and_every_unknown_key_comes_back(known: dict[str, Any], unknown: dict[str, Any]) -> None:
    data = {**{key: value for key, value in unknown.items() if key not in FIELDS}, **known}
    whole = {"serialization_version": "1.0", "fsm_state_history": [], **data}
    context = SwisperContext.from_dict(whole)
    written = context.to_dict()
    assert list(written)[: len(whole)] == list(whole)  # in their places
    assert Codec().encode({key: written[key] for key in whole}) == Codec().encode(whole)  # and type for type
    again = SwisperContext.from_dict(written)
    assert again == context
    assert json.dumps(again.to_dict()) == json.dumps(written)


def test_unknown_keys_keep_their_place_and_are_attributes_where_the_name_allows() -> None:
    data = {**SwisperContext("s").to_dict(), "": 1, "__proto__": {"x": 2}, "a.b[0]": [3], "favourite": "red"}
    context = SwisperContext.from_dict(data)
    assert list(context.to_dict()) == list(data)
    assert context.favourite == "red"
    context.favourite = "blue"
    context.brand_new = [1]
    assert {"favourite": "blue", "brand_new": [1]}.items() <= context.to_dict().items()
    with pytest.raises(AttributeError, match="no field 'colour'"):
        _ = context.colour
    with pytest.raises(AttributeError, match="is no name of a field"):
        context._hidden = 1


def test_a_new_context_has_the_fields_of_the_present_generation() -> None:
    context = SwisperContext(session_id="s", product_query="kettle", user_id="u", top_products=[1])
    data = context.to_dict()
    assert (data["session_id"], data["product_query"], data["user_id"], data["top_products"]) == (
        "s",
        "kettle",
        "u",
        [1],
    )
    assert (data["serialization_version"], data["current_state"]) == ("1.0", "start")
    assert generation_of(data) == "V7"
    assert FIELDS.keys() <= data.keys()
    assert SwisperContext.step_log is FIELDS["step_log"]
    assert repr(context) == "SwisperContext(session_id='s', current_state='start')"


def test_what_is_handed_in_and_out_is_a_copy() -> None:
    given_list: list[Any] = [{"name": "a"}]
    data = SwisperContext("s", search_results=given_list).to_dict()
    context = SwisperContext.from_dict(data)
    data["search_results"][0]["name"] = "changed"
    given_list.append("more")
    out = context.to_dict()
    out["search_results"].clear()
    assert context.search_results == [{"name": "a"}]
    context.search_results.append("b")  # the context itself is live
    assert context.to_dict()["search_results"] == [{"name": "a"}, "b"]


def test_two_contexts_do_not_share_their_defaults() -> None:
    one, other = SwisperContext("s"), SwisperContext("s")
    assert one == other
    one.step_log.append("start -> search")
    one.pipeline_performance_metrics["total_executions"] = 1
    assert other == SwisperContext("s")
    assert one != other
    assert one != {"session_id": "s"}


def test_it_can_be_copied_and_pickled() -> None:
    context = SwisperContext("s", product_query="kettle", odd=[1])
    for same in (copy.deepcopy(context), pickle.loads(pickle.dumps(context))):
        assert same == context
        same.odd.append(2)
        assert context.odd == [1]


def test_moments_are_iso_text() -> None:
    moment = datetime(2025, 6, 5, 7, 30, tzinfo=timezone.utc)
    context = SwisperContext("s", created_at=moment)
    context.last_updated = moment  # type: ignore[assignment]
    assert context.created_at == context.last_updated == "2025-06-05T07:30:00+00:00"
    assert SwisperContext.from_dict(context.to_dict()) == context


@pytest.mark.parametrize(
    ("fields", "path", "says"),
    [
        ({"step_log": {}}, "$.step_log", "a value of type dict; it must be an array"),
        ({"current_state": None}, "$.current_state", "a value of type NoneType; it must be a string"),
        ({"preferences": "red"}, "$.preferences", "a value of type str; it must be an object or an array"),
        ({"is_cancelled": 1}, "$.is_cancelled", "a value of type int; it must be true or false"),
        (
            {"search_results": [1], "confirmation_pending": 0},
            "$.confirmation_pending",
            "a value of type int; it must be true or false",
        ),
        (
            {"created_at": True},
            "$.created_at",
            "a value of type bool; it must be a string or null or an integer or a number with a fraction",
        ),
        (
            {"created_at": []},
            "$.created_at",
            "a value of type list; it must be a string or null or an integer or a number with a fraction",
        ),
        ({"selected_product": []}, "$.selected_product", "a value of type list; it must be an object or null"),
        ({"metadata": {"at": datetime(2025, 6, 5)}}, "$.metadata.at", "a value of type datetime"),
        ({"search_results": [{"price": float("nan")}]}, "$.search_results[0].price", "the number nan"),
        ({"odd": {"a": {1, 2}}}, "$.odd.a", "a value of type set"),
    ],
)
def test_what_cannot_be_written_is_refused_with_its_place(fields: dict[str, Any], path: str, says: str) -> None:
    with pytest.raises(InvalidContext) as caught:
        SwisperContext("s", **fields).to_dict()
    assert caught.value.path == path
    assert caught.value.findings[0]["message"] == says
    assert caught.value.hint


@pytest.mark.parametrize("generation", GENERATIONS)
def test_each_generation_is_told_by_its_shape(stored_context: StoredContext, generation: str) -> None:
    assert generation_of(stored_context(generation)) == generation


@pytest.mark.parametrize("generation", GENERATIONS)
def test_an_older_generation_keeps_what_it_has_and_gets_what_it_lacks(
    stored_context: StoredContext, generation: str
) -> None:
    data = stored_context(generation)
    context = SwisperContext.from_dict(data)
    written = context.to_dict()
    kept = {key: value for key, value in data.items() if key not in ("contract_template", "serialization_version")}
    assert {key: written[key] for key in kept} == kept  # the name of the state too
    assert (written["contract_template"], written["serialization_version"]) == ("purchase_item", "1.0")
    assert generation_of(written) == "V7"
    missing = FIELDS.keys() - data.keys() - {"last_updated", "serialization_version"}
    assert {name: written[name] for name in missing} == {name: FIELDS[name].default() for name in missing}
    assert written["last_updated"] == data.get("last_updated", data["updated_at"])
    assert SwisperContext.from_dict(written).to_dict() == written
    assert data == stored_context(generation)  # what was handed in is as it was


def test_a_template_that_is_missing_is_the_one_of_its_path(stored_context: StoredContext) -> None:
    data = {**stored_context("V7"), "contract_template": None, "contract_template_path": "/app/book_trip.yaml"}
    assert SwisperContext.from_dict(data).contract_template == "book_trip"
    del data["contract_template"]
    assert SwisperContext.from_dict(data).to_dict()["contract_template"] == "book_trip"


def test_without_a_version_it_is_an_older_generation(stored_context: StoredContext) -> None:
    data = {**stored_context("V6"), "serialization_version": None}
    assert generation_of(data) == "V5"
    assert SwisperContext.from_dict(data).serialization_version == "1.0"
    assert generation_of({}) == "V1p"
    assert SwisperContext.from_dict({}) == SwisperContext()


@pytest.mark.parametrize("version", ["2.0", 3, 1.0, "", "1", ["1.0"], True])
def test_another_version_is_refused(stored_context: StoredContext, version: Any) -> None:
    with pytest.raises(UnsupportedSerialization) as caught:
        SwisperContext.from_dict({**stored_context("V7"), "serialization_version": version})
    assert isinstance(caught.value, FsmError)
    assert caught.value.serialization_version == version
    assert (caught.value.supported, caught.value.path) == ("1.0", "$.serialization_version")
    assert f"serialization_version is {version!r}; this release reads '1.0'" in str(caught.value)


@pytest.mark.parametrize("data", [None, [], "{}"])
def test_only_a_mapping_makes_a_context(data: Any) -> None:
    with pytest.raises(TypeError, match="a context is made from a mapping"):
        SwisperContext.from_dict(data)
