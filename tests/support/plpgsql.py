"""The statements of a PL/pgSQL body, found in its text: enough of the grammar to put something before each of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"(?P<skip>\s+|--[^\n]*|/\*.*?\*/)|(?P<text>'(?:[^']|'')*'|\"[^\"]*\")|(?P<word>[A-Za-z_][A-Za-z_0-9$.]*)|(?P<mark>.)",
    re.DOTALL,
)
# What ends the head of a statement that has a body of statements.
_HEADS = {"if": "then", "elsif": "then", "for": "loop", "while": "loop", "foreach": "loop"}
# What is followed by a statement at once.
_OPENERS = {"begin", "else", "loop"}


@dataclass(frozen=True)
class Statement:
    """Where a statement begins in the body, and its text: up to ``;``, or to the ``then`` or ``loop`` of its head."""

    start: int
    text: str

    @property
    def is_branch(self) -> bool:
        """True for ``elsif``: nothing can stand before it."""
        return self.text.lower().startswith("elsif")


def _tokens(body: str) -> Iterator[tuple[int, str]]:
    """Yield place and text of each token that is no space, comment or literal."""
    for found in _TOKEN.finditer(body):
        if found.lastgroup in ("word", "mark"):
            yield found.start(), found.group().lower()


def statements(body: str) -> list[Statement]:
    """Return the statements of a function's body in the order of the text, those inside of others too."""
    found: list[Statement] = []
    start = -1  # of the statement that is being read; -1: one is expected
    first = ""
    parentheses = cases = 0
    in_body = False
    for place, token in _tokens(body):
        if not in_body:  # declarations
            in_body = token == "begin"
            continue
        if start < 0:
            if token in _OPENERS:
                continue
            start, first = place, token
            parentheses = cases = 0
            continue
        if token in "()":
            parentheses += 1 if token == "(" else -1
        elif token == "case":
            cases += 1
        elif token == "end" and cases:
            cases -= 1
        is_end = token == ";" or token == _HEADS.get(first)
        if is_end and not parentheses and not cases:
            if first != "end":
                found.append(Statement(start, body[start:place].rstrip()))
            start = -1
    return found
