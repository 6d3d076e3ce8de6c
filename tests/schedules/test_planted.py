"""Races that are planted: the functions made weaker in a way that looks innocent. The explorer has to find each.

What the schedules are held against are the serial orders of the weakened functions: only a race counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from support.databases import Connection
from support.exploring import ground
from support.instrument import weaken
from support.schedules import Found

# function, text as shipped, text instead
Change = tuple[str, str, str]
MOST = 60

SAVE, READ, SETTLE = "fsm_internal.save_session", "fsm_internal.read_locked_session", "fsm_internal.settle_write"
LOCK: Change = ("fsm_internal.lock_session", "pg_advisory_xact_lock(", "pg_try_advisory_xact_lock(")
ROW_LOCKS: list[Change] = [
    (SAVE, "for no key update;", ";"),
    (READ, "\n  for no key update;", ";"),
]
VERSION: Change = (
    SETTLE,
    "where s.session_id = p_session.session_id and s.version = p_session.version;",
    "where s.session_id = p_session.session_id;",
)
CONFLICT: Change = (SETTLE, "on conflict on constraint history_pkey do nothing;", ";")
UNTOLD: Change = (SETTLE, "if not found then\n    perform fsm_internal.refuse_lost_write(p_session);\n  end if;", "")


@dataclass(frozen=True)
class Race:
    """What is weakened, where it shows, and what every schedule that shows it says."""

    changes: tuple[Change, ...]
    world: str
    one: str
    other: str
    says: str


_ITS_ROW = "from fsm_internal.history h where h.session_id = p_session_id and h.request_id = p_request_id"
LOOKUP = f"""  if p_request_id is not null then
    select h.version into v_replayed {_ITS_ROW};
    if found then
      return fsm_internal.replay_result(p_session_id, v_replayed);
    end if;
  end if;
"""
LOCKING = """  if not (fsm_internal.make_durable() and fsm_internal.lock_session(p_session_id)) then
    return null;
  end if;
