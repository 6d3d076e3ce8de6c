"""The words of a plain SQL dump, read line by line. Nothing is executed, and no statement is held whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .errors import SourceUnreadable

_TOKEN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<comment>--.*)"
    r"|(?P<block>/\*)"
    r"|(?P<escaped>[eE]')"
    r"|(?P<coded>[uU]&['\"])"
    r"|(?P<plain>[bBxXnN]?')"
    r'|(?P<quoted>")'
    r"|(?P<dollar>\$(?:[^\W\d]\w*)?\$)"
    r"|(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)"
    # Bytes that are no characters are surrogates here, and part of a name as any other beyond ASCII.
    r"|(?P<word>(?:[^\W\d]|[\ud800-\udfff])(?:[\w$]|[\ud800-\udfff])*)"
    r"|(?P<mark>::|.)",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_COPY_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2})|()()(.))", re.DOTALL)
_HALF = re.compile(r"[\ud800-\udc7f\udd00-\udfff]")  # of a pair; between them are the bytes that are no characters
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class Token(NamedTuple):
    """A word, a value or a mark."""

    kind: str
    """word, name (it was quoted), string, number or mark."""
    text: str
    """A word in lower case; what a name or a string means; the rest as it stands."""


class Tokens:
    """The tokens of a dump, and the data that stands between its statements.

    Args:
        lines: the dump's lines, with their ends. Bytes that are no characters are lone surrogates.
        name: what the dump is called, for errors.
    """

    def __init__(self, lines: Iterable[str], name: str) -> None:
        self._lines: Iterator[str] = iter(lines)
        self._name = name
        self._line = ""
        self._at = 0
        self._number = 0
        self.backslashes = False
        """Whether a backslash in an ordinary string begins an escape: standard_conforming_strings is off."""

    def next(self) -> Token | None:
        """Return the next token; None: the dump has ended."""
        while True:
            if self._at == len(self._line) and not self._more():
                return None
            found = _TOKEN.match(self._line, self._at)
            assert found is not None  # the last alternative takes any character
            self._at = found.end()
            kind, text = str(found.lastgroup), found[0]
            if kind == "block":
                self._comment()
            elif kind not in ("space", "comment"):
                return self._token(kind, text)

    def needed(self) -> Token:
        """Return the next token of a statement that has begun."""
        token = self.next()
        if token is None:
            raise self.broken("it ends inside a statement: it is not complete")
        return token

    def rest_of_line(self) -> str:
        """Take what is left of this line."""
        rest = self._line[self._at :]
        self._at = len(self._line)
        return rest

    def data_lines(self) -> Iterator[str]:
        r"""Take the lines of data behind a COPY statement, without their ends, up to the line ``\.``."""
        self.rest_of_line()
        while self._more():
            line = self.rest_of_line().removesuffix("\n").removesuffix("\r")
            if line == "\\.":
                return
            yield line
        raise self.broken("it ends inside the data of a COPY: it is not complete")

    def broken(self, why: str) -> SourceUnreadable:
        """Return the error for what is wrong at this place."""
        return SourceUnreadable(f"{self._name}, line {self._number}: {why}")

    def _more(self) -> bool:
        line = next(self._lines, None)
        if line is None:
            return False
        self._line, self._at = line, 0
        self._number += 1
        return True

    def _token(self, kind: str, text: str) -> Token:
        if kind == "plain":
            return Token("string", self._escaped() if self.backslashes else self._doubled("'"))
        if kind == "escaped":
            return Token("string", self._escaped())
        if kind == "quoted":
            return Token("name", self._doubled('"'))
        if kind == "coded":
            raise self.broken("a string or name of the form U&'...' is not read")
        if kind == "dollar":
            return Token("string", self._until(text))
        return Token(kind, text.lower() if kind == "word" else text)

    def _until(self, end: str) -> str:
        """Take everything up to `end`, over as many lines as it needs."""
        parts: list[str] = []
        while True:
            found = self._line.find(end, self._at)
            if found >= 0:
                parts.append(self._line[self._at : found])
                self._at = found + len(end)
                return "".join(parts)
            parts.append(self.rest_of_line())
            if not self._more():
                raise self.broken(f"it ends before a closing {end}: it is not complete")

    def _follows(self, text: str) -> bool:
        """Take `text` if it comes next."""
        if not self._line.startswith(text, self._at):
            return False
        self._at += len(text)
        return True

    def _doubled(self, quote: str) -> str:
        parts = [self._until(quote)]
        while self._follows(quote):
            parts += [quote, self._until(quote)]
        return "".join(parts)

    def _escaped(self) -> str:
        """Take a string in which a backslash begins an escape; its quotes may be doubled or escaped."""
        parts: list[str] = []
        while True:
            part = self._until("'")
            parts.append(part)
            escaped = (len(part) - len(part.rstrip("\\"))) % 2 == 1
            if escaped or self._follows("'"):
                parts.append("'")
            else:
                return self._meant("".join(parts))

    def _meant(self, text: str) -> str:
        return decoded_escapes(text) if "\\" in text else text

    def _comment(self) -> None:
        depth = 1
        while depth:
            opening, closing = self._line.find("/*", self._at), self._line.find("*/", self._at)
            if closing < 0 and opening < 0:
                self.rest_of_line()
                if not self._more():
                    raise self.broken("it ends inside a comment: it is not complete")
            elif closing < 0 or 0 <= opening < closing:
                depth, self._at = depth + 1, opening + 2
            else:
                depth, self._at = depth - 1, closing + 2


def decoded_escapes(text: str) -> str:
    """Return what a string with backslash escapes means."""
    return _whole(_ESCAPE.sub(_meaning, text))


def copied_value(field: str) -> str | None:
    r"""Return what a field of COPY's text format means; None for ``\N``."""
    if field == "\\N":
        return None
    return _whole(_COPY_ESCAPE.sub(_copied_meaning, field)) if "\\" in field else field


def _copied_meaning(found: re.Match[str]) -> str:
    return "\v" if found[5] == "v" else _meaning(found)


def _meaning(found: re.Match[str]) -> str:
    octal, byte, four, eight, letter = found.groups()
    if octal is not None or byte is not None:
        code = int(octal, 8) & 0xFF if octal is not None else int(byte, 16)
        return chr(code) if code < 0x80 else chr(0xDC00 + code)
    if four or eight:
        code = int(four or eight, 16)
        return chr(code) if code <= 0x10FFFF else "\ufffd"
    return _LETTERS.get(letter, letter)


def _whole(text: str) -> str:
    """Join bytes that were escaped one by one to the characters that they are together."""
    if text.isascii():
        return text
    joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")  # of \ud83d\ude00
    in_bytes = _HALF.sub(
        lambda half: half[0].encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape"), joined
    )
    return in_bytes.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
