"""fsm.diff_session says in which values two versions of a context differ."""

from __future__ import annotations

import json
import re
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.api import Api, case, refused


@pytest.fixture
def s(api: Api) -> Api:
    api.create("s-1")
    return api


def _diff(
    api: Api, first: int, second: int, session_id: str | None = "s-1"
) -> list[tuple[str, str | None, str | None]]:
    """Texts, where a JSON null is not SQL null and 1.0 is not 1."""
    rows = api.conn.execute(
        "select path, old::text, new::text from fsm.diff_session(%s, %s, %s)", (session_id, first, second)
    )
    return rows.fetchall()


def _between(api: Api, old: str, new: str) -> list[tuple[str, str | None, str | None]]:
    version = api.save("s-1", "closed", old).version
    api.save("s-1", "closed", new)
    return _diff(api, version, version + 1)


CASES: list[tuple[str, str, list[tuple[str, str | None, str | None]]]] = [
    ("{}", "{}", []),
    ('{"a": 1}', '{"a": 1}', []),
    ('{"a": 1}', '{"a": 2}', [("$.a", "1", "2")]),
    ('{"a": 1}', '{"a": 1.0}', [("$.a", "1", "1.0")]),
    ('{"a": [1]}', '{"a": [1.0]}', [("$.a[0]", "1", "1.0")]),
    ("{}", '{"a": null}', [("$.a", None, "null")]),
    ('{"a": null}', "{}", [("$.a", "null", None)]),
    ('{"a": null}', '{"a": {}}', [("$.a", "null", "{}")]),
    ('{"a": {}}', '{"a": []}', [("$.a", "{}", "[]")]),
    ('{"a": {"b": 1}}', '{"a": [1]}', [("$.a", '{"b": 1}', "[1]")]),
    ('{"a": {"b": {"c": 1, "d": 2}}}', '{"a": {"b": {"c": 1, "d": 3}}}', [("$.a.b.d", "2", "3")]),
    ('{"a": {"b": 1}}', '{"a": {}}', [("$.a.b", "1", None)]),
    ('{"a": [1, 2, 3]}', '{"a": [1, 5]}', [("$.a[1]", "2", "5"), ("$.a[2]", "3", None)]),
    ('{"a": [1]}', '{"a": [1, null, {"x": 1}]}', [("$.a[1]", None, "null"), ("$.a[2]", None, '{"x": 1}')]),
    ('{"a": [[1, {"b": 1}]]}', '{"a": [[1, {"b": 2}]]}', [("$.a[0][1].b", "1", "2")]),
    ('{"a b": 1, "": 2}', '{"a b": 2, "": 3}', [('$.""', "2", "3"), ('$."a b"', "1", "2")]),
    ('{"\\"\\\\": {"ü": 1}}', '{"\\"\\\\": {"ü": 2}}', [('$."\\"\\\\"."ü"', "1", "2")]),
]


def test_cases(s: Api) -> None:
    for old, new, expected in CASES:
        with case((old, new)):
            assert _between(s, old, new) == expected
            back = [(path, after, before) for path, before, after in expected]
            assert _between(s, new, old) == back


def test_in_the_order_in_which_a_person_reads(s: Api) -> None:
    keys = ["zz", "a", "B", "ab", "ä"]
    rows = _between(s, "{}", json.dumps({key: list(range(12)) for key in keys}))
    assert [row[0] for row in rows] == ["$.B", "$.a", "$.ab", "$.zz", '$."ä"']
    rows = _between(s, json.dumps({"a": [0] * 12, "Z": 0}), json.dumps({"a": [1] * 12, "Z": 1}))
    assert [row[0] for row in rows] == ["$.Z", *(f"$.a[{number}]" for number in range(12))]


def test_any_two_versions_and_a_version_with_itself(s: Api) -> None:
    for number in range(3):
        s.update("s-1", patch={"n": number})
    assert _diff(s, 1, 4) == [("$.n", None, "2")]
    assert _diff(s, 4, 2) == [("$.n", "2", "0")]
    assert _diff(s, 3, 3) == []


