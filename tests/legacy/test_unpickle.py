"""Pickles: plain values come out, everything else is refused, and nothing is ever run."""

from __future__ import annotations

import collections
import datetime
import os
import pickle
import pickletools
import struct
import sys
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsmstore.legacy.errors import NotPlain
from fsmstore.legacy.unpickle import Foreign, load

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
KEYS = st.text() | st.integers() | st.none() | st.booleans()
PLAIN = st.recursive(
    KEYS | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


def problem(pickled: bytes) -> str:
    with pytest.raises(NotPlain) as refused:
        load(pickled)
    return refused.value.problem


def outcome(pickled: bytes) -> str:
    try:
        load(pickled)
    except NotPlain as refused:
        return refused.problem
    return "read"


class Runs:
    """Sets a variable of the environment when it is unpickled."""

    def __reduce__(self) -> Any:
        return exec, ("import os; os.environ['LEGACY_PICKLE_EXECUTED'] = '1'",)


@pytest.fixture(autouse=True)
def nothing_is_run() -> Any:
    yield
    assert "LEGACY_PICKLE_EXECUTED" not in os.environ
    assert "this" not in sys.modules


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(value=PLAIN)
def test_plain_values_come_back(protocol: int, value: object) -> None:
    loaded = load(pickle.dumps(value, protocol))
    assert loaded == value
    assert repr(loaded) == repr(value)  # True is not 1


@given(value=st.lists(st.text(), min_size=2, max_size=3))
def test_what_was_one_object_is_one_object(value: list[str]) -> None:
    first, second = load(pickle.dumps([value, value]))
    assert first is second


def test_values_that_json_has_no_word_for_are_recognised() -> None:
    for value, kind in (((), "tuple"), ((1,), "tuple"), ((1, 2), "tuple"), ((1, 2, 3), "tuple"), ((1,) * 9, "tuple"),
                        (b"x", "bytes"), (b"x" * 300, "bytes"), (bytearray(b"x"), "bytes"),
                        (set(), "set"), ({1, 2}, "set"), (frozenset({1}), "frozenset")):  # fmt: skip
        found = load(pickle.dumps(value, 5))
        assert isinstance(found, Foreign)
        assert found.kind == kind
    assert list(load(pickle.dumps({(1, 2): 3}))) != [(1, 2)]
    assert load(b"\x80\x02I01\nK\x01\x86.").kind == "tuple"


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "value",
    [
        Runs(), [Runs()], {"a": Runs()}, datetime.datetime(2025, 6, 1), collections.OrderedDict(a=1), object(), Runs,
        print, 1j, collections.deque([1]),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_classes_and_calls_are_refused(protocol: int, value: object) -> None:
    assert problem(pickle.dumps(value, protocol)) == "shelve_unsafe_pickle"


# Each instruction that could import, call, or fetch something, by its own bytes.
DANGEROUS = {
    "GLOBAL": b"cthis\ns\n.",
    "STACK_GLOBAL": b"\x8c\x04this\x8c\x01s\x93.",
    "REDUCE": b"NN\x85R.",
    "BUILD": b"}}b.",
    "INST": b"(ithis\ns\n.",
    "OBJ": b"(No.",
    "NEWOBJ": b"N)\x81.",
    "NEWOBJ_EX": b"N)}\x92.",
    "PERSID": b"P1\n.",
    "BINPERSID": b"NQ.",
    "EXT1": b"\x82\x01.",
    "EXT2": b"\x83\x01\x00.",
    "EXT4": b"\x84\x01\x00\x00\x00.",
    "NEXT_BUFFER": b"\x97.",
    "READONLY_BUFFER": b"N\x98.",
}


@pytest.mark.parametrize("name", sorted(DANGEROUS))
def test_each_dangerous_instruction_is_refused(name: str) -> None:
    assert name in [opcode.name for opcode, _, _ in pickletools.genops(DANGEROUS[name])]
    assert problem(DANGEROUS[name]) == "shelve_unsafe_pickle"
    assert problem(b"\x80\x05]" + DANGEROUS[name]) == "shelve_unsafe_pickle"


def test_every_instruction_is_known_one_way_or_the_other() -> None:
    from fsmstore.legacy import unpickle

    names = {opcode.name for opcode in pickletools.opcodes}
    assert names == set(unpickle._CARRIED_OUT) | set(DANGEROUS) | {"STOP"}
    assert not set(unpickle._CARRIED_OUT) & set(DANGEROUS)


@pytest.mark.parametrize(
    "pickled",
    [
        b"", b".", b"N", b"{}", b"\x80\x06N.", b"\x80", b"\xff.", b"0.", b"1.", b"2.", b"h\x00.", b"q\x00.", b"\x94.",
        b"Na.", b"(e.", b"(Ne.", b"N(Ne.", b"(NNu.", b"}(Nu.", b"}]Ns.", b"](NNu.", b"\x85.", b"(N\x90.",
        b"](N\x90.", b"(Nd.", b"(t", b"I1x\n.", b"Fx\n.", b"S'a.\n.", b"S'\\xff'\n.", b"U\x01\xff.",
        b"T\xff\xff\xff\xff.",
        b"X\x05\x00\x00\x00ab.", b"X\x01\x00\x00\x00\xff.", b"V\\ud8\n.", b"(\x85.", b"N(s.", b"]N(a.",
    ],
    ids=repr,
)  # fmt: skip
def test_broken_ones_are_corrupt(pickled: bytes) -> None:
    assert problem(pickled) == "shelve_corrupt_pickle"


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(noise: bytes) -> None:
    for pickled in (noise, b"\x80\x04" + noise, noise + b"."):
        assert outcome(pickled) in ("read", "shelve_corrupt_pickle", "shelve_unsafe_pickle")


@given(PLAIN, st.data())
def test_a_truncated_one_is_corrupt(value: object, data: st.DataObject) -> None:
    whole = pickle.dumps(value)
    assert problem(whole[: data.draw(st.integers(0, len(whole) - 1))]) == "shelve_corrupt_pickle"


def test_the_stack_is_used_as_pickle_does() -> None:
    assert load(b"NK\x010.") is None  # POP
    assert load(b"N(0.") is None  # POP of a mark
    assert load(b"N(K\x01K\x021.") is None  # POP_MARK
    assert load(b"]K\x01a2a.")[0] == 1  # DUP: the list contains itself
    assert load(b"(K\x01K\x02l.") == [1, 2]
    assert load(b"(K\x01K\x02d.") == {1: 2}
    assert load(b"U\x01aT\x01\x00\x00\x00b\x86.").kind == "tuple"
    assert load(b"S'a'\n.") == "a"
    assert load(b"L5L\n.") == 5
    assert load(b"Vaq\n0K\x01p7\ng7\n.") == 1
    assert load(b"K\x01.trailing") == 1


def test_lengths_that_are_only_claimed_take_no_memory() -> None:
    huge = struct.pack("<Q", 1 << 40)
    tracemalloc.start()
    for pickled in (
        b"\x8d" + huge + b"a.", b"\x8e" + huge + b"a.", b"\x96" + huge + b"a.", b"\x95" + huge + b"N.",
        b"X\xff\xff\xff\x7fa.", b"\x8b\xff\xff\xff\x7fa.", b"B\xff\xff\xff\xffa.", b"\x8b\xff\xff\xff\xffa.",
    ):  # fmt: skip
        assert outcome(pickled) == "shelve_corrupt_pickle"
    assert load(b"Nr\xff\xff\xff\xff.") is None  # the real machine makes room for 4,294,967,295 entries
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_depth_and_cycles_are_no_matter() -> None:
    deep = load(b"\x80\x04" + b"]" * 20_000 + b"a" * 19_999 + b".")
    for _ in range(19_999):
        (deep,) = deep
    assert deep == []
    looped: list[Any] = []
    looped.append(looped)
    loaded = load(pickle.dumps(looped))
    assert loaded[0] is loaded
