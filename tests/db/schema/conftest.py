"""What a context_schema is asked: its problems, its compiled form, its verdict on values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest


@dataclass(frozen=True)
class Verdict:
    """What the two halves say of one value."""

    compiled: bool  # schema_check and schema_rest, as a save asks them
    necessary: bool  # schema_check alone
    findings: list[tuple[str, str]]  # code and path


def dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


class Schemas:
    """The three functions, called on Python values."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self._conn = conn

    def problems(self, schema: Any) -> list[tuple[str, str, str]]:
        query = "select code, path, message from fsm_internal.schema_problems(%s::jsonb)"
        return self._conn.execute(query, (dump(schema),)).fetchall()

    def places(self, schema: Any) -> list[tuple[str, str]]:
        return [(code, path) for code, path, _ in self.problems(schema)]

    def compiled(self, schema: Any) -> tuple[str | None, Any]:
        query = "select schema_check::text, schema_rest from fsm_internal.compile_schema(%s::jsonb)"
        [row] = self._conn.execute(query, (dump(schema),)).fetchall()
        return row

    def findings(self, schema: Any, value: Any, limit: int | None = 20) -> list[tuple[str, str, str]]:
        query = "select code, path, message from fsm_internal.schema_findings(%s::jsonb, %s::jsonb, %s)"
        return self._conn.execute(query, (dump(schema), dump(value), limit)).fetchall()

    def judge(self, schema: Any, values: Sequence[Any]) -> list[Verdict]:
        query = """
            select
              c.schema_check is null or jsonb_path_match(v.value, c.schema_check, '{}', true) is true,
              jsonb_path_match(v.value, c.schema_check, '{}', true),
              c.schema_rest is null or fsm_internal.schema_rest_holds(c.schema_rest, v.value),
              array(select array[f.code, f.path] from fsm_internal.schema_findings(%(schema)s::jsonb, v.value) f)
            from fsm_internal.compile_schema(%(schema)s::jsonb) c
            cross join jsonb_array_elements(%(values)s::jsonb) with ordinality v
            order by v.ordinality"""
        rows = self._conn.execute(query, {"schema": dump(schema), "values": dump(list(values))}).fetchall()
        assert all(raw in (None, True, False) and (raw is None) <= check for check, raw, _, _ in rows)
        return [
            Verdict(check and rest, check, [(code, path) for code, path in found]) for check, _, rest, found in rows
        ]

    def disagreements(self, schema: Any, cases: Sequence[tuple[Any, Sequence[tuple[str, str]]]]) -> list[Any]:
        """The cases (value, expected findings) that either half judges otherwise."""
        verdicts = self.judge(schema, [value for value, _ in cases])
        return [
            (schema, value, verdict)
            for (value, expected), verdict in zip(cases, verdicts, strict=True)
            if verdict.findings != list(expected)
            or verdict.compiled != (not expected)
            or verdict.necessary < (not expected)
        ]


@pytest.fixture
def schemas(db: psycopg.Connection[Any]) -> Schemas:
    return Schemas(db)
