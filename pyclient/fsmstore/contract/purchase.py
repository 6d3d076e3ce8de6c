"""The purchase's handler: the demo's shop assistant on the context of the contract engine.

Deterministic, so that tests and demos say the same every time. An engine with a language model and a real search hands
its own handlers to ContractStateMachine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fsmstore.demo.catalogue import Catalogue, Product
from fsmstore.demo.conversation import Move
from fsmstore.demo.purchase import Purchase

from .context import SwisperContext
from .steps import Step

_BOUND = {"unit", "operator", "value"}
_WISHES = ("priorities", "liked", "unwanted")
_SEARCH = "product_search"


class PurchaseHandler:
    """Asks, listens and works in every state of a purchase that is not final.

    The assistant knows the catalogue by id and constraints by unit. Sessions that began elsewhere have whole products
    among their results, and wishes in other words: such products are sold as they are, such wishes kept and not used.

    Args:
        catalogue: what can be bought; the one that is shipped with the demo unless given.
    """

    def __init__(self, catalogue: Catalogue | None = None) -> None:
        self._catalogue = catalogue or Catalogue.read()

    def question(self, context: SwisperContext, prompt: str | None) -> str | None:
        """Return what to say to the user in the context's state; None: there is work to do.

        Args:
            context: where the purchase is, and what it knows.
            prompt: what the template says, for a context that has too little to say it better.
        """
        state = context.current_state
        if state == "search" and context.last_pipeline_results.get(_SEARCH) != _searched_for(context.view()):
            return None
        assistant, view = self._scene(context)
        if state == "refine_constraints" and not view["search_results"]:
            return prompt
        if state in ("confirm_purchase", "completed") and not view["selected_product"]:
            return prompt
        return assistant.question(state, view)

    def __call__(self, context: SwisperContext, user_input: str | None) -> Step:
        """Take one step in the context's state: ask, listen or work."""
        state = context.current_state
        if state == "start" and user_input is None and context.product_query:
            user_input = context.product_query  # said before the conversation began
        question = self.question(context, "")
        assistant, view = self._scene(context)
        if question is None:
            if state == "match_preferences" and not view["search_results"]:
                return Step(event="FAIL", heard=False)
            return self._step(context, assistant.work(state, view), heard=False)
        if user_input is None:
            return Step(waiting=True)
        return self._step(context, assistant.hear(state, view, user_input), heard=True)

    def _step(self, context: SwisperContext, move: Move, *, heard: bool) -> Step:
        patch = dict(move.patch)
        before = context.constraints
        if patch.get("constraints"):
            understood = len(_constraints(before))
            kept = before if isinstance(before, list) else [before] if before else []
            patch["constraints"] = [*kept, *patch["constraints"][understood:]]
        if "search_results" in patch:
            searched = _searched_for({**context.view(), **patch})
            patch["last_pipeline_results"] = {**context.last_pipeline_results, _SEARCH: searched}
            patch["tools_used"] = list(dict.fromkeys([*context.tools_used, _SEARCH]))
        return Step(event=move.event, patch=patch, heard=heard)

    def _scene(self, context: SwisperContext) -> tuple[Purchase, dict[str, Any]]:
        """Return an assistant who knows the products of this context too, and the context in the assistant's words."""
        selected = context.selected_product
        known = {product.id for product in self._catalogue.products}
        own = {
            product.id: product for product in _products([*context.search_results, selected]) if product.id not in known
        }
        results = [one if isinstance(one, str) else _id(one) for one in context.search_results]
        chosen = {**selected, "id": _id(selected)} if selected and _id(selected) in known | own.keys() else None
        top = [one for one in context.view().get("top_products", ()) if isinstance(one, dict) and "name" in one]
        view = {
            **context.view(),
            "constraints": _constraints(context.constraints),
            "preferences": _preferences(context.preferences),
            "search_results": [one for one in results if one in known or one in own],
            "selected_product": chosen,
            "top_products": top or ([chosen] if chosen else []),
        }
        catalogue = Catalogue([*self._catalogue.products, *own.values()]) if own else self._catalogue
        return Purchase(catalogue), view


def _searched_for(view: Mapping[str, Any]) -> dict[str, Any]:
    return {"product_query": view["product_query"], "constraints": view["constraints"]}


def _id(product: Any) -> str:
    """Return what a product of the context is known by: its id, else its link, else its name."""
    if not isinstance(product, dict):
        return ""
    return str(product.get("id") or product.get("link") or product.get("name") or "")


def _products(found: list[Any]) -> Iterator[Product]:
    """Return the whole products among what a context has found."""
    for one in found:
        price = one.get("price") if isinstance(one, dict) else None
        if isinstance(price, (int, float)) and isinstance(one.get("name"), str):
            # Of no category: it was found already, and no search of ours shall find it.
            yield Product(_id(one), "\0", one["name"], str(one.get("brand", "")), price, {})  # type: ignore[arg-type]


def _constraints(constraints: Any) -> list[dict[str, Any]]:
    return [one for one in constraints if isinstance(one, dict) and one.keys() >= _BOUND]


def _preferences(preferences: Any) -> dict[str, Any]:
    if not isinstance(preferences, dict):
        return {"stated": preferences} if preferences else {}
    return {key: one for key, one in preferences.items() if key not in _WISHES or isinstance(one, list)}
