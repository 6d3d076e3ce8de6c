"""The file of products: what is in it, searching and weighing."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from fsmstore.demo.catalogue import Catalogue, Product, weigh

SMALL = [
    Product("A", "lamp", "Dim", "Ostra", 10, {"power_w": 5, "weight_kg": 1.0}),
    Product("B", "lamp", "Bright", "Velmo", 30, {"power_w": 60, "weight_kg": 3.0}),
    Product("C", "lamp", "Medium", "Ostra", 20, {"power_w": 40}),
    Product("D", "desk", "Plain", "Ostra", 20, {"width_cm": 120}),
]


def _ids(products: list[Product]) -> list[str]:
    return [product.id for product in products]


def test_the_file_holds_some_hundred_plausible_products(catalogue: Catalogue) -> None:
    assert len(catalogue.products) >= 300
    assert len({product.id for product in catalogue.products}) == len(catalogue.products)
    assert len({product.name for product in catalogue.products}) == len(catalogue.products)
    assert len(catalogue.categories) >= 5
    assert len(catalogue.brands) >= 5
    for product in catalogue.products:
        assert product.name.startswith(product.brand)
        assert 20 <= product.price <= 2000
        assert len(product.attributes) >= 3
        assert all(value > 0 for value in product.attributes.values())
    # Every product of a category can be compared with every other.
    forms = {(product.category, frozenset(product.attributes)) for product in catalogue.products}
    assert Counter(category for category, _ in forms) == dict.fromkeys(catalogue.categories, 1)


def test_another_file_can_be_read(tmp_path: Path) -> None:
    row = {"id": "A", "category": "lamp", "name": "Dim", "brand": "Ostra", "price": 10, "attributes": {"power_w": 5}}
    (tmp_path / "lamps.json").write_text(json.dumps([row]))
    catalogue = Catalogue.read(tmp_path / "lamps.json")
    assert _ids(catalogue.search("a lamp", [])) == ["A"]
    assert catalogue.units == {"euro", "w"}


def test_a_search_really_filters(catalogue: Catalogue) -> None:
    everything = catalogue.search("I want a Washing Machine", [])
    assert len(everything) > 50
    assert {product.category for product in everything} == {"washing machine"}
    limits = [
        {"unit": "euro", "operator": "<=", "value": 650},
        {"unit": "kg", "operator": ">=", "value": 8},
    ]
    fewer = catalogue.search("washing machine", limits)
    assert 1 <= len(fewer) <= 50
    assert fewer == [one for one in everything if one.price <= 650 and one.attributes["capacity_kg"] >= 8]
    assert [one.price for one in fewer] == sorted(one.price for one in fewer)


@pytest.mark.parametrize(
    ("unit", "operator", "value", "found"),
    [
        ("w", "<", 40, "A"),
        ("w", "<=", 40, "AC"),
        ("w", ">", 40, "B"),
        ("w", ">=", 40, "CB"),
        ("euro", "<", 20, "A"),
        ("kg", ">=", 0, "AB"),  # C has no weight
        ("cm", ">=", 0, ""),
    ],
)
def test_every_comparison(unit: str, operator: str, value: int, found: str) -> None:
    constraint = {"unit": unit, "operator": operator, "value": value}
    assert "".join(_ids(Catalogue(SMALL).search("lamp", [constraint]))) == found


def test_what_is_not_sold_is_not_found(catalogue: Catalogue) -> None:
    assert catalogue.search("a submarine", []) == []


def test_products_are_picked_in_the_order_asked_for() -> None:
    assert _ids(Catalogue(SMALL).pick(["C", "A"])) == ["C", "A"]


def test_the_first_priority_counts_most() -> None:
    lamps = SMALL[:3]
    assert _ids([one.product for one in weigh(lamps, {"priorities": ["price"]})]) == ["A", "C", "B"]
    assert _ids([one.product for one in weigh(lamps, {"priorities": ["power_w", "price"]})]) == ["B", "C", "A"]
    (bright, *_) = weigh(lamps, {"priorities": ["power_w", "price"]})
    assert bright.score == 2.0


def test_less_weight_is_better_and_an_unknown_one_is_worst() -> None:
    scores = {one.product.id: one.score for one in weigh(SMALL[:3], {"priorities": ["weight_kg"]})}
    assert scores == {"A": 1.0, "B": 0.0, "C": 0.0}


def test_what_nothing_has_or_all_have_alike_decides_nothing() -> None:
    assert [one.score for one in weigh(SMALL[:3], {"priorities": ["depth_cm"]})] == [0.0] * 3
    assert [one.score for one in weigh(SMALL[2:], {"priorities": ["price"]})] == [0.0] * 2


def test_a_brand_is_liked_or_left_out() -> None:
    liked = weigh(SMALL[:3], {"priorities": ["power_w"], "liked": ["Ostra"]})
    assert [(one.product.id, one.score) for one in liked[1:]] == [("B", 1.0), ("A", 1.0)][::-1]
    assert _ids([one.product for one in weigh(SMALL[:3], {"unwanted": ["Ostra"]})]) == ["B"]


def test_every_weighed_product_is_told() -> None:
    told: list[tuple[int, int]] = []
    weigh(SMALL[:3], {"unwanted": ["Ostra"]}, lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]
