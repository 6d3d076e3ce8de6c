"""What the user's words mean to the shop. An agent would ask a language model; a demo must say the same every time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

_OPERATORS = {
    "at most": "<=", "up to": "<=", "no more than": "<=", "at least": ">=", "from": ">=",
    "less than": "<", "under": "<", "below": "<", "more than": ">", "over": ">", "above": ">",
}  # fmt: skip
# "no more than" before "more than", which it contains.
_COMPARISON = re.compile(
    rf"\b({'|'.join(sorted(_OPERATORS, key=len, reverse=True))})\s+(\d+(?:\.\d+)?)\s*(€|[a-z]+)", re.IGNORECASE
)
_UNITS = {"€": "euro", "eur": "euro", "euros": "euro", "kilo": "kg", "kilos": "kg", "litres": "l", "hours": "h"}
_PRIORITIES = {
    "price": "price", "cheap": "price", "quiet": "noise_db", "noise": "noise_db", "energy": "energy_kwh",
    "capacity": "capacity_kg", "spin": "spin_rpm", "volume": "volume_l", "battery": "battery_h", "light": "weight_kg",
}  # fmt: skip
_PRIORITY = re.compile(rf"\b({'|'.join(_PRIORITIES)})", re.IGNORECASE)
_REFUSAL = r"\b(?:no|not|never|without|avoid)\s+(?:an?\s+|any\s+)?"
_YES = re.compile(r"\b(?:yes|ok|okay|sure|please do|order it)\b", re.IGNORECASE)
_NO = re.compile(r"\b(?:no|not|stop|cancel)\b", re.IGNORECASE)


def constraints_in(text: str, units: Iterable[str]) -> list[dict[str, Any]]:
    """Return what ``at most 650 euro and at least 8 kg`` asks for, in units that the shop knows; else nothing."""
    known = set(units)
    found = []
    for words, number, unit in _COMPARISON.findall(text):
        unit = _UNITS.get(unit.lower(), unit.lower())
        if unit in known:
            value = float(number) if "." in number else int(number)
            found.append({"unit": unit, "operator": _OPERATORS[words.lower()], "value": value})
    return found


def priorities_in(text: str) -> list[str]:
    """Return the attributes that matter, the first mentioned first; the price if none is mentioned."""
    named = (_PRIORITIES[word.lower()] for word in _PRIORITY.findall(text))
    return list(dict.fromkeys(named)) or ["price"]


def brands_in(text: str, brands: Iterable[str]) -> Mapping[str, list[str]]:
    """Return which of these brands the user likes, and which are unwanted (``no Velmo``)."""
    named = [brand for brand in brands if re.search(rf"\b{re.escape(brand)}\b", text, re.IGNORECASE)]
    unwanted = [brand for brand in named if re.search(rf"{_REFUSAL}{re.escape(brand)}\b", text, re.IGNORECASE)]
    return {"liked": [brand for brand in named if brand not in unwanted], "unwanted": unwanted}


def answer_in(text: str) -> bool | None:
    """Return whether the user agrees; None if that cannot be told."""
    if _NO.search(text):
        return False
    return True if _YES.search(text) else None
