"""What a store does with a batch of saves."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from . import statements
from .base_operations import BaseOperations, Steps
from .errors import FsmError, parse_detail, refusal
from .rows import SaveOutcome, Session
from .session_operations import Expect
from .statements import Call, Row, Together

ITEMS = 1000
"""Saves that one call of save_sessions takes."""
CHARACTERS = 32 * 1024 * 1024
"""One call carries about that many at most: the array of all its items must fit into a jsonb."""

_ARGUMENTS = (
    "session_id", "state", "context", "expected_version", "event", "request_id", "turn", "actor", "note",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Item:
    """One save of a batch; what cannot be sent has an error in place of a text."""

    ordinal: int
    session_id: str | None
    text: str
    error: FsmError | psycopg.Error | None = None


class BatchOperations(BaseOperations):
    """See SessionStore."""

    def save_many(self, items: Iterable[Session | Mapping[str, Any]], atomic: bool) -> Steps[tuple[SaveOutcome, ...]]:
        """See SessionStore.save_many."""
        prepared = [self._prepare(ordinal, item) for ordinal, item in enumerate(items, start=1)]
        refused = [item for item in prepared if item.error is not None]
        if atomic and refused and refused[0].error is not None:
            raise _numbered(refused[0].error, refused[0].ordinal)
        chunks = list(_chunks([item for item in prepared if item.error is None]))
        outcomes = [_not_sent(item) for item in refused]
        if atomic and chunks:
            outcomes += yield from self._save_together(chunks)
        else:
            for chunk in chunks:
                outcomes += yield from self._save_chunk(chunk)
        return tuple(sorted(outcomes, key=lambda outcome: outcome.ordinal))

    def _save_chunk(self, chunk: list[_Item]) -> Steps[list[SaveOutcome]]:
        with ExitStack() as stack:
            self._take_off(stack, chunk)
            rows = yield self._call(chunk, atomic=False)
        return self._outcomes(chunk, rows)

    def _save_together(self, chunks: list[list[_Item]]) -> Steps[list[SaveOutcome]]:
        calls = [self._call(chunk, atomic=True) for chunk in chunks]
        everything = [item for chunk in chunks for item in chunk]
        begun = chunks[0]

        def one_by_one() -> Iterator[Call]:
            nonlocal begun
            for chunk, call in zip(chunks, calls, strict=True):
                begun = chunk
                yield call

        with ExitStack() as stack:
            self._take_off(stack, everything)
            try:
                rows = yield Together(calls[0].name, one_by_one, calls[0].repeat)
            except FsmError as error:
                ordinal = error.detail.get("ordinal")
                if isinstance(ordinal, int):
                    error.detail["ordinal"] = begun[ordinal - 1].ordinal
                raise
        return self._outcomes(everything, rows)

    def _take_off(self, stack: ExitStack, items: list[_Item]) -> None:
        """Have what is held of these sessions dropped in the end: the answer does not tell all of what they are."""
        for name in dict.fromkeys(item.session_id for item in items):
            if name is not None:
                stack.enter_context(self._cache.flight(name, writes=True))

    def _call(self, chunk: list[_Item], *, atomic: bool) -> Call:
        text = f"[{','.join(item.text for item in chunk)}]"
        return statements.SAVE_MANY.bind(self._codec, items=text, atomic=atomic)

    def _outcomes(self, items: list[_Item], rows: list[Row]) -> list[SaveOutcome]:
        return [_outcome(item.ordinal, row) for item, row in zip(items, rows, strict=True)]

    def _prepare(self, ordinal: int, item: Session | Mapping[str, Any]) -> _Item:
        arguments = _arguments(item)
        session_id = arguments["session_id"]
        try:
            call = statements.SAVE.bind(
                self._codec, **{**arguments, "request_id": self._request(arguments["request_id"])}
            )
        except (FsmError, psycopg.Error) as error:
            return _Item(ordinal, session_id, "", error)
        texts = (f'"{name}":{_text(name, value)}' for name, value in call.parameters.items() if value is not None)
        return _Item(ordinal, session_id, f"{{{','.join(texts)}}}")


def _arguments(item: Session | Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(item, (Session, Mapping)):
        raise TypeError(f"an item of save_many must be a Session or a mapping, not {type(item).__name__}")
    given: dict[str, Any] = {"session": item} if isinstance(item, Session) else dict(item)
    session = given.pop("session", None)
    arguments: dict[str, Any] = dict.fromkeys(_ARGUMENTS)
    if session is not None:
        if not isinstance(session, Session):
            raise TypeError(f"argument session must be a Session, not {type(session).__name__}")
        arguments.update(
            session_id=session.session_id,
            state=session.state,
            context=session.context,
            expected_version=session.version,
        )
        if isinstance(given.get("expected_version"), Expect):
            del given["expected_version"]
    unknown = given.keys() - arguments.keys()
    if unknown:
        raise TypeError(f"an item of save_many has no argument {', '.join(sorted(map(str, unknown)))}")
    return arguments | given


def _text(name: str, value: Any) -> str:
    if name in ("context", "note"):
        return str(value)
    return json.dumps(str(value) if isinstance(value, UUID) else value, ensure_ascii=False)


def _chunks(items: list[_Item]) -> Iterator[list[_Item]]:
    chunk: list[_Item] = []
    characters = 0
    for item in items:
        if chunk and (len(chunk) == ITEMS or characters + len(item.text) > CHARACTERS):
            yield chunk
            chunk, characters = [], 0
        chunk.append(item)
        characters += len(item.text)
    if chunk:
        yield chunk


def _numbered(error: FsmError | psycopg.Error, ordinal: int) -> FsmError | psycopg.Error:
    if isinstance(error, FsmError):
        error.detail["ordinal"] = ordinal
    return error


def _not_sent(item: _Item) -> SaveOutcome:
    assert item.error is not None
    error = _numbered(item.error, item.ordinal)
    detail = error.detail if isinstance(error, FsmError) else {"ordinal": item.ordinal}
    message = error.message if isinstance(error, FsmError) else str(error)
    return SaveOutcome(item.ordinal, item.session_id, False, error.sqlstate, message, detail, None, None, error)


def _outcome(ordinal: int, row: Row) -> SaveOutcome:
    _, session_id, ok, sqlstate, message, detail, version, state = row
    if ok:
        return SaveOutcome(ordinal, session_id, ok, None, None, None, version, state, None)
    facts = parse_detail(detail) | {"ordinal": ordinal}
    error = refusal(sqlstate, message, facts, None)
    return SaveOutcome(ordinal, session_id, ok, sqlstate, message, facts, None, None, error)
