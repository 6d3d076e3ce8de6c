"""What a store does to bring old sessions in.

The database decides about every item. Only an item whose text it cannot even read as jsonb takes the whole call with
it: that one is found and sent again without its data, so that it is quarantined and the others are imported.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg

from . import import_statements, rawjson
from .base_operations import BaseOperations, Steps
from .import_rows import ImportedOriginal, ImportOutcome, UndoneImport

ITEMS = 1000
"""Items that one call of import_sessions takes."""
REMOVED = 1000
"""Sessions that one call of undo_import removes at most."""
CHARACTERS = 8 * 1024 * 1024
"""One call carries about that many at most."""

_PROBLEMS = {
    "22P05": "text_not_storable",  # \u0000
    "22021": "text_not_storable",
    "22003": "number_out_of_range",
    "54001": "nesting_too_deep",
    "54000": "not_json_representable",  # more than a jsonb can hold
}
# An argument of the call itself: no item is to blame.
_MISUSE = frozenset({"22023", "22004"})


class ImportOperations(BaseOperations):
    """See SessionStore."""

    def import_sessions(
        self,
        items: Iterable[Mapping[str, Any] | str],
        batch: UUID | str,
        dry_run: bool,
        with_each: Iterable[Mapping[str, Any] | str],
    ) -> Steps[list[ImportOutcome]]:
        """See SessionStore.import_sessions."""
        along = [self._text(item) for item in with_each]
        told = {_session_id(text) for text in along}
        outcomes: list[ImportOutcome] = []
        for number, chunk in enumerate(_chunks([self._text(item) for item in items], along)):
            found = yield from self._import([*along, *chunk], batch, dry_run)
            outcomes += [one for one in found if not number or one.session_id not in told]
        return outcomes

    def undo_import(self, batch: UUID | str) -> Steps[UndoneImport]:
        """See SessionStore.undo_import."""
        removed = 0
        while True:
            call = import_statements.UNDO_IMPORT.bind(self._codec, batch=batch)
            try:
                rows = yield call
            finally:
                self._cache.clear()  # Which sessions were removed is not said.
            result = import_statements.UNDO_IMPORT.row(rows, self._codec)
            removed += result.removed
            if result.removed < REMOVED:
                return UndoneImport(removed, result.kept)

    def import_original(self, batch: UUID | str, session_id: str) -> Steps[list[ImportedOriginal]]:
        """See SessionStore.import_original."""
        rows = yield import_statements.IMPORT_ORIGINAL.bind(self._codec, batch=batch, session_id=session_id)
        return import_statements.IMPORT_ORIGINAL.rows(rows, self._codec)

    def purge_import(self, batch: UUID | str) -> Steps[int]:
        """See SessionStore.purge_import."""
        rows = yield import_statements.PURGE_IMPORT.bind(self._codec, batch=batch)
        return import_statements.PURGE_IMPORT.row(rows, self._codec)

    def _text(self, item: Mapping[str, Any] | str) -> str:
        if isinstance(item, Mapping):
            return self._codec.encode(dict(item))
        if not isinstance(item, str):
            raise TypeError(f"an item must be a mapping or JSON text, not {type(item).__name__}")
        # Anything but one whole object could bring members or items of its own into the array.
        if not item.lstrip().startswith("{") or not rawjson.is_json(item):
            raise psycopg.errors.InvalidParameterValue("an item is not the text of a JSON object")
        return item

    def _import(self, texts: list[str], batch: UUID | str, dry_run: bool) -> Steps[list[ImportOutcome]]:
        while True:
            outcomes, failure = yield from self._sent(texts, batch, dry_run)
            if failure is None:
                return outcomes
            try:
                poisoned = yield from self._poisoned(texts, range(len(texts)), failure, batch)
            except psycopg.errors.InFailedSqlTransaction:
                raise failure from None  # the caller's transaction has ended with the first refusal
            for index, problem in poisoned.items():
                texts[index] = _without_data(texts[index], problem, failure)
            if not poisoned:
                raise failure  # not one of them alone

    def _poisoned(
        self, texts: Sequence[str], those: Sequence[int], failure: psycopg.Error, batch: UUID | str
    ) -> Steps[dict[int, str]]:
        """Find, among items that were refused together, the ones to blame, each with its problem. Writes nothing."""
        if len(those) == 1:
            return {those[0]: _problem(failure)}
        found: dict[int, str] = {}
        middle = len(those) // 2
        for half in (those[:middle], those[middle:]):
            _, refused = yield from self._sent([texts[index] for index in half], batch, dry_run=True)
            if refused is not None:
                found |= yield from self._poisoned(texts, half, refused, batch)
        return found

    def _sent(
        self, texts: Sequence[str], batch: UUID | str, dry_run: bool
    ) -> Steps[tuple[list[ImportOutcome], psycopg.Error | None]]:
        """Send items in one call; return the outcomes, or the error for which an item may be to blame."""
        call = import_statements.IMPORT.bind(self._codec, items=f"[{','.join(texts)}]", batch=batch, dry_run=dry_run)
        try:
            rows = yield call
        except psycopg.Error as error:
            if not _problem(error):
                raise
            return [], error
        finally:
            if not dry_run:
                self._cache.clear()  # What was imported may be held as it was before it was deleted.
        return import_statements.IMPORT.rows(rows, self._codec), None


def _problem(error: psycopg.Error) -> str:
    """Return the code of what is wrong with an item that the database cannot read; none: no item is to blame."""
    sqlstate = error.sqlstate or ""
    if sqlstate in _PROBLEMS:
        return _PROBLEMS[sqlstate]
    return "not_json_representable" if sqlstate.startswith("22") and sqlstate not in _MISUSE else ""


def _members(text: str) -> dict[str, str]:
    members = rawjson.members(text)
    assert members is not None  # _text has seen to it
    return members


def _session_id(text: str) -> str | None:
    return json.loads(_members(text).get("session_id", "null"))  # type: ignore[no-any-return]


def _without_data(text: str, problem: str, failure: psycopg.Error) -> str:
    members = _members(text)
    if members.get("data", "null") == "null":
        raise failure  # it is not the data that cannot be read
    members |= {"data": "null", "problem": rawjson.string(problem)}
    original = json.loads(members.get("original", "null"))
    if isinstance(original, str) and "\0" in original:
        encoded = base64.b64encode(original.encode("utf-8", "surrogatepass")).decode()
        members["original"] = rawjson.string(f"base64:{encoded}")
    return f"{{{','.join(f'{rawjson.string(name)}:{value}' for name, value in members.items())}}}"


def _chunks(texts: Sequence[str], along: Sequence[str]) -> Iterator[list[str]]:
    """Cut items into the calls that carry them; one at least when there is anything to send."""
    limit, base = ITEMS - len(along), sum(map(len, along))
    chunk: list[str] = []
    characters = base
    for text in texts:
        if chunk and (len(chunk) >= limit or characters + len(text) > CHARACTERS):
            yield chunk
            chunk, characters = [], base
        chunk.append(text)
        characters += len(text)
    if chunk or along:
        yield chunk
