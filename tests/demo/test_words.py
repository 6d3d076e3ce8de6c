"""What the user's words mean to the shop."""

from __future__ import annotations

from typing import Any

import pytest

from fsmstore.demo import words

UNITS = {"euro", "kg", "db", "h"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("at most 650 euro and at least 8 kg", [("euro", "<=", 650), ("kg", ">=", 8)]),
        ("AT MOST 650€", [("euro", "<=", 650)]),
        ("up to 650 euros", [("euro", "<=", 650)]),
        ("no more than 70 dB", [("db", "<=", 70)]),
        ("more than 70 dB, under 80 dB", [("db", ">", 70), ("db", "<", 80)]),
        ("over 2.5 kilos, less than 3 kilo", [("kg", ">", 2.5), ("kg", "<", 3)]),
        ("from 10 hours", [("h", ">=", 10)]),
        ("below 3 parsecs, above 5 stars", []),
        ("something good", []),
        ("8 kg", []),
    ],
)
def test_constraints(text: str, found: list[tuple[str, str, Any]]) -> None:
    told = words.constraints_in(text, UNITS)
    assert [(one["unit"], one["operator"], one["value"]) for one in told] == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It must be quiet. After that, energy.", ["noise_db", "energy_kwh"]),
        ("energy first, then noise, and quiet", ["energy_kwh", "noise_db"]),
        ("Cheaper is better", ["price"]),
        ("I do not know", ["price"]),
    ],
)
def test_priorities(text: str, found: list[str]) -> None:
    assert words.priorities_in(text) == found


@pytest.mark.parametrize(
    ("text", "liked", "unwanted"),
    [
        ("I like Nordhus. No Velmo, please.", ["Nordhus"], ["Velmo"]),
        ("never a velmo, not Ostra", [], ["Ostra", "Velmo"]),
        ("whatever", [], []),
        ("Velmore", [], []),
    ],
)
def test_brands(text: str, liked: list[str], unwanted: list[str]) -> None:
    assert words.brands_in(text, ["Nordhus", "Ostra", "Velmo"]) == {"liked": liked, "unwanted": unwanted}


@pytest.mark.parametrize(
    ("text", "answer"),
    [("Yes, please.", True), ("ok", True), ("No.", False), ("Please stop", False), ("What is it?", None)],
)
def test_answers(text: str, answer: bool | None) -> None:
    assert words.answer_in(text) is answer
