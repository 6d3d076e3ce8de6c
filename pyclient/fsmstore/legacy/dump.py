"""The old table in a dump as plain SQL: INSERT statements in all their forms, and COPY blocks."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple, cast

from .errors import SourceUnreadable
from .items import KNOWN_COLUMNS, Column, Item, kind_of, table_item
from .sqltokens import Token, Tokens, copied_value


class TableName(NamedTuple):
    """The name of a table; its schema where it is told."""

    schema: str | None
    table: str

    @classmethod
    def parse(cls, text: str) -> TableName:
        """Read a name such as ``public.swisper_sessions``.

        Raises:
            ValueError: it has more than two parts, or an empty one.
        """
        *schema, table = text.split(".")
        if len(schema) > 1 or not all((table, *schema)):
            raise ValueError(f"{text!r} is not the name of a table: SCHEMA.TABLE is")
        return cls(schema[0] if schema else None, table)

    def __str__(self) -> str:
        return ".".join(part for part in self if part)

    def is_(self, other: TableName) -> bool:
        """Tell whether both may be the same; a schema that is not told is any."""
        return self.table == other.table and (not self.schema or not other.schema or self.schema == other.schema)


DEFAULT_TABLE = TableName("public", "swisper_sessions")

# What a database of these encodings writes keeps ASCII characters as single bytes, which the tokens are cut by.
_ENCODINGS = {
    "UTF8": "utf-8", "UNICODE": "utf-8", "SQLASCII": "utf-8", "LATIN1": "latin-1", "LATIN9": "iso8859-15",
    "ISO88591": "latin-1", "WIN1250": "cp1250", "WIN1251": "cp1251", "WIN1252": "cp1252", "KOI8R": "koi8-r",
}  # fmt: skip
_BYTE_ORDER_MARK = "\ufeff"
_NO_COLUMN = {"constraint", "primary", "unique", "check", "foreign", "exclude", "like"}


class DumpReader:
    """Reads the table from dumps; the columns that one dump tells hold for the ones after it.

    Args:
        table: which table.
    """

    def __init__(self, table: TableName = DEFAULT_TABLE) -> None:
        self._table = table
        self._columns: Sequence[Column] = KNOWN_COLUMNS
        self._encoding = "utf-8"
        self.found = False
        """Whether the dump that was read last has the table in it, be it empty."""

    def read(self, path: Path) -> Iterator[Item]:
        """Read a file; one compressed by gzip too.

        Raises:
            SourceUnreadable: it cannot be opened, is no plain SQL, or ends too early.
        """
        self._encoding, self.found = "utf-8", False
        try:
            with _opened(path) as file:
                # Lines end at a line feed only: values hold the other characters that str.splitlines() cuts at.
                lines = (line.decode("utf-8", "surrogateescape") for line in file)
                yield from self._statements(Tokens(lines, str(path)))
        except (OSError, EOFError, zlib.error) as error:
            raise SourceUnreadable(f"{path}: {error}") from error

    def _statements(self, tokens: Tokens) -> Iterator[Item]:
        while (token := tokens.next()) is not None:
            if token == Token("mark", "\\"):
                tokens.rest_of_line()  # a command to psql
            elif token == Token("word", "insert"):
                yield from self._insert(tokens)
            elif token == Token("word", "copy"):
                yield from self._copy(tokens)
            elif token == Token("word", "create"):
                self._create(tokens)
            elif token == Token("word", "set"):
                self._set(tokens)
            elif token not in (Token("mark", ";"), Token("mark", _BYTE_ORDER_MARK)):
                _skip(tokens, token)

    def _insert(self, tokens: Tokens) -> Iterator[Item]:
        _expect(tokens, "into")
        name, token = _name(tokens)
        if not self._is_ours(name):
            _skip(tokens, token)
            return
        columns = self._columns
        if token.text == "(":
            columns = [self._column(one) for one in _names(tokens)]
            token = tokens.needed()
        if token == Token("word", "overriding"):
            tokens.needed()
            _expect(tokens, "value")
            token = tokens.needed()
        if token != Token("word", "values"):
            raise tokens.broken("this INSERT has no values that can be read")
        comma = Token("mark", ",")
        while comma == Token("mark", ","):
            _expect(tokens, "(")
            yield self._item(tokens, columns, list(_values(tokens)))
            comma = tokens.needed()
        _skip(tokens, comma)

    def _copy(self, tokens: Tokens) -> Iterator[Item]:
        token = tokens.needed()
        if token.text == "(":  # a query: it has no data in the dump
            _skip(tokens, token)
            return
        name, token = _name(tokens, token)
        columns = self._columns
        if token.text == "(":
            columns = [self._column(one) for one in _names(tokens)]
            token = tokens.needed()
        source = tokens.needed() if token == Token("word", "from") else token
        if source != Token("word", "stdin"):
            _skip(tokens, source)
            return
        options = _skip(tokens, tokens.needed())
        ours = self._is_ours(name)
        if ours and options not in ([], [Token("word", "with")]):
            raise tokens.broken("this COPY is not in the text format with its usual separators")
        for line in tokens.data_lines():
            if ours:
                yield self._item(tokens, columns, [copied_value(field) for field in line.split("\t")])

    def _create(self, tokens: Tokens) -> None:
        token = tokens.needed()
        while token in (Token("word", "unlogged"), Token("word", "temporary"), Token("word", "temp")):
            token = tokens.needed()
        if token != Token("word", "table"):
            _skip(tokens, token)
            return
        token = tokens.needed()
        while token in (Token("word", "if"), Token("word", "not"), Token("word", "exists")):
            token = tokens.needed()
        name, token = _name(tokens, token)
        if self._is_ours(name) and token.text == "(":
            self._columns = list(_definitions(tokens))
            token = tokens.needed()
        _skip(tokens, token)

    def _set(self, tokens: Tokens) -> None:
        words = [token.text for token in _skip(tokens, tokens.needed()) if token.text not in ("=", "to", ";")]
        if len(words) == 2 and words[0] in ("client_encoding", "names"):
            known = _ENCODINGS.get(words[1].upper().replace("-", "").replace("_", ""))
            if known is None:
                raise tokens.broken(f"the encoding {words[1]!r} is not read: make the dump with --encoding=UTF8")
            self._encoding = codecs.lookup(known).name
        elif words[:1] == ["standard_conforming_strings"]:
            tokens.backslashes = words[1:] == ["off"]

    def _is_ours(self, name: TableName) -> bool:
        ours = name.is_(self._table)
        self.found = self.found or ours
        return ours

    def _column(self, name: str) -> Column:
        for column in (*self._columns, *KNOWN_COLUMNS):
            if column.name == name:
                return column
        return Column(name, "text")

    def _item(self, tokens: Tokens, columns: Sequence[Column], values: list[str | None]) -> Item:
        if len(values) > len(columns):
            raise tokens.broken(f"a row has {len(values)} values for {len(columns)} columns")
        return table_item(columns, [None if value is None else self._characters(value) for value in values])

    def _characters(self, value: str) -> str:
        if self._encoding == "utf-8" or value.isascii():
            return value
        return value.encode("utf-8", "surrogateescape").decode(self._encoding, "surrogateescape")


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        head = file.read(5)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SourceUnreadable(f"{path} is written in UTF-16: convert it to UTF-8, or let pg_dump --file write it")
    if head == b"PGDMP":
        raise SourceUnreadable(f"{path} is a dump in pg_dump's own format: write it as SQL with pg_restore --file")
    return cast("IO[bytes]", gzip.open(path)) if head.startswith(b"\x1f\x8b") else path.open("rb")


def _skip(tokens: Tokens, token: Token) -> list[Token]:
    """Go to the end of a statement; return its first tokens, which is what a short one consists of."""
    seen: list[Token] = []
    before, blocks = token, 0  # a function's body between BEGIN ATOMIC and END has semicolons of its own
    while token != Token("mark", ";") or blocks:
        if len(seen) < 8:
            seen.append(token)
        if token.kind == "word":
            if token.text == "atomic" and before == Token("word", "begin"):
                blocks = 1
            elif token.text == "case" and blocks:
                blocks += 1
            elif token.text == "end" and blocks:
                blocks -= 1
        before, token = token, tokens.needed()
    return seen


def _expect(tokens: Tokens, text: str) -> None:
    token = tokens.needed()
    if token.text != text or token.kind not in ("word", "mark"):
        raise tokens.broken(f"{text.upper()} is expected where {token.text!r} stands")


def _name(tokens: Tokens, token: Token | None = None) -> tuple[TableName, Token]:
    """Read a table's name, and the token behind it."""
    first = _identifier(tokens, token or tokens.needed())
    token = tokens.needed()
    if token != Token("mark", "."):
        return TableName(None, first), token
    return TableName(first, _identifier(tokens, tokens.needed())), tokens.needed()


