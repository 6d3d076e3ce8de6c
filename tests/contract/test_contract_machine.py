"""The contract at work, in memory: one step a call, nothing saved."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fsmstore.contract import ContractStateMachine, Step, SwisperContext, UnknownTemplate
from fsmstore.contract.purchase import PurchaseHandler
from fsmstore.demo.catalogue import Catalogue
from fsmstore.demo.purchase_story import WAY, Shopper


def machine(state: str = "start", handlers: Any = None, **fields: Any) -> ContractStateMachine:
    fsm = ContractStateMachine("purchase_item", handlers)
    fsm.context.merge({"current_state": state, **fields})
    return fsm


def test_a_purchase_goes_its_way_one_step_a_call() -> None:
    fsm, shopper = machine(), Shopper()
    way, reply = [fsm.context.current_state], fsm.next()
    assert (reply["message"], reply["waiting"], reply["event"]) == ("What are you looking for?", True, None)
    while not reply["is_final"]:
        reply = fsm.next(shopper.answer(reply["state"]) if reply["waiting"] else None)
        assert (reply["from_state"], reply["state"]) == (way[-1], fsm.context.current_state)
        way.append(reply["state"])
    assert tuple(way) == WAY
    assert shopper.silent
    assert reply["message"].startswith("Ordered: Nordhus")
    context = fsm.context
    moved = [(one, two) for one, two in itertools.pairwise(WAY) if one != two]
    assert context.step_log == [f"{one} -> {two}" for one, two in moved]
    assert [(step["from_state"], step["to_state"]) for step in context.fsm_state_history] == moved
    assert [step["trigger"] for step in context.fsm_state_history] == [
        "BEGIN", "RESULTS", "REFINED", "RESULTS", "PREFERENCES", "MATCHED", "CONFIRM",
    ]  # fmt: skip
    assert [one["content"] for one in context.conversation_history if one["role"] == "user"] == [
        "I am looking for a washing machine.", "At most 650 euro and at least 8 kg, please.",
        "It must be quiet. After that, energy.", "I like Nordhus. No Velmo, please.", "Yes, please.",
    ]  # fmt: skip
    assert context.contract_status == "ordered"
    assert context.tools_used == ["product_search"]
    assert context.created_at is not None
    assert context.last_updated is not None
    assert context.created_at < context.last_updated
    SwisperContext.from_dict(context.to_dict())


def test_to_ask_again_changes_nothing() -> None:
    fsm = machine()
    fsm.next("a washing machine")
    fsm.next()
    before = fsm.context.to_dict()
    reply = fsm.next()
    assert (reply["state"], reply["waiting"], reply["event"], reply["heard"]) == (
        "refine_constraints",
        True,
        None,
        False,
    )
    assert "too many to choose from" in reply["message"]
    assert fsm.context.to_dict() == before


def test_what_is_said_while_there_is_work_is_not_heard() -> None:
    fsm = machine("search", product_query="washing machine")
    reply = fsm.next("hello?")
    assert (reply["heard"], reply["state"]) == (False, "refine_constraints")
    assert [one["role"] for one in fsm.context.conversation_history] == ["assistant"]


def test_a_query_that_is_there_already_is_the_first_answer() -> None:
    fsm = machine(product_query="a washing machine")
    reply = fsm.next()
    assert (reply["event"], reply["state"], reply["waiting"], reply["message"]) == ("BEGIN", "search", False, None)


def test_a_search_that_finds_nothing_stays_and_asks() -> None:
    fsm = machine("search", product_query="an umbrella")
    reply = fsm.next()
    assert (reply["event"], reply["state"], reply["waiting"]) == ("RESULTS", "search", True)
    assert reply["message"] == "Nothing fits. What else could it be?"
    assert fsm.next() == {**reply, "event": None}  # it does not search for the same again
    reply = fsm.next("or rather a washing machine")
    assert (reply["event"], reply["state"], reply["heard"]) == ("RESULTS", "refine_constraints", True)
    assert fsm.context.product_query == "an umbrella or rather a washing machine"


@pytest.mark.parametrize(("answer", "state"), [("No.", "cancelled"), ("yes", "completed"), ("Hm?", "confirm_purchase")])
def test_an_order_is_confirmed_or_not(answer: str, state: str) -> None:
    product = Catalogue.read().products[0]
    fsm = machine("confirm_purchase", selected_product={"id": product.id, "name": product.name})
    assert product.name in fsm.next()["message"]
    reply = fsm.next(answer)
    assert (reply["state"], reply["is_final"]) == (state, state != "confirm_purchase")
    assert reply["waiting"] is not reply["is_final"]
    assert fsm.context.is_cancelled is (state == "cancelled")


@pytest.mark.parametrize("state", ["completed", "cancelled", "failed"])
def test_a_finished_contract_stays_as_it_is(state: str) -> None:
    fsm = machine(state)
    before = fsm.context.to_dict()
    reply = fsm.next("hello")
    assert (reply["state"], reply["is_final"], reply["waiting"], reply["heard"]) == (state, True, False, False)
    assert reply["message"]
    assert fsm.context.to_dict() == before


@pytest.mark.parametrize("generation", ["V1", "V1p", "V2", "V3", "V4", "V5", "V6", "V7"])
def test_a_session_that_began_elsewhere_is_finished(
    stored_context: Callable[[str], dict[str, Any]], generation: str
) -> None:
    fsm = machine()
    fsm.context = SwisperContext.from_dict({**stored_context(generation), "current_state": "collect_preferences"})
    before = fsm.context.to_dict()
    reply, answers = fsm.next(), {"collect_preferences": "It must be cheap.", "confirm_purchase": "Yes."}
    while not reply["is_final"]:
        reply = fsm.next(answers[reply["state"]] if reply["waiting"] else None)
    assert (reply["state"], fsm.context.contract_status) == ("completed", "ordered")
    assert fsm.context.selected_product is not None
    assert fsm.context.selected_product["id"] in {one["link"] for one in before["search_results"]}
    assert fsm.context.constraints == before["constraints"]  # in words that this shop does not use: kept


def test_where_there_is_nothing_to_match_the_contract_fails() -> None:
    reply = machine("match_preferences").next()
    assert (reply["event"], reply["state"], reply["is_final"]) == ("FAIL", "failed", True)


@pytest.mark.parametrize(
    ("constraints", "kept"),
    [([], []), ({}, []), ({"price": "under 90"}, [{"price": "under 90"}]), (["price < 90"], ["price < 90"])],
)
def test_constraints_in_other_words_are_kept(constraints: Any, kept: list[Any]) -> None:
    fsm = machine("refine_constraints", product_query="washing machine", constraints=constraints)
    assert fsm.next()["message"] == "There are too many to choose from. What are your limits?"
    fsm.next("at most 500 euro")
    added = {"unit": "euro", "operator": "<=", "value": 500}
    assert fsm.context.constraints == [*kept, added]
    assert fsm.next()["state"] == "collect_preferences"


@pytest.mark.parametrize(
    ("preferences", "kept"),
    [(["blue"], {"stated": ["blue"]}), ({"colour": "blue"}, {"colour": "blue"}), ({"liked": "x"}, {}), ([], {})],
)
def test_preferences_in_other_words_are_kept(preferences: Any, kept: dict[str, Any]) -> None:
    fsm = machine("collect_preferences", product_query="kettle", preferences=preferences)
    fsm.next("the price")
    assert {**fsm.context.preferences, **kept} == fsm.context.preferences


def test_an_order_without_a_product_asks_by_the_template() -> None:
    fsm = machine("confirm_purchase")
    assert fsm.next()["message"] == "Shall I order it?"
    assert fsm.next("yes")["message"] == "Ordered. Thank you!"


def test_products_that_are_none_are_left_alone() -> None:
    found = ["nothing", 7, {"name": "no price"}, {"price": 3}, {"name": "Kettle", "price": 20.5}]
    fsm = machine("match_preferences", search_results=found)
    fsm.next()
    assert fsm.context.selected_product is not None
    assert fsm.context.selected_product["id"] == "Kettle"
    assert "Kettle for 20.5 euro" in fsm.next()["message"]
    assert fsm.context.search_results == found


def test_what_the_shop_sells_is_sold_as_the_shop_has_it() -> None:
    product = Catalogue.read().products[0]
    fsm = machine("match_preferences", search_results=[{"id": product.id, "name": "Bargain", "price": 1}])
    fsm.next()
    assert f"{product.name} for {product.price} euro" in fsm.next()["message"]


def test_a_handler_of_ones_own() -> None:
    asked: list[Any] = []

    def search(context: SwisperContext, user_input: str | None) -> Step:
        asked.append((context.current_state, user_input))
        return Step(event="RESULTS", patch={"search_results": [{"name": "found"}], "odd": 1}, message="Here!")

    fsm = machine("search", {"search": search})
    reply = fsm.next("go")
    assert asked == [("search", "go")]
    assert (reply["state"], reply["message"], reply["waiting"], reply["heard"]) == (
        "collect_preferences", "Here!", True, True,
    )  # fmt: skip
    assert fsm.context.odd == 1


@pytest.mark.parametrize(
    ("made", "state", "event"),
    [
        ("failed", "failed", None),
        ("somewhere", "somewhere", None),  # whether it may go there is for the database to say
        ({"event": "CANCEL"}, "cancelled", "CANCEL"),
        ({"state": "failed", "message": "sorry", "waiting": False}, "failed", None),
        (None, "search", None),
    ],
)
def test_what_a_handler_may_return(made: Any, state: str, event: str | None) -> None:
    reply = machine("search", {"search": lambda context, user_input: made}).next()
    assert (reply["state"], reply["event"]) == (state, event)


def test_a_handler_may_set_the_state_itself() -> None:
    def search(context: SwisperContext, user_input: str | None) -> None:
        context.current_state = "refine_constraints"

    fsm = machine("search", {"search": search, "refine_constraints": lambda context, user_input: None})
    reply = fsm.next()
    assert (reply["from_state"], reply["state"], reply["waiting"]) == ("search", "refine_constraints", True)
    assert reply["message"] == "There are too many to choose from. What are your limits?"
    assert fsm.context.step_log == ["search -> refine_constraints"]


def test_a_handler_that_raises_has_changed_nothing() -> None:
    def search(context: SwisperContext, user_input: str | None) -> None:
        raise ConnectionError("the shop is closed")

    fsm = machine("search", {"search": search})
    before = fsm.context.to_dict()
    with pytest.raises(ConnectionError, match="the shop is closed"):
        fsm.next()
    assert fsm.context.to_dict() == before


@pytest.mark.parametrize(
    ("made", "error", "says"),
    [
        (7, TypeError, "a handler returns a Step, a mapping, a state's name or None, not int"),
        ({"nonsense": 1}, TypeError, "nonsense"),
        ({"event": "CONFIRM"}, LookupError, "does not say where CONFIRM leads from search"),
    ],
)
def test_what_a_handler_may_not_return(made: Any, error: type[Exception], says: str) -> None:
    fsm = machine("search", {"search": lambda context, user_input: made})
    before = fsm.context.to_dict()
    with pytest.raises(error, match=says):
        fsm.next()
    assert fsm.context.to_dict() == before


def test_a_state_of_older_times_is_not_guessed_at() -> None:
    with pytest.raises(LookupError, match="has no state 'confirm_order'"):
        machine("confirm_order").next()


def test_a_handler_for_no_state_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="has no state serach"):
        ContractStateMachine("purchase_item", {"serach": lambda context, user_input: None})


def test_the_template_is_given_by_file_or_by_name(tmp_path: Path) -> None:
    for given in ("purchase_item", "contract_templates/purchase_item.yaml", None):
        fsm = ContractStateMachine(given)
        assert Path(fsm.contract_template).is_file()
        assert (fsm.context.contract_template, fsm.context.contract_type) == ("purchase_item", "purchase_item")
    own = tmp_path / "own.yaml"
    own.write_text("contract_type: t\ninitial: a\nstates: {a: {prompt: Well}, b: {}}\n")
    fsm = ContractStateMachine(own, {"a": lambda context, user_input: user_input})
    assert (fsm.context.contract_template, fsm.context.current_state) == ("own", "a")
    assert fsm.next()["message"] == "Well"
    assert fsm.next("b")["is_final"]
    with pytest.raises(UnknownTemplate):
        ContractStateMachine("book_trip")


def test_a_handler_with_another_catalogue() -> None:
    handler = PurchaseHandler(Catalogue([]))
    fsm = machine("search", {"search": handler}, product_query="washing machine")
    assert fsm.next()["message"] == "Nothing fits. What else could it be?"
