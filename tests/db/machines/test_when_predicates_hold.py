"""A predicate holds exactly when it is true: null, missing data and errors do not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.predicates import CONTEXT, problems

TRUTH = [
    ("$.n == 5", True),
    ("$.n == 5.0", True),
    ("$.n != 5", False),
    ('$.n > 4 && $.s == "text"', True),
    ("$.n > 4 || $.missing > 4", True),
    ("$.n > 4 && $.missing > 4", False),
    ("$.t", True),
    ("$.f", False),
    ("true", True),
    ("false", False),
    # missing data
    ("$.missing == 1", False),
    ("$.missing != 1", False),
    ("!($.missing == 1)", True),
    ("strict $.missing == 1", False),
    ("strict !($.missing == 1)", False),
    ("exists($.missing)", False),
    ("!exists($.missing)", True),
    ("$.missing", False),
    ("$.missing == null", False),
    # null
    ("$.null == null", True),
    ("$.null", False),
    ("$.null == 1", False),
    ("$.null != 1", True),
    # errors and unknowns
    ("$.s > 5", False),
    ("!($.s > 5)", False),
    ("($.s > 5) is unknown", True),
    ("$.s + 1 > 5", False),
    ("$.n / 0 > 1", False),
    ("$.n % 0 == 1", False),
    ("$.s.double() > 1", False),
    ("$.list[9] == 1", False),
    ("strict $.list[9] == 1", False),
    ("strict $.list == 1", False),
    ("$.object == 1", False),
    # what is no predicate
    ("$.n", False),
    ("$.s", False),
    ("$.list", False),
    ("$.object", False),
    ("$", False),
    ("1", False),
    ('"true"', False),
    # arrays, lax
    ("$.list == 2", True),
    ("$.list[*] == 2", True),
    ("$.list > 3", False),
    ("$.list.size() == 3", True),
    ("$.n.size() == 1", True),
    ("$.empty.size() == 0", True),
    ("$.empty[0] == 1", False),
    ("exists($.items[*] ? (@.price > 15))", True),
    ("exists($.items[*] ? (@.price > 25))", False),
    ('exists($.items ? (@.tags == "x"))', True),
    ("$.items.price > 15", True),
    # texts
    ('$.s starts with "te"', True),
    ('$.s like_regex "^T" flag "i"', True),
    ('$.s like_regex "^T"', False),
    ('$.n like_regex "5"', False),
    ('$.s.type() == "string"', True),
    ('$.missing.type() == "string"', False),
    ("$.big > 1e29", True),
    ('$.object.keyvalue().key == "k"', True),
]


@pytest.mark.parametrize(("predicate", "expected"), TRUTH)
def test_a_predicate_holds_exactly_when_it_is_true(db: Any, predicate: str, expected: bool) -> None:
    assert [one for one in problems(db, predicate) if one[0] == "error"] == []
    query = "select jsonb_path_match(%s::jsonb, %s::jsonpath, '{}', true) is true"
    assert db.execute(query, (json.dumps(CONTEXT), predicate)).fetchone() == (expected,)
    # As a guard and as an invariant it decides the same.
    machine = {
        "id": "truth",
        "initial": "a",
        "states": {
            "a": {"on": {"GUARDED": {"target": "b", "guard": predicate}, "GO": "c"}},
            "b": {"type": "final"},
            "c": {"type": "final", "meta": {"invariant": predicate}},
        },
    }
    db.execute("select from fsm.define_machine(%s)", (json.dumps(machine),))
    db.execute("select from fsm.create_session('s-1', 'truth', %s)", (json.dumps(CONTEXT),))
    rows = db.execute("select event, allowed from fsm.allowed_events('s-1') order by event collate \"C\"").fetchall()
    assert rows == [("GO", expected), ("GUARDED", expected)]
