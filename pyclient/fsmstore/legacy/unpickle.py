"""Pickles of plain values, read without the pickle machine.

A pickle is a program. Here its instructions are decoded by pickletools, which builds nothing, and only those that make
plain values are carried out. One that names a class, a function, a persistent id or an extension is refused where it
stands: nothing is imported, nothing is called, and no length or number that is only claimed takes any memory.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import Any

from .errors import NotPlain

HIGHEST_PROTOCOL = 5
_FRAME_HEADER = 9


class Foreign:
    """Stands for a plain value that JSON has no word for: a tuple, a set, bytes."""

    __slots__ = ("kind",)

    def __init__(self, kind: str) -> None:
        self.kind = kind


def load(pickled: bytes) -> Any:
    """Return what a pickle holds: None, bool, int, float, str, list, dict, and Foreign for other plain values.

    Raises:
        NotPlain: shelve_unsafe_pickle, it asks for more than plain values; shelve_corrupt_pickle, it is no pickle or
            not a whole one.
    """
    machine = _Machine()
    instructions = pickletools.genops(pickled)
    while True:
        try:
            opcode, argument, position = next(instructions)
        except ValueError:  # unknown, cut off, or an argument that cannot be decoded
            raise _corrupt() from None
        if opcode.name == "STOP":
            return machine.pop()
        if opcode.name not in _CARRIED_OUT:
            raise NotPlain("shelve_unsafe_pickle")
        if opcode.name == "FRAME" and (position or 0) + _FRAME_HEADER + int(argument or 0) > len(pickled):
            raise _corrupt()
        _CARRIED_OUT[opcode.name](machine, argument)


def _corrupt() -> NotPlain:
    return NotPlain("shelve_corrupt_pickle")


class _Machine:
    """The stack and the memo of a pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []  # how high the stack was at each mark
        self.memo: dict[int, Any] = {}

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def top(self) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise _corrupt()
        return self.stack[-1]

    def pop(self) -> Any:
        value = self.top()
        self.stack.pop()
        return value

    def to_mark(self) -> list[Any]:
        """Take off what lies above the last mark."""
        if not self.marks:
            raise _corrupt()
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def drop(self) -> None:
        if self.marks and len(self.stack) == self.marks[-1]:
            self.marks.pop()
        else:
            self.pop()

    def get(self, index: int) -> None:
        if index not in self.memo:
            raise _corrupt()
        self.push(self.memo[index])

    def put(self, index: int) -> None:
        self.memo[index] = self.top()

    def extend(self, values: list[Any]) -> None:
        target = self.top()
        if type(target) is not list:
            raise _corrupt()
        target.extend(values)

    def set_items(self, values: list[Any]) -> None:
        target = self.top()
        if type(target) is not dict:
            raise _corrupt()
        target.update(_pairs(values))

    def add_items(self) -> None:
        self.to_mark()
        target = self.top()
        if type(target) is not Foreign or target.kind != "set":
            raise _corrupt()

    def set_item(self) -> None:
        value = self.pop()
        key = self.pop()
        self.set_items([key, value])

    def tuple_of(self, count: int) -> None:
        for _ in range(count):
            self.pop()
        self.push(Foreign("tuple"))

    def foreign_to_mark(self, kind: str) -> None:
        self.to_mark()
        self.push(Foreign(kind))


def _pairs(values: list[Any]) -> dict[Any, Any]:
    keys = values[0::2]
    if len(values) % 2 or any(type(key) in (list, dict) for key in keys):
        raise _corrupt()
    return dict(zip(keys, values[1::2], strict=True))


def _protocol(machine: _Machine, version: int) -> None:
    if version > HIGHEST_PROTOCOL:
        raise _corrupt()


def _old_text(machine: _Machine, text: str) -> None:
    # A str of Python 2. Python 3 reads such bytes as ASCII, and nothing else.
    if not text.isascii():
        raise _corrupt()
    machine.push(text)


_Instruction = Callable[[_Machine, Any], None]
_CARRIED_OUT: dict[str, _Instruction] = {
    "PROTO": _protocol,
    "FRAME": lambda machine, size: None,
    "MARK": lambda machine, _: machine.marks.append(len(machine.stack)),
    "POP": lambda machine, _: machine.drop(),
    "POP_MARK": lambda machine, _: _ignore(machine.to_mark()),
    "DUP": lambda machine, _: machine.push(machine.top()),
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "LIST": lambda machine, _: machine.push(machine.to_mark()),
    "APPEND": lambda machine, _: machine.extend([machine.pop()]),
    "APPENDS": lambda machine, _: machine.extend(machine.to_mark()),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "DICT": lambda machine, _: machine.push(_pairs(machine.to_mark())),
    "SETITEM": lambda machine, _: machine.set_item(),
    "SETITEMS": lambda machine, _: machine.set_items(machine.to_mark()),
    "EMPTY_TUPLE": lambda machine, _: machine.tuple_of(0),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "TUPLE": lambda machine, _: machine.foreign_to_mark("tuple"),
    "EMPTY_SET": lambda machine, _: machine.push(Foreign("set")),
    "ADDITEMS": lambda machine, _: machine.add_items(),
    "FROZENSET": lambda machine, _: machine.foreign_to_mark("frozenset"),
    "MEMOIZE": lambda machine, _: machine.put(len(machine.memo)),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Machine.put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Machine.get),
    **dict.fromkeys(
        ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
         "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
        _Machine.push,
    ),
    **dict.fromkeys(("STRING", "BINSTRING", "SHORT_BINSTRING"), _old_text),
    **dict.fromkeys(
        ("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"), lambda machine, _: machine.push(Foreign("bytes"))
    ),
}  # fmt: skip


def _ignore(values: list[Any]) -> None:
    """Leave them: POP_MARK only clears the stack."""