def _identifier(tokens: Tokens, token: Token) -> str:
    if token.kind not in ("word", "name"):
        raise tokens.broken(f"a name is expected where {token.text!r} stands")
    return token.text


def _names(tokens: Tokens) -> Iterator[str]:
    """Read names up to the closing parenthesis; the opening one is read already."""
    token = Token("mark", ",")
    while token == Token("mark", ","):
        yield _identifier(tokens, tokens.needed())
        token = tokens.needed()
    if token != Token("mark", ")"):
        raise tokens.broken(f"a list of columns goes on with {token.text!r}")


def _definitions(tokens: Tokens) -> Iterator[Column]:
    """Read the columns of a CREATE TABLE; the opening parenthesis is read already."""
    depth = 1
    words: list[Token] = []
    while depth:
        token = tokens.needed()
        if token.kind == "mark" and token.text in "([":
            depth += 1
        elif token.kind == "mark" and token.text in ")]":
            depth -= 1
        if depth and (depth > 1 or token != Token("mark", ",")):
            words.append(token)
        elif words:
            if words[0].kind == "name" or words[0].text not in _NO_COLUMN:
                yield Column(words[0].text, kind_of(_type(words[1:])))
            words = []


def _type(words: list[Token]) -> str:
    array = any(token == Token("mark", "[") for token in words[1:4])
    # A type of the system's may be written with its schema.
    if len(words) > 2 and words[1] == Token("mark", "."):
        words = words[2:]
    return (words[0].text if words else "text") + ("[]" if array else "")


