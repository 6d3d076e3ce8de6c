"""define_machine: versions, what is refused, what is warned of, and the compiled form."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from support.definitions import small, small_with
from support.machines import PURCHASE

GO = ("states", "a", "on", "GO")
STATES = """select is_initial, is_final, context_version, max_context_bytes, audit_chain, invariants::text[],
  schema_check is null, schema_rest is null from fsm_internal.machine_states where machine = 'small'"""
RULES = """select loop_limit, loop_window, loop_action, divert_to from fsm_internal.machine_candidates
  where machine = 'small' and from_state = 'a' and event = 'GO' order by machine_version desc, candidate limit 1"""


def test_the_first_definition_is_version_1(machines: Any) -> None:
    assert machines.define(small()) == ("small", 1, True, [])
    assert machines.definition("small", 1) == small()


def test_the_same_again_is_the_same_version(machines: Any) -> None:
    machines.define(small())
    text = '{"states": {"b": {"type": "final"}, "a": {"on": {"GO": "b"}}},\n"initial": "a", "id":   "small"}'
    [row] = machines.rows("select machine_version, created from fsm.define_machine(%s)", text)
    assert row == (1, False)


def test_a_changed_definition_is_the_next_version_and_the_old_one_stays(machines: Any) -> None:
    machines.define(small())
    changed = small(description="changed")
    assert machines.define(changed)[:3] == ("small", 2, True)
    assert machines.definition("small", 1) == small()
    assert machines.definition("small", 2) == changed
    assert machines.definition("small") == changed


def test_only_the_newest_version_is_compared(machines: Any) -> None:
    machines.define(small())
    machines.define(small(description="changed"))
    assert machines.define(small())[:3] == ("small", 3, True)


def test_a_retired_newest_version_comes_back_and_stays_retired(machines: Any, db: Any) -> None:
    machines.define(small())
    machines.retire("small", 1)
    assert machines.define(small())[:3] == ("small", 1, False)
    assert db.execute("select retired from fsm_internal.machine_versions").fetchall() == [(True,)]


def test_machines_count_their_versions_apart(machines: Any) -> None:
    machines.define(small())
    machines.define(small(description="changed"))
    assert machines.define(small(id="Small")).machine_version == 1


def test_who_defined_it_and_when(machines: Any, db: Any) -> None:
    machines.define(small())
    rows = db.execute(
        "select created_by, created_at between now() - interval '1 minute' and now() from fsm_internal.machine_versions"
    ).fetchall()
    assert rows == [("test_admin", True)]


def test_null_is_refused(machines: Any) -> None:
    with machines.refused() as error:
        machines.rows("select * from fsm.define_machine(null)")
    assert error[0] == ("22004", "argument must not be null", {"argument": "p_definition"}, error[0].hint)
    assert error[0].hint


def test_an_invalid_definition_is_refused_with_all_findings(machines: Any, db: Any) -> None:
    definition = small_with(GO, {"target": "nowhere", "guard": "(", "foo": 1})
    with machines.refused() as error:
        machines.define(definition)
    found = [one._asdict() for one in machines.check(definition)]
    assert {one["severity"] for one in found} == {"error", "warning"}
    assert error[0].sqlstate == "SM002"
    assert error[0].message == "definition invalid"
    assert error[0].detail == {"machine": "small", "findings": found}
    assert "fsm.check_machine" in str(error[0].hint)
    assert db.execute("select from fsm_internal.machine_versions").fetchall() == []


@pytest.mark.parametrize("value", [1, "small", None, [], {}, {"id": 5}, {"id": "x" * 600}])
def test_what_is_no_machine_at_all_is_refused(machines: Any, value: Any) -> None:
    with machines.refused() as error:
        machines.define(value)
    assert error[0].sqlstate == "SM002"
    assert error[0].detail["machine"] == (value.get("id") if isinstance(value, dict) and value.get("id") != 5 else None)


def test_a_refusal_is_logged_without_its_findings(machines: Any, server_log: Any) -> None:
    with machines.refused():
        machines.define(small(foo="secret"))
    assert server_log.events("fsm.refused") == [
        {"sqlstate": "SM002", "message": "definition invalid", "machine": "small"}
    ]


def test_warnings_are_the_findings_of_severity_warning(machines: Any) -> None:
    definition = small(context={})
    [finding] = machines.check(definition)
    assert machines.define(definition).warnings == [finding._asdict()]
    assert machines.define(definition).warnings == [finding._asdict()]


# --- the compiled form ------------------------------------------------------------------------------------------------


def test_defaults_of_the_machine(machines: Any, db: Any) -> None:
    machines.define(small())
    assert sorted(db.execute(STATES).fetchall(), reverse=True) == [
        (True, False, 1, 8388608, False, [], True, True),
        (False, True, 1, 8388608, False, [], True, True),
    ]
    assert db.execute("select context_version from fsm_internal.machine_versions").fetchall() == [(1,)]


def test_what_meta_says_stands_beside_each_state(machines: Any, db: Any) -> None:
    definition = small(
        meta={"context_version": 7.0, "max_context_bytes": 1000, "audit": "chain", "context_schema": {"type": "object"}}
    )
    definition["states"]["a"]["meta"] = {"invariant": ["$.x > 1", "strict $.y == 2", "$.x > 1"]}
    definition["states"]["b"]["meta"] = {"invariant": "$.z == 3"}
    machines.define(definition)
    assert sorted(row[:6] for row in db.execute(STATES))[::-1] == [
        (True, False, 7, 1000, True, ['($."x" > 1)', 'strict ($."y" == 2)', '($."x" > 1)']),
        (False, True, 7, 1000, True, ['($."z" == 3)']),
    ]
    # What the schema's compiler makes of it is kept as it is.
    same = """select count(*) from fsm_internal.machine_states s, fsm_internal.compile_schema('{"type": "object"}') c
      where s.schema_check::text is not distinct from c.schema_check::text
        and s.schema_rest is not distinct from c.schema_rest"""
    assert db.execute(same).fetchall() == [(2,)]


@pytest.mark.parametrize(
    ("machine", "transition", "rule"),
    [
        ("absent", "absent", (3, timedelta(minutes=5), "log", None)),
        ({}, "absent", (3, timedelta(minutes=5), "log", None)),
        (None, "absent", (None, None, None, None)),
        ({"limit": 7}, "absent", (7, timedelta(minutes=5), "log", None)),
        ({"window": "1 day"}, "absent", (3, timedelta(hours=24), "log", None)),
        ({"window": "1 month"}, "absent", (3, timedelta(days=30), "log", None)),
        ({"window": "0.5"}, "absent", (3, timedelta(seconds=0.5), "log", None)),
        ({"action": "block"}, "absent", (3, timedelta(minutes=5), "block", None)),
        ({"action": {"divert": "#small.b"}}, "absent", (3, timedelta(minutes=5), "divert", "b")),
        # a transition's own rule replaces the machine's as a whole
        ({"limit": 7, "action": "block"}, {"window": "1 s"}, (3, timedelta(seconds=1), "log", None)),
        ({"limit": 7}, None, (None, None, None, None)),
        (None, {}, (3, timedelta(minutes=5), "log", None)),
        (None, {"limit": 2.0, "action": {"divert": ".a"}}, (2, timedelta(minutes=5), "divert", "a")),
    ],
)
def test_the_loop_rule_of_a_transition(machines: Any, db: Any, machine: Any, transition: Any, rule: Any) -> None:
    definition = small(meta={} if machine == "absent" else {"loop": machine})
    definition["states"]["a"]["on"]["GO"] = {
        "target": "b",
        "meta": {} if transition == "absent" else {"loop": transition},
    }
    machines.define(definition)
    assert db.execute(RULES).fetchone() == rule


def test_a_day_is_24_hours_whatever_the_time_zone(machines: Any, db: Any) -> None:
    machines.conn.execute("set timezone = 'Europe/Zurich'")
    machines.define(small(meta={"loop": {"window": "1 year 2 months 3 days"}}))
    [(window,)] = db.execute("select distinct loop_window::text from fsm_internal.machine_candidates").fetchall()
    assert window == f"{24 * 365.25 + 24 * 63:.0f}:00:00"


def test_deadlines(machines: Any, db: Any) -> None:
    machines.define(small_with(("states", "a", "after"), {"1": "b", "315576000000": {"target": "#small.a"}}))
    rows = db.execute("select state, delay_ms, to_state from fsm_internal.machine_delays order by delay_ms").fetchall()
    assert rows == [("a", 1, "b"), ("a", 315576000000, "a")]


def test_the_root_applies_where_the_event_is_not_named(machines: Any, db: Any) -> None:
    definition = small(on={"GO": "b", "STOP": [{"target": "b", "guard": "$.x"}, ".c"]})
    definition["states"]["c"] = {"on": {"STOP": []}}
    machines.define(definition)
    rows = db.execute(
        "select from_state, event, candidate, to_state, guard::text, guard_source, reenter"
        " from fsm_internal.machine_candidates order by 1, 2, 3"
    ).fetchall()
    assert rows == [
        ("a", "GO", 1, "b", None, None, False),
        ("a", "STOP", 1, "b", '$."x"', "$.x", False),
        ("a", "STOP", 2, "c", None, None, False),
        ("c", "GO", 1, "b", None, None, False),
    ]


def test_the_purchase_machine_is_stored_without_a_warning(machines: Any) -> None:
    assert machines.define(PURCHASE) == ("purchase_item", 1, True, [])
    assert machines.definition("purchase_item") == PURCHASE


@pytest.mark.parametrize(("field", "value"), [("definition", "'{}'"), ("machine_version", "9")])
def test_nobody_but_the_owner_can_change_what_is_stored(connect_as: Any, machines: Any, field: str, value: str) -> None:
    machines.define(small())
    for login in ("test_app", "test_admin"):
        with machines.refused() as error:
            connect_as(login).execute(f"update fsm_internal.machine_versions set {field} = {value}")
        assert error[0].sqlstate == "42501"


# --- sessions that a new version leaves behind ------------------------------------------------------------------------


@pytest.fixture
def moved(machines: Any) -> Any:
    """Sessions s-1 and s-2 are in state c of version 1, s-3 in a; s-4 has ended in d."""
    machines.define(
        small(
            states={"a": {"on": {"GO": "b", "C": "c", "D": "d"}}, "b": {"type": "final"}, "c": {"on": {"A": "a"}}}
            | {"d": {"type": "final"}}
        )
    )
    for number, event in enumerate(("C", "C", None, "D"), 1):
        machines.rows("select from fsm.create_session(%s, 'small')", f"s-{number}")
        if event is not None:
            machines.rows("select from fsm.send_event(%s, %s)", f"s-{number}", event)
    return machines


def test_live_sessions_in_states_that_the_new_version_lacks(moved: Any) -> None:
    defined = moved.define(small())
    [warning] = defined.warnings
    assert warning == {
        "severity": "warning",
        "code": "live_sessions_in_missing_state",
        "path": "$.states",
        "state": "c",
        "sessions": 2,
        "message": '2 sessions of other versions are in state "c", which this version lacks',
    }
    assert moved.define(small()).warnings == [warning]


def test_they_do_not_hinder(moved: Any) -> None:
    moved.define(small())
    [(state,)] = moved.rows("select state from fsm.send_event('s-1', 'A')")
    assert state == "a"


def test_no_warning_where_the_state_is_still_there_or_nobody_is_in_it(moved: Any) -> None:
    with_c = small(states={"a": {"on": {"GO": "c"}}, "c": {"on": {"X": "a", "Y": "b"}}, "b": {"type": "final"}})
    assert moved.define(with_c).warnings == []
    other = small(id="other")
    moved.define(other)
    assert moved.define({**other, "description": "changed"}).warnings == []


def test_at_most_100000_sessions_are_looked_at(moved: Any, db: Any) -> None:
    db.execute(
        """insert into fsm_internal.sessions (session_id, machine, machine_version, state, version, context, entered_at,
          created_at, updated_at)
        select 'm-' || n, 'small', 1, 'c', 1, '{}', now(), now(), now() from generate_series(1, 100000) n"""
    )
    counted, incomplete = moved.define(small()).warnings
    assert counted["state"] == "c"
    assert 99990 < counted["sessions"] <= 100000
    assert incomplete["code"] == "live_sessions_not_all_counted"
    assert "100000" in incomplete["message"]


def test_a_definition_comes_back_as_it_was_given(machines: Any) -> None:
    text = (
        '{"id": "small", "initial": "a", "states": {"b": {"type": "final"}, "a": {"on": {"GO": "b"}}}, "version": 1.50}'
    )
    machines.rows("select from fsm.define_machine(%s)", text)
    [(same,)] = machines.rows("select fsm.machine_definition('small')::text = %s::jsonb::text", text)
    assert same
    assert json.dumps(machines.definition("small")["version"]) == "1.5"
