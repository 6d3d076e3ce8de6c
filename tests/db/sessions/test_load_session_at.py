"""fsm.load_session_at gives every version exactly as it was saved."""

from __future__ import annotations

from typing import Any

import psycopg
from hypothesis import given, settings
from hypothesis import strategies as st

from support.api import Api

# JSON texts, not values: jsonb keeps the spelling 1.0 apart from 1 and holds both to be equal.
KEYS = [
    '"a"',
    '"b"',
    '""',
    '"é"',
    '"💡"',
    '"0"',
    '"a.b"',
    '"\\""',
    '"set"',
    '"cut"',
    '"drop"',
    '"a long key, longer than others"',
]
SCALARS = [
    "null",
    "true",
    "false",
    "0",
    "0.0",
    "1",
    "1.0",
    "1.00",
    "100",
    "-1",
    "-1.0",
    "2.50",
    '""',
    '"x"',
    '"1"',
    '"💡\\u0001"',
    "1e3",
]
keys = st.sampled_from(KEYS)


def _array(items: list[str]) -> str:
    return f"[{', '.join(items)}]"


def _object(items: dict[str, str]) -> str:
    return f"{{{', '.join(f'{key}: {value}' for key, value in items.items())}}}"


values = st.recursive(
    st.sampled_from(SCALARS),
    lambda inner: st.lists(inner, max_size=4).map(_array) | st.dictionaries(keys, inner, max_size=3).map(_object),
    max_leaves=6,
)
# Arrays that grow and shrink are what undo records have a form of their own for.
items = st.lists(st.sampled_from(["1", "1.0", "[]", '{"a": 1}', "null"]), max_size=5)


@st.composite
def next_contexts(draw: st.DrawFn) -> list[str]:
    """A series of contexts, each made from the one before by a few changes, or anything."""
    now: dict[str, str | list[str]] = {}
    series = []
    for _ in range(draw(st.integers(1, 8))):
        for key in draw(st.lists(keys, max_size=4, unique=True)):
            here = now.get(key)
            change = draw(st.sampled_from(["value", "array", "grow", "shrink", "respell", "remove"]))
            if change == "remove":
                now.pop(key, None)
            elif isinstance(here, list) and change == "grow":
                now[key] = here + draw(items)
            elif isinstance(here, list) and change == "shrink":
                now[key] = here[: draw(st.integers(0, len(here)))]
            elif isinstance(here, list) and change == "respell":
                now[key] = [{"1": "1.0", "1.0": "1"}.get(item, item) for item in here]
            elif change == "value":
                now[key] = draw(values)
            else:
                now[key] = draw(items)
        series.append(_object({k: _array(v) if isinstance(v, list) else v for k, v in now.items()}))
    return series


def test_any_series_of_contexts_comes_back_as_it_was_saved(api: Api, db: psycopg.Connection[Any]) -> None:
    sessions = iter(range(1_000_000))

    @settings(max_examples=150)
    @given(series=next_contexts(), ways=st.lists(st.sampled_from(["save", "update"]), min_size=8, max_size=8))
    def save_all(series: list[str], ways: list[str]) -> None:
        session_id = f"s-{next(sessions)}"
        saved = [api.create(session_id, context=series[0])]
        for context, way in zip(series[1:], ways, strict=False):
            event = "KNOCK" if way == "save" else None
            saved.append(api.save(session_id, "closed", context, event=event))
        for row, context in zip(saved, series, strict=True):
            wanted = api.conn.execute("select %s::jsonb::text", (context,)).fetchone()
            assert wanted is not None
            assert api.text(session_id, row.version) == wanted[0]
            then = api.at(session_id, row.version)
            assert (then.state, then.entered_at, then.updated_at) == (row.state, row.entered_at, row.saved_at)

    save_all()
    kinds = "select bool_or(undo ? 'set'), bool_or(undo ? 'cut'), bool_or(undo ? 'drop'), bool_or(undo is null)"
    assert db.execute(f"{kinds} from fsm_internal.history").fetchone() == (True,) * 4


