"""The conversation on a real store: every way through it, and by any process at any turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from fsmstore import SessionStore, VersionConflict
from fsmstore.demo.catalogue import Catalogue
from fsmstore.demo.conversation import Conversation, Move, Snapshot
from fsmstore.demo.purchase import Purchase

WISH = "I am looking for a washing machine."
LIMITS = "At most 650 euro and at least 8 kg."
PREFERENCES = ("It must be quiet.", "I like Nordhus. No Velmo, please.")


class Talk:
    """A user whose every sentence is served by a conversation of its own, which knows nothing but the id."""

    def __init__(self, store: SessionStore, catalogue: Catalogue) -> None:
        self.store = store
        self.play = Purchase(catalogue)
        self.saved: list[tuple[str, str, int]] = []

    def conversation(self) -> Conversation:
        return Conversation(self.store, self.play, "s-1", actor="tester", on_saved=self._on_saved)

    def _on_saved(self, event: str, session: Snapshot) -> None:
        self.saved.append((event, session.state, session.version))

    def says(self, *sentences: str | None) -> str:
        """Say these, and return the shop's answer to the last."""
        for sentence in sentences:
            self.reply = self.conversation().turn(sentence)
        return self.reply.text

    @property
    def session(self) -> Snapshot:
        return self.reply.session


@pytest.fixture
def talk(store: SessionStore, catalogue: Catalogue) -> Talk:
    return Talk(store, catalogue)


def test_from_the_first_question_to_the_order(talk: Talk, catalogue: Catalogue) -> None:
    assert talk.says(None) == "What are you looking for?"
    assert talk.says(WISH).startswith("I found 78 products from 329 to 909 euro. That is too many")
    assert talk.says(LIMITS) == "37 products fit. What matters most to you?"
    assert talk.says(PREFERENCES[0]).startswith("Noted.")
    offer = talk.says(PREFERENCES[1])
    top = [one["name"] for one in talk.session.context["top_products"]]
    assert offer.startswith(f"These fit best: 1. {top[0]}, 2. {top[1]}, 3. {top[2]}. Shall I order {top[0]} for")
    (selected,) = catalogue.pick([talk.session.context["selected_product"]["id"]])
    assert selected.price <= 650
    assert selected.attributes["capacity_kg"] >= 8
    assert talk.says("Yes, please.").startswith(f"Ordered: {selected.name} for {selected.price} euro")
    assert talk.session.context["contract_status"] == "ordered"
    assert talk.saved == [
        ("", "start", 1),
        ("BEGIN", "search", 2),
        ("RESULTS", "refine_constraints", 3),
        ("REFINED", "search", 4),
        ("RESULTS", "collect_preferences", 5),
        ("STAY", "collect_preferences", 6),
        ("PREFERENCES", "match_preferences", 7),
        ("MATCHED", "confirm_purchase", 8),
        ("CONFIRM", "completed", 9),
    ]
    said = [message["content"] for message in talk.session.context["conversation_history"] if message["role"] == "user"]
    assert said == [WISH, LIMITS, *PREFERENCES, "Yes, please."]
    assert {entry.actor for entry in talk.store.history("s-1")} == {"tester"}


def test_the_products_offered_are_the_best_of_those_that_fit(talk: Talk, catalogue: Catalogue) -> None:
    talk.says(None, WISH, LIMITS, "Quiet.", "No Nordhus and no Quillon.")
    fitting = [
        product
        for product in catalogue.pick(talk.session.context["search_results"])
        if product.brand not in ("Nordhus", "Quillon")
    ]
    quietest = min(fitting, key=lambda product: (product.attributes["noise_db"], product.price, product.id))
    assert talk.session.context["selected_product"]["id"] == quietest.id


def test_a_wish_with_limits_skips_the_refinement(talk: Talk) -> None:
    talk.says(None, f"{WISH} {LIMITS}")
    assert talk.session.state == "collect_preferences"


def test_limits_add_up(talk: Talk) -> None:
    talk.says(None, WISH, "At least 8 kg.")
    assert talk.session.state == "refine_constraints"
    talk.says("At most 650 euro.")
    assert [one["unit"] for one in talk.session.context["constraints"]] == ["kg", "euro"]
    assert talk.session.state == "collect_preferences"


def test_what_is_not_found_is_asked_for_again(talk: Talk) -> None:
    assert talk.says(None, "A submarine.") == "Nothing fits. What else could it be?"
    assert talk.session.state == "search"
    assert talk.says("Then a yacht.") == "Nothing fits. What else could it be?"
    assert talk.says("Headphones.").startswith("48 products fit.")


def test_an_unclear_answer_is_asked_for_again(talk: Talk) -> None:
    offer = talk.says(None, WISH, LIMITS, *PREFERENCES)
    assert talk.says("What is it made of?") == offer
    assert talk.session.state == "confirm_purchase"


def test_no_means_no(talk: Talk) -> None:
    assert talk.says(None, WISH, LIMITS, *PREFERENCES, "No.") == "Nothing was ordered. Goodbye."
    assert talk.session.state == "cancelled"
    assert talk.session.context["is_cancelled"] is True


def test_all_brands_unwanted_is_not_the_end(talk: Talk, catalogue: Catalogue) -> None:
    talk.says(None, WISH, LIMITS, "Quiet.", " ".join(f"No {brand}." for brand in catalogue.brands))
    assert talk.session.state == "confirm_purchase"


def test_after_the_end_nothing_is_heard(talk: Talk) -> None:
    talk.says(None, WISH, LIMITS, *PREFERENCES, "Yes.")
    version = talk.session.version
    assert talk.says("Another one, please.").startswith("Ordered:")
    assert talk.session.version == version


def test_of_two_processes_one_is_told_that_the_other_was_faster(talk: Talk, catalogue: Catalogue) -> None:
    """Both have loaded the session when the first one saves it."""
    talk.says(None, WISH)

    class Slow(Purchase):
        def hear(self, state: str, context: Mapping[str, Any], text: str) -> Move:
            talk.says(LIMITS)
            return super().hear(state, context, text)

    with pytest.raises(VersionConflict) as caught:
        Conversation(talk.store, Slow(catalogue), "s-1").turn("At most 700 euro.")
    assert (caught.value.expected, caught.value.actual) == (3, 5)
    assert talk.says(None) == "37 products fit. What matters most to you?"
