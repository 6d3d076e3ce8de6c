"""Check that the migrations and db/ say the same: checksums, one line, same catalogue, and a way back.

python tools/verify.py
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from catalogue import differences, fingerprint, installed, shadow
from fsmstore import migrate
from fsmstore.devdb import Server
from tree import ROOT, Migrations


def problems(server: Server, db: Path, root: Path) -> list[str]:
    """Return what is wrong; empty when all is well."""
    migrations = Migrations(root)
    found = migrations.sum_problems() + migrations.chain_problems()
    if found:  # what cannot be trusted is not run
        return found
    with shadow(server) as dsn:
        stages = [fingerprint(dsn)]
        for _ in migrations.ids():
            migrate.apply(dsn, 1, root)
            stages.append(fingerprint(dsn))
        found += differences(stages[-1], installed(server, db), ("migrations", "db/"))
        for one in reversed(migrations.ids()):
            stages.pop()
            migrate.rollback(dsn, 1, root)
            left = differences(fingerprint(dsn), stages[-1], ("after its down.sql", "before its up.sql"))
            found += [f"{one}: {difference}" for difference in left]
    return found


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Check that the migrations and db/ say the same.")
    parser.add_argument("--db", type=Path, default=ROOT / "db")
    parser.add_argument("--migrations", type=Path, default=ROOT / "migrations")
    given = parser.parse_args()
    with Server() as server:
        found = problems(server, given.db, given.migrations)
    for problem in found:
        print(problem)
    names = ", ".join(Migrations(given.migrations).ids())
    print("FAILED: run make freeze if db/ changed on purpose" if found else f"verified: {names} == db/")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
