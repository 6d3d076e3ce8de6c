"""``python -m benchmarks [--quick]``: run the benchmarks on a server of their own, or on FSMSTORE_PG_URL."""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks import transition_tracking
from benchmarks.save_cost import FLOOR, SaveCost, measure
from fsmstore import migrate
from fsmstore.devdb import Server

ROOT = Path(__file__).resolve().parents[1]
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "autovacuum": "off"}
"""What is compared must cost what it costs in production. Autovacuum is off so that it hits neither side."""


def main() -> None:
    """Print the comparison; the numbers of this machine and moment, the ratios to be quoted."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a look: few rounds, numbers too rough to quote")
    arguments = parser.parse_args()
    rounds, sessions = (3, 40) if arguments.quick else (15, 200)
    with Server(settings=DURABLE) as server:
        dsn = _database(server)
        with psycopg.connect(dsn) as connection:
            version = connection.execute("show server_version").fetchone()
        for prepared in (False, True):
            how = "prepared statements" if prepared else "no prepared statements (the client's default)"
            _show(measure(dsn, rounds=rounds, sessions=sessions, prepared=prepared), f"A save, {how}")
        print(
            f"PostgreSQL {version[0] if version else '?'}, {platform.machine()}, Python {platform.python_version()}, "
            f"{rounds} rounds of {sessions} conversations of 7 saves, contexts of about 1.6 kB; median of rounds"
        )
    tracking = transition_tracking.measure(rounds=rounds)
    print(
        f"A tracked transition: {tracking.tracked:.1f} µs, {tracking.ratio:.2f} times a plain logging call "
        f"({tracking.plain:.1f} µs); median of {rounds} rounds of {transition_tracking.CALLS}"
    )


def _database(server: Server) -> str:
    """A fresh database with the schema, the purchase machine and the hand-written tables."""
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute("drop database if exists fsmstore_bench with (force)")
        connection.execute("create database fsmstore_bench encoding 'UTF8' template template0")
    dsn = server.dsn("fsmstore_bench")
    migrate.apply(dsn)
    definition = json.loads((ROOT / "db/machines/purchase_item.json").read_text())
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("select fsm.define_machine(%s::jsonb)", (json.dumps(definition),))
        connection.execute((ROOT / "benchmarks/floor.sql").read_text())
    return dsn


def _show(cost: SaveCost, title: str) -> None:
    table = Table(title=title, title_justify="left")
    table.add_column("")
    table.add_column("server CPU, µs", justify="right")
    table.add_column("ratio", justify="right")
    for name, microseconds in cost.microseconds.items():
        table.add_row(name, f"{microseconds:.0f}", "1" if name == FLOOR.name else f"{cost.ratios[name]:.2f}")
    Console(width=88).print(table)


if __name__ == "__main__":
    main()
