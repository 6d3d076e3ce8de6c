"""The short form of ``make soak``: half a minute of everything at once, each fault of the server at least once."""

from __future__ import annotations

import warnings

from support.chaos.conductor import Soak

SECONDS = 35.0
# What comes about in any half minute of this load, however slow the machine.
REACHED = (
    "conflict", "loop found", "guard null", "rollback to version 1", "client gone while the server waited",
    "backend killed between update and commit", "waiter granted after the holder's rollback", "batch blocked half-way",
    "lock_timeout",
)  # fmt: skip


def test_nothing_is_lost_doubled_or_told_wrongly_under_faults() -> None:
    with Soak(seed=1, log=lambda _: None) as soak:
        soak.round(SECONDS, pause=2.0)
    summary = soak.summary
    assert summary.violations == [], str(summary)
    assert summary.counts["acknowledged"] > 100, str(summary)
    assert summary.server_faults >= 3, str(summary)
    assert [name for name in REACHED if not summary.sometimes[name]] == [], str(summary)
    for name, reason in summary.absent.items():
        warnings.warn(f"not here: {name}: {reason}", stacklevel=1)


def test_a_server_that_acknowledges_before_the_disk_has_it_is_found_out() -> None:
    """The run can fail: with writes that do not wait for the disk, a server that is killed has lost some of them."""
    with Soak(seed=2, faults=["kill"], log=lambda _: None) as soak:
        soak.administer(
            "create or replace function fsm_internal.make_durable() returns boolean language sql as 'select true'"
        )
        for login in ("soak_app", "soak_admin"):
            soak.administer(f"alter role {login} set synchronous_commit = off")
        soak.administer("alter system set wal_writer_delay = '2s'")
        soak.administer("select pg_reload_conf()")
        soak.round(8.0, pause=1.5)
    assert {"acknowledged is stored"} <= {one.rule for one in soak.summary.violations}, str(soak.summary)
    assert "lost: 0," not in str(soak.summary)
    assert not soak.summary.good
