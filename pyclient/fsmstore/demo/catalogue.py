"""The shop's products: a file of some hundred, searched and weighed in plain Python."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_LESS_IS_BETTER = frozenset({"price", "noise_db", "energy_kwh", "water_l", "heat_up_s", "weight_g", "weight_kg"})
_LIKED_BRAND = 1.0


@dataclass(frozen=True, slots=True)
class Product:
    """One line of the file."""

    id: str
    category: str
    name: str
    brand: str
    price: int
    attributes: Mapping[str, float]

    def value(self, attribute: str) -> float | None:
        """Return the price, or an attribute; None if the product has none of that name."""
        return self.price if attribute == "price" else self.attributes.get(attribute)

    def measure(self, unit: str) -> float | None:
        """Return what is measured in that unit, such as the capacity for ``kg``; None if nothing is."""
        if unit == "euro":
            return self.price
        return next((value for name, value in self.attributes.items() if name.endswith(f"_{unit}")), None)


@dataclass(frozen=True, slots=True)
class Weighed:
    """A product and how well it fits what the user wants."""

    product: Product
    score: float


class Catalogue:
    """All products of the shop."""

    def __init__(self, products: Iterable[Product]) -> None:
        self.products = tuple(products)
        self._by_id = {product.id: product for product in self.products}
        self.brands = sorted({product.brand for product in self.products})
        self.categories = sorted({product.category for product in self.products})
        self.units = {"euro"} | {
            name.rpartition("_")[2] for product in self.products for name in product.attributes if "_" in name
        }

    @classmethod
    def read(cls, path: Path | None = None) -> Catalogue:
        """Read the file that is shipped with the demo, or another one of that form."""
        text = (path or Path(__file__).with_name("catalogue.json")).read_text("utf-8")
        return cls(Product(**row) for row in json.loads(text))

    def search(self, query: str, constraints: Sequence[Mapping[str, Any]]) -> list[Product]:
        """Return the products of the category named in the query that keep every constraint, cheapest first.

        Args:
            query: the user's words.
            constraints: each ``{"unit": …, "operator": …, "value": …}``.
        """
        words = query.lower()
        found = (product for product in self.products if product.category in words)
        return sorted(
            (product for product in found if all(_keeps(product, constraint) for constraint in constraints)),
            key=lambda product: (product.price, product.id),
        )

    def pick(self, ids: Iterable[str]) -> list[Product]:
        """Return the products with these ids, in this order."""
        return [self._by_id[one] for one in ids]


def _keeps(product: Product, constraint: Mapping[str, Any]) -> bool:
    measured = product.measure(constraint["unit"])
    return measured is not None and _COMPARISONS[constraint["operator"]](measured, constraint["value"])


def weigh(
    products: Sequence[Product],
    preferences: Mapping[str, Sequence[str]],
    on_product: Callable[[int, int], None] = lambda done, total: None,
) -> list[Weighed]:
    """Return the products that are not of an unwanted brand, the best first.

    Each attribute in ``preferences["priorities"]`` gives a product between 0 (the worst of all) and 1 (the best), the
    first of them counting most; a brand in ``preferences["liked"]`` gives a little more.

    Args:
        products: what to choose from.
        preferences: lists ``priorities``, ``liked`` and ``unwanted``; missing ones are empty.
        on_product: told after each product how many are done, and of how many.
    """
    priorities = preferences.get("priorities", ())
    ranges = {attribute: _range(products, attribute) for attribute in priorities}
    weighed = []
    for done, product in enumerate(products, start=1):
        score = _LIKED_BRAND if product.brand in preferences.get("liked", ()) else 0.0
        for place, attribute in enumerate(priorities):
            score += (len(priorities) - place) * _fitness(product, attribute, ranges[attribute])
        if product.brand not in preferences.get("unwanted", ()):
            weighed.append(Weighed(product, round(score, 6)))
        on_product(done, len(products))
    return sorted(weighed, key=lambda one: (-one.score, one.product.price, one.product.id))


def _range(products: Sequence[Product], attribute: str) -> tuple[float, float]:
    values = [value for value in (product.value(attribute) for product in products) if value is not None]
    return (min(values), max(values)) if values else (0.0, 0.0)


def _fitness(product: Product, attribute: str, limits: tuple[float, float]) -> float:
    low, high = limits
    value = product.value(attribute)
    if value is None or low == high:
        return 0.0
    share = (value - low) / (high - low)
    return 1 - share if attribute in _LESS_IS_BETTER else share
