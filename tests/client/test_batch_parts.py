"""How a batch is cut into calls, and that nothing held of its sessions outlives it."""

from __future__ import annotations

from typing import Any

import pytest

from fsmstore import batch_operations
from fsmstore.batch_operations import BatchOperations, _chunks, _Item
from fsmstore.cache import Cache
from fsmstore.jsonvalues import Codec


def cut(*texts: str) -> list[list[str]]:
    items = [_Item(number, f"s-{number}", text) for number, text in enumerate(texts, 1)]
    return [[item.text for item in chunk] for chunk in _chunks(items)]


def test_the_limits_are_those_of_the_database_and_of_the_wire() -> None:
    assert (batch_operations.ITEMS, batch_operations.CHARACTERS) == (1000, 33_554_432)


def test_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_operations, "ITEMS", 2)
    assert cut() == []
    assert cut("a") == [["a"]]
    assert cut("a", "b") == [["a", "b"]]
    assert cut("a", "b", "c", "d", "e") == [["a", "b"], ["c", "d"], ["e"]]


def test_by_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_operations, "CHARACTERS", 5)
    assert cut("aa", "bbb", "c") == [["aa", "bbb"], ["c"]]
    assert cut("aaa", "bbb") == [["aaa"], ["bbb"]]
    assert cut("aaaa", "bb", "ccc") == [["aaaa"], ["bb", "ccc"]]
    # What is too long by itself goes alone; the database refuses it if it must.
    assert cut("aaaaaaaa", "b", "c") == [["aaaaaaaa"], ["b", "c"]]
    assert cut("a", "b", "c", "d", "e", "f") == [["a", "b", "c", "d", "e"], ["f"]]


def test_an_answer_for_each_item_or_none() -> None:
    operations = BatchOperations(Codec(), Cache(0, 0), joined=False)
    items = [_Item(1, "s-1", "{}"), _Item(2, "s-2", "{}")]
    row = (1, "s-1", True, None, None, None, 2, "open")
    assert [one.ordinal for one in operations._outcomes(items, [row, row])] == [1, 2]
    with pytest.raises(ValueError, match="shorter"):
        operations._outcomes(items, [row])


@pytest.mark.parametrize("atomic", [True, False])
def test_nothing_held_outlives_a_batch(store: Any, atomic: bool) -> None:
    session = store.create("s-1", "door")
    assert store.load("s-1", max_age=60) == session
    [saved] = store.save_many([session.evolve(state="open", context={"n": 1})], atomic)
    assert saved.ok
    loaded = store.load("s-1", max_age=60)
    assert (loaded.version, loaded.state, loaded.context) == (2, "open", {"n": 1})


@pytest.mark.parametrize("atomic", [True, False])
def test_letters_of_all_kinds_arrive(store: Any, db: Any, atomic: bool) -> None:
    store.create("Tür-1", "door")
    item = {"session_id": "Tür-1", "state": "open", "context": {"wörter": "é😀"}, "actor": "Zoë", "note": {"ж": "☃"}}
    [saved] = store.save_many([item], atomic)
    assert saved.ok
    assert store.load("Tür-1").context == {"wörter": "é😀"}
    [row] = db.execute("select actor, note from fsm.history('Tür-1', 1)").fetchall()
    assert row == ("Zoë", {"ж": "☃"})