def test_contexts_only(s: Api) -> None:
    s.send("s-1", "OPEN")
    assert _diff(s, 1, 2) == []


def test_versions_that_are_not_there(s: Api, db: psycopg.Connection[Any]) -> None:
    s.update("s-1")
    s.update("s-1")
    db.execute("delete from fsm_internal.history where session_id = 's-1' and version = 1")
    for first, second, argument, version in (
        (1, 3, "p_from_version", 1),
        (3, 1, "p_to_version", 1),
        (2, 4, "p_to_version", 4),
        (0, 2, "p_from_version", 0),
        (-1, 9, "p_from_version", -1),
    ):
        with case((first, second)), refused("22023") as refusal:
            _diff(s, first, second)
        assert refusal.detail == {
            "argument": argument,
            "session_id": "s-1",
            "version": version,
            "oldest_version": 2,
            "newest_version": 3,
        }


def test_bad_arguments(s: Api) -> None:
    with refused("SM010") as refusal:
        _diff(s, 1, 1, "unknown")
    assert refusal.detail == {"session_id": "unknown"}
    for arguments in ((None, 1, 1), ("s-1", None, 1), ("s-1", 1, None)):
        with refused("22004"):
            s.rows("diff_session", session_id=arguments[0], from_version=arguments[1], to_version=arguments[2])
    for session_id in ("", "x" * 513):
        with refused("22023"):
            _diff(s, 1, 1, session_id)


def test_a_gap_is_told(s: Api, db: psycopg.Connection[Any]) -> None:
    s.update("s-1")
    s.update("s-1")
    db.execute("delete from fsm_internal.history where session_id = 's-1' and version = 2")
    with refused("SM060"):
        _diff(s, 1, 3)


def test_large_contexts_in_time(s: Api) -> None:
    """The square of these numbers would not end within the timeout."""
    many = {f"k{number}": number for number in range(10_000)}
    long = [{"i": number} for number in range(100_000)]
    s.update("s-1", patch={"many": many, "long": long})
    s.update("s-1", patch={"many": {key: value + 1 for key, value in many.items()}, "long": [*long, 1]})
    s.conn.execute("set statement_timeout = '30s'")
    rows = _diff(s, 2, 3)
    assert rows[0] == ("$.long[100000]", None, "1")
    assert len(rows) == 10_001
    assert rows[1:3] == [("$.many.k0", "0", "1"), ("$.many.k1", "1", "2")]


def test_a_deep_context(s: Api) -> None:
    def nest(value: int) -> str:
        return '{"a": ' * 99 + str(value) + "}" * 99

    assert _between(s, nest(1), nest(2)) == [("$" + ".a" * 99, "1", "2")]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "ü"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b c", "", "ü"]), inner, max_size=4)
    ),
    max_leaves=12,
)


def _set(root: Any, path: str, value: str | None) -> None:
    """Put a value where a path leads, or take away what is there."""
    steps = [
        json.loads(quoted) if quoted else plain if plain else int(index)
        for quoted, plain, index in re.findall(r'\.("(?:[^"\\]|\\.)*")|\.(\w+)|\[(\d+)\]', path)
    ]
    for step in steps[:-1]:
        root = root[step]
    if value is None:
        del root[steps[-1]]
    elif isinstance(root, list) and steps[-1] == len(root):
        root.append(json.loads(value))
    else:
        root[steps[-1]] = json.loads(value)


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(["a", "b"]), JSON), st.dictionaries(st.sampled_from(["a", "b"]), JSON))
def test_what_it_says_leads_from_one_to_the_other(db: psycopg.Connection[Any], old: Any, new: Any) -> None:
    rows = db.execute(
        "select path, old::text, new::text from fsm_internal.context_diff(%s, %s)", (json.dumps(old), json.dumps(new))
    ).fetchall()
    gone = [row for row in rows if row[2] is None]
    for path, _, after in [row for row in rows if row[2] is not None] + gone[::-1]:
        _set(old, path, after)
    assert old == new
    assert all(before != after for _, before, after in rows)