def _values(tokens: Tokens) -> Iterator[str | None]:
    """Read the values of a row up to the closing parenthesis; the opening one is read already."""
    while True:
        expression: list[Token] = []
        depth = 0
        while True:
            token = tokens.needed()
            mark = token.text if token.kind == "mark" else ""
            if not depth and mark in (",", ")"):
                break
            depth += (mark == "(") - (mark == ")")
            expression.append(token)
        yield _value(tokens, expression)
        if mark == ")":
            return


def _value(tokens: Tokens, expression: list[Token]) -> str | None:
    """Return what a constant means: plain, signed, with a cast behind it, or in front of it."""
    if expression[:2] == [Token("word", "cast"), Token("mark", "(")]:
        expression = expression[2:3]
    for place, token in enumerate(expression):
        if token == Token("mark", "::"):
            expression = expression[:place]
            break
    texts = [token.text for token in expression]
    kinds = [token.kind for token in expression]
    if kinds[-1:] == ["string"] and all(kind in ("word", "name") for kind in kinds[:-1]):
        return texts[-1]  # also: timestamp '2025-06-01'
    if kinds == ["number"] or (kinds == ["mark", "number"] and texts[0] in "+-"):
        return "".join(texts).removeprefix("+")
    if kinds == ["word"] and texts[0] in ("true", "false"):
        return texts[0]
    if kinds == ["word"] and texts[0] == "null":
        return None
    raise tokens.broken(f"{' '.join(texts)[:60]!r} is not a constant value")