UNDO: list[tuple[str, str, str | None]] = [
    ('{"a": 1}', '{"a": 1}', None),
    ('{"a": 1}', '{"a": 1.0}', '{"set": {"a": 1}}'),
    ('{"a": 1, "b": 2}', '{"a": 1}', '{"set": {"b": 2}}'),
    ('{"a": 1}', '{"a": 1, "b": 2, "c": 3}', '{"drop": ["b", "c"]}'),
    ('{"a": [1, 2]}', '{"a": [1, 2, 3]}', '{"cut": {"a": 2}}'),
    ('{"a": []}', '{"a": [1]}', '{"cut": {"a": 0}}'),
    ('{"a": [1, 2]}', '{"a": [1.0, 2, 3]}', '{"set": {"a": [1, 2]}}'),
    ('{"a": [1, 2]}', '{"a": [1]}', '{"set": {"a": [1, 2]}}'),
    (
        '{"a": [1], "b": 1, "c": null}',
        '{"a": [1, [1]], "b": 2, "d": 1}',
        '{"cut": {"a": 1}, "set": {"b": 1, "c": null}, "drop": ["d"]}',
    ),
    ('{"a": null}', "{}", '{"set": {"a": null}}'),
    ('{"a": {"x": 1}}', '{"a": {"x": 1, "y": 2}}', '{"set": {"a": {"x": 1}}}'),
]


def test_history_keeps_only_what_changed(api: Api, db: psycopg.Connection[Any]) -> None:
    for before, after, undo in UNDO:
        name = f"{before} {after}"
        api.create(name, context=before)
        api.save(name, "open", after)
        kept = "select undo::text from fsm_internal.history where session_id = %s and version = 2"
        row = db.execute(kept, (name,)).fetchone()
        assert row == db.execute("select %s::jsonb::text", (undo,)).fetchone(), name
        assert (api.text(name, 1), api.text(name, 2)) == (before, after)


def test_a_growing_conversation_costs_only_what_is_added(api: Api, db: psycopg.Connection[Any]) -> None:
    api.create("s-1", context={"log": []})
    for number in range(50):
        api.send("s-1", "KNOCK", append={"log": [{"n": number, "text": "x" * 100}]})
    row = db.execute("select max(pg_column_size(undo)) from fsm_internal.history").fetchone()
    assert row is not None
    assert row[0] < 100
    assert [len(api.at("s-1", version).context["log"]) for version in range(1, 52)] == list(range(51))


def test_state_machine_version_and_times_are_those_of_the_version(api: Api) -> None:
    saved = [api.create("s-1")] + [api.send("s-1", event) for event in ("KNOCK", "OPEN", "CLOSE", "KNOCK")]
    for row in saved:
        assert api.at("s-1", row.version) == (
            "s-1", "door", 1, row.state, row.version, {}, 1, False, row.entered_at, saved[0].created_at, row.saved_at,
        )  # fmt: skip
    assert [api.at("s-1", version).state for version in range(1, 6)] == ["closed", "closed", "open", "closed", "closed"]


def test_a_version_that_was_never_made_is_no_row(api: Api) -> None:
    api.create("s-1")
    for version in (0, -1, 2, 9223372036854775807, -9223372036854775808):
        assert api.at("s-1", version) is None
    assert api.at("nobody", 1) is None


def test_a_version_that_is_no_longer_retained_is_no_row(api: Api, db: psycopg.Connection[Any]) -> None:
    """Retention cuts the oldest end; the rest is whole."""
    api.create("s-1", context={"n": 1})
    for number in range(2, 6):
        api.send("s-1", "KNOCK", patch={"n": number})
    db.execute("delete from fsm_internal.history where version < 4")
    assert [api.text("s-1", version) for version in range(1, 6)] == [None, None, None, '{"n": 4}', '{"n": 5}']


def test_the_present_is_the_newest_version(api: Api) -> None:
    api.create("s-1", context='{"a": 1.0}')
    api.send("s-1", "OPEN", patch='{"b": [1.50]}')
    assert api.at("s-1", 2) == api.load("s-1")[:-1]
    assert api.text("s-1", 2) == api.text("s-1") == '{"a": 1.0, "b": [1.50]}'