"""
PASSAGE = "fsm_internal.passage_at(p_session_id, v_session.state, p_state, v_move.loop_limit) end, false)"
KEYS = "hashtextextended('fsm:session:' || i.id, 0) as key from unnest(p_session_ids) i(id)"
IN_ORDER = f"select distinct {KEYS} where i.id is not null order by key"
TRY = "fsm_internal.try_lock_session(v_session_id)"
KEPT = "array(select i from fsm_internal.import_items_of(p_batch, v_group.target, v_group.given) i)"
_GIVEN = "array(select g from fsm_internal.given_import_items(p_items) g)"
EARLY = f"array(select i from fsm_internal.import_items_of(p_batch, 's-1', {_GIVEN}) i)"
DUE = """exists (
  select from fsm_internal.sessions s join fsm_internal.machine_delays m using (machine, machine_version, state)
  where s.session_id = d.session_id and s.entered_at + m.delay_ms * interval '1 millisecond' <= v_now)"""
BEGUN = "  v_begun fsm_internal.turns := fsm_internal.begun_turn(p_session_id);\n"
LOCKED = "  perform fsm_internal.lock_session(p_session_id);\n"
ROW_LOCK = "  for no key update;\n"
PASSED = "  v_early timestamptz := fsm_internal.passage_at(p_session_id, 'a', 'a', 2);\n"

RACES: dict[str, Race] = {
    "no lock and no row lock: the version test of the update refuses": Race(
        (LOCK, *ROW_LOCKS), "open", "save_any", "save_any", "SM030"
    ),
    "no lock, no row lock, no version test: the conflict in history refuses": Race(
        (LOCK, *ROW_LOCKS, VERSION), "open", "save_any", "save_any", "SM030"
    ),
    "no lock, no row lock, no version test, no conflict clause: the primary key refuses": Race(
        (LOCK, *ROW_LOCKS, VERSION, CONFLICT), "open", "save_any", "save_any", "23505"
    ),
    "a lost write is not told": Race(
        (LOCK, *ROW_LOCKS, VERSION, UNTOLD), "open", "save_any", "send", "no serial order|verify_sessions"
    ),
    "no lock where there is no row yet": Race((LOCK,), "empty", "create_request", "create_request", "SM011"),
    "the lock after the read": Race(
        (
            (READ, LOCKED, ""),
            (READ, ROW_LOCK, ROW_LOCK + LOCKED),
        ),
        "open", "send", "save", "40P01",
    ),
    "the lock after the read, without row locks": Race(
        (
            (READ, LOCKED, ""),
            (READ, "\n" + ROW_LOCK, ";\n" + LOCKED),
        ),
        "open", "send", "update", "SM030",
    ),
    "the request id looked up before the lock": Race(
        ((SAVE, LOOKUP, ""), (SAVE, LOCKING, LOOKUP + LOCKING)), "open", "save_request", "save_request", "23505"
    ),
    "the loop looked up before the lock": Race(
        (
            (SAVE, "declare\n", "declare\n" + PASSED),
            (SAVE, PASSAGE, "v_early end, false)"),
        ),
        "loop", "save", "save", "no serial order",
    ),
    "a stable function takes the lock and reads": Race(
        (
            ("fsm_internal.claim_id", "LANGUAGE plpgsql\n", "LANGUAGE plpgsql\n STABLE\n"),
            ("fsm_internal.claim_id", "  for no key update of s;", "  ;"),
        ),
        "empty", "create_request", "fork_request", "SM011",
    ),
    "the locks of a batch in the order of its items": Race(
        (("fsm_internal.lock_sessions", IN_ORDER, f"select {KEYS}"),),
        "open", "batch", "batch_back", "40P01",
    ),
    "the turn looked up before the lock": Race(
        (
            ("fsm_internal.begin_turn", BEGUN, ""),
            ("fsm_internal.begin_turn", "declare\n", "declare\n" + BEGUN),
        ),
        "open", "begin", "begin_other", "no serial order",
    ),
    "a deadline that was due when it was looked for, taken without looking again": Race(
        (
            ("fsm.fire_deadlines", "where d.wake_at <= v_now order", f"where d.wake_at <= v_now and {DUE} order"),
            (
                "fsm_internal.fire_deadline",
                "and v_session.entered_at + d.delay_ms * interval '1 millisecond' <= v_now\n",
                "\n",
            ),
        ),
        "open", "fire", "send", "no serial order",
    ),
    "an import taken back by what was read before the lock": Race(
        (("fsm.undo_import", "if fsm_internal.is_as_imported(v_session_id, p_batch) then", "if true then"),),
        "imported", "undo", "update", "no serial order",
    ),
    "a purge that looks in the expression that takes the lock": Race(
        (
            ("fsm.purge_sessions", "    continue when not fsm_internal.try_lock_session(v_session_id);\n", ""),
            ("fsm.purge_sessions", "    if exists (\n", f"    if {TRY} and exists (\n"),
        ),
        "open", "save", "purge", "",
    ),
    "an import beside which its originals are removed": Race(
        (("fsm.import_sessions", "    perform fsm_internal.lock_batch(p_batch, false);\n", ""),),
        "imported", "import_more", "purge_import", "import_items: ",
    ),
    "an import that does not read its originals again": Race(
        (
            ("fsm.import_sessions", "declare\n", f"declare\n  v_early fsm_internal.import_item[] := {EARLY};\n"),
            ("fsm.import_sessions", KEPT, "v_early"),
        ),
        "empty", "import_row", "import_value", "no serial order",
    ),
}  # fmt: skip


def explored(admin: Connection, built: str, race: Race) -> Found:
    """Explore a pair with weakened functions, until something is found."""

    def prepare(db: Connection) -> None:
        for function in dict.fromkeys(change[0] for change in race.changes):
            weaken(db, function, *[(old, new) for name, old, new in race.changes if name == function])

    with ground(admin, built, prepare) as weak:
        return weak.explore(race.world, race.one, race.other, until_found=MOST)


@pytest.mark.parametrize("name", RACES)
def test_a_planted_race_is_found(pg_admin: Connection, built: str, name: str) -> None:
    race = RACES[name]
    found = explored(pg_admin, built, race)
    assert found.violations, f"not found in {found.schedules} schedules"
    for violation in found.violations:
        assert re.search(race.says, violation), violation


def test_without_the_lock_the_row_lock_still_decides(pg_admin: Connection, built: str) -> None:
    """A guard behind the guard: of a session that is there nothing is found until both are taken out."""
    found = explored(pg_admin, built, Race((LOCK,), "open", "save_any", "save_any", ""))
    assert found.violations == []
    assert found.waits > 0
