"""What the shop says and computes in each state of the machine purchase_item."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import words
from .catalogue import Catalogue, Product, weigh
from .conversation import Move

_TOP = 3
_EXAMPLE = "at most 650 euro and at least 8 kg"


class Purchase:
    """A shop assistant over a catalogue.

    Args:
        catalogue: what can be bought.
        on_weighed: told while products are weighed how many are done, and of how many.
        machine: the machine's name: one with the states of purchase_item.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        on_weighed: Callable[[int, int], None] = lambda done, total: None,
        machine: str = "purchase_item",
    ) -> None:
        self.machine = machine
        self._catalogue = catalogue
        self._on_weighed = on_weighed

    def question(self, state: str, context: Mapping[str, Any]) -> str | None:
        """Return what to say to the user in this state; None: there is work to do."""
        if state == "search" and context.get("search_results") == []:
            return "Nothing fits. What else could it be?"
        if state in ("search", "match_preferences"):
            return None
        if state == "refine_constraints":
            return self._too_many(context)
        if state == "collect_preferences":
            return self._preference_wanted(context)
        if state == "confirm_purchase":
            return self._offer(context)
        if state == "completed":
            return f"Ordered: {_described(self._selected(context))}. Thank you!"
        if state == "start":
            return "What are you looking for?"
        return "Nothing was ordered. Goodbye."

    def hear(self, state: str, context: Mapping[str, Any], text: str) -> Move:
        """Take the user's answer to the state's question."""
        if state == "refine_constraints":
            return Move("REFINED", {"constraints": self._constraints(context, text)})
        if state == "collect_preferences":
            return self._preference(context, text)
        if state == "confirm_purchase":
            return self._confirmation(text)
        if state == "search":
            changed = {"product_query": f"{context['product_query']} {text}", "constraints": []}
            return Move("RESULTS", {**changed, "search_results": self._search(changed)})
        return Move("BEGIN", {"product_query": text, "constraints": self._constraints(context, text)})

    def work(self, state: str, context: Mapping[str, Any]) -> Move:
        """Search the catalogue, or weigh what was found against the preferences."""
        if state == "search":
            return Move("RESULTS", {"search_results": self._search(context)})
        products = self._catalogue.pick(context["search_results"])
        weighed = weigh(products, context["preferences"], self._on_weighed)
        best = weighed[:_TOP] or weigh(products, {}, self._on_weighed)[:_TOP]
        top = [{"id": one.product.id, "name": one.product.name, "score": one.score} for one in best]
        return Move("MATCHED", {"top_products": top, "selected_product": top[0]})

    def _search(self, context: Mapping[str, Any]) -> list[str]:
        found = self._catalogue.search(context["product_query"], context.get("constraints", []))
        return [product.id for product in found]

    def _constraints(self, context: Mapping[str, Any], text: str) -> list[dict[str, Any]]:
        return [*context.get("constraints", []), *words.constraints_in(text, self._catalogue.units)]

    def _preference(self, context: Mapping[str, Any], text: str) -> Move:
        known = context.get("preferences")
        if not known:
            return Move("STAY", {"preferences": {"priorities": words.priorities_in(text)}})
        return Move("PREFERENCES", {"preferences": {**known, **words.brands_in(text, self._catalogue.brands)}})

    def _confirmation(self, text: str) -> Move:
        agreed = words.answer_in(text)
        if agreed is None:
            return Move("STAY", {})
        if agreed:
            return Move("CONFIRM", {"contract_status": "ordered"})
        return Move("CANCEL", {"is_cancelled": True})

    def _too_many(self, context: Mapping[str, Any]) -> str:
        found = self._catalogue.pick(context["search_results"])
        cheapest, dearest = found[0].price, found[-1].price
        return (
            f"I found {len(found)} products from {cheapest} to {dearest} euro. That is too many to choose from. "
            f"What are your limits? For example: {_EXAMPLE}."
        )

    def _preference_wanted(self, context: Mapping[str, Any]) -> str:
        if context.get("preferences"):
            return "Noted. Is there a brand that you like, or one that you do not want?"
        return f"{len(context['search_results'])} products fit. What matters most to you?"

    def _offer(self, context: Mapping[str, Any]) -> str:
        names = ", ".join(f"{place}. {one['name']}" for place, one in enumerate(context["top_products"], start=1))
        return f"These fit best: {names}. Shall I order {_described(self._selected(context))}?"

    def _selected(self, context: Mapping[str, Any]) -> Product:
        (product,) = self._catalogue.pick([context["selected_product"]["id"]])
        return product


def _described(product: Product) -> str:
    measured = (f"{value:g} {name.rpartition('_')[2]}" for name, value in product.attributes.items())
    return f"{product.name} for {product.price} euro ({', '.join(measured)})"
