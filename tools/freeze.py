"""Freeze db/ into a migration.

    python tools/freeze.py [NAME] [--up-ddl FILE --down-ddl FILE]

As long as migrations/PUBLISHED names nothing there is one migration, the initial one, and freezing writes it anew: its
up.sql is db/install.sql with all it includes. Afterwards freezing writes the next migration: what differs between a
database made by the migrations and one made by db/. Functions, views, comments and privileges are written by this tool;
statements for tables, types, indexes and data are a person's, given in two files. A migration that PUBLISHED names is
never touched; one that it does not name yet is written anew. Nothing is written unless up.sql leads to exactly what db/
says, and down.sql back to exactly what was there.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from pathlib import Path

import psycopg

from catalogue import differences, fingerprint, install, installed, releases, shadow
from delta import delta, describe, read
from fsmstore import migrate
from fsmstore.devdb import Server
from tree import ROOT, Migrations, Part, TreeError, bundle, joined

# A migration runs as fsm_owner between these two files of db/.
_BEGIN, _END, _ROLES = "owner_begin.sql", "owner_end.sql", "roles.sql"

_STEP = '''\
"""{title}: up.sql and down.sql are sent whole; SM071 says that there is nothing left to do."""

from pathlib import Path

import psycopg
from yoyo import step

__depends__ = {depends}


def _send(name):
    text = (Path(__file__).with_suffix("") / name).read_text("utf-8")

    def run(conn):
        try:
            with conn.transaction():
                conn.execute(text)
        except psycopg.Error as error:
            if error.sqlstate != "SM071":
                raise

    return run


step(_send("up.sql"), _send("down.sql"))
'''

# yoyo marks a migration after its SQL was committed. A run killed in between finds the release recorded.
_GUARD = """\
-- Not twice, whoever runs this file: the migration records itself in the transaction that changes the schema.
set local role fsm_owner;
do $guard$
declare
  v_recorded boolean := false;
begin
  if pg_catalog.to_regclass('fsm_internal.releases') is not null then
    v_recorded := exists (select from fsm_internal.releases r where r.migration = '{id}');
  end if;
  if v_recorded {wrong} then
    raise exception using errcode = 'SM071',
      message = '{message}',
      detail = pg_catalog.jsonb_build_object('migration', '{id}'),
      hint = '{hint}';
  end if;
end
$guard$;
reset role;"""


def _guard(migration: str, *, up: bool) -> Part:
    hint = "Nothing was changed. The applied releases are in fsm_internal.releases."
    if up:
        text = _GUARD.format(id=migration, wrong="", message="this migration is applied already", hint=hint)
    else:
        text = _GUARD.format(id=migration, wrong="is false", message="this migration is not applied", hint=hint)
    return Part("guard", text)


def _guarded(parts: list[Part], guard: Part) -> str:
    """Put the guard behind owner_begin.sql, the first place where fsm_owner's tables can be read."""
    places = [place for place, part in enumerate(parts) if part.name == _BEGIN]
    if len(places) != 1:
        raise TreeError(f"the script must include {_BEGIN} exactly once, not {len(places)} times")
    return joined([*parts[: places[0] + 1], guard, *parts[places[0] + 1 :]])


def _write(migrations: Path, name: str, up: str, down: str, previous: str | None) -> None:
    folder = migrations / name
    folder.mkdir()
    (folder / "up.sql").write_text(up, "utf-8")
    (folder / "down.sql").write_text(down, "utf-8")
    depends = f'{{"{previous}"}}' if previous else "set()"
    step = _STEP.format(title=name[5:].replace("_", " "), depends=depends)
    (migrations / f"{name}.py").write_text(step, "utf-8")


def _initial(db: Path, name: str) -> tuple[str, str]:
    """Return up.sql and down.sql of the first migration: all of db/, and db/uninstall.sql."""
    up = _guarded(bundle(db / "install.sql"), _guard(name, up=True))
    down = _guarded(bundle(db / "uninstall.sql"), _guard(name, up=False))
    return up, down


def _next(server: Server, db: Path, earlier: Path, name: str, up_ddl: str, down_ddl: str) -> tuple[str, str]:
    """Return up.sql and down.sql that lead from the earlier migrations to db/ and back."""
    with shadow(server) as old_dsn, shadow(server) as new_dsn:
        migrate.apply(old_dsn, source=earlier)
        install(new_dsn, db)
        old, new = read(old_dsn), read(new_dsn)
        with psycopg.connect(old_dsn) as one, psycopg.connect(new_dsn) as other:
            recorded = sorted(set(releases(other)) - set(releases(one)))
    if [migration for migration, _ in recorded] != [name]:
        found = ", ".join(migration for migration, _ in recorded) or "nothing"
        raise TreeError(f"db/ must add one row to fsm_internal.releases, with migration '{name}'; it adds {found}")
    values = ", ".join("'" + value.replace("'", "''") + "'" for value in recorded[0])
    record = f"insert into fsm_internal.releases (migration, release) values ({values});"
    forget = f"delete from fsm_internal.releases where migration = '{name}';"
    print("\n".join(describe(old, new)))
    # Roles are cluster-wide and no part of the catalogue's facts: they go along when their file is a new one.
    roles = _part(db, _ROLES)
    known = any(roles.text in path.read_text("utf-8") for path in earlier.glob("*/up.sql"))
    up = [] if known else [roles]
    up += _release(db, _guard(name, up=True), delta(old, new).script(up_ddl), record)
    down = _release(db, _guard(name, up=False), delta(new, old).script(down_ddl), forget)
    return joined(up), joined(down)


def _release(db: Path, guard: Part, body: str, record: str) -> list[Part]:
    """Put a body between what makes the installer fsm_owner and what takes it back."""
    work = Part("changes", "\n\n".join(part for part in ("set local role fsm_owner;", body, record) if part))
    return [_part(db, _BEGIN), guard, work, _part(db, _END)]


def _part(db: Path, name: str) -> Part:
    return Part(name, (db / name).read_text("utf-8").strip())


def _check(server: Server, db: Path, migrations: Path, name: str) -> None:
    """Refuse what does not lead exactly to db/ and exactly back."""
    with shadow(server) as dsn:
        migrate.apply(dsn, Migrations(migrations).ids().index(name), migrations)
        before = fingerprint(dsn)
        migrate.apply(dsn, 1, migrations)
        found = differences(fingerprint(dsn), installed(server, db), ("migrations", "db/"))
        if found:
            raise TreeError(
                "up.sql does not lead to db/ (give the statements for tables with --up-ddl):\n" + "\n".join(found)
            )
        migrate.rollback(dsn, 1, migrations)
        found = differences(fingerprint(dsn), before, ("after down.sql", "before up.sql"))
        if found:
            raise TreeError(
                "down.sql does not lead back (give the statements for tables with --down-ddl):\n" + "\n".join(found)
            )


def freeze(db: Path, root: Path, name: str = "", up_ddl: str = "", down_ddl: str = "") -> str:
    """Write the migration that is not published yet, and return its id."""
    migrations = Migrations(root)
    published, unpublished = migrations.published(), migrations.unpublished()
    if problems := [one for one in migrations.sum_problems() if one.split("/")[0].split(".")[0] in published]:
        raise TreeError("published migrations were changed: " + "; ".join(problems))
    if not re.fullmatch(r"[a-z0-9_]*", name):
        raise TreeError(f"a migration's name is made of a-z, 0-9 and _, not {name!r}")
    number = len(published) + 1
    if not name and number > 1 and not unpublished:
        raise TreeError("give the migration a name: make freeze NAME=what_it_does")
    migration = f"{number:04d}_{name or 'core'}" if name or not unpublished else unpublished[0]
    if strangers := [one for one in unpublished if one != migration]:
        raise TreeError(f"{', '.join(strangers)} is not published yet: freeze under that name, or remove it first")
    with tempfile.TemporaryDirectory() as place, Server() as server:
        draft = Path(place) / "migrations"
        shutil.copytree(root, draft, ignore=shutil.ignore_patterns("__pycache__", f"{migration}*"))
        if number == 1:
            if up_ddl or down_ddl:
                raise TreeError("the initial migration is db/ itself and takes no statements of its own")
            up, down = _initial(db, migration)
        else:
            up, down = _next(server, db, draft, migration, up_ddl, down_ddl)
        _write(draft, migration, up, down, published[-1] if published else None)
        _check(server, db, draft, migration)
        shutil.rmtree(root / migration, ignore_errors=True)
        for path in draft.glob(f"{migration}*"):
            if path.is_dir():
                shutil.copytree(path, root / migration)
            else:
                shutil.copy(path, root)
    migrations.write_sums()
    return migration


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Freeze db/ into a migration.")
    parser.add_argument("name", nargs="?", default="", help="what the migration does, in a word or two (a_b)")
    parser.add_argument("--up-ddl", type=Path, help="statements for tables, run after drops and before functions")
    parser.add_argument("--down-ddl", type=Path, help="the statements that undo them")
    parser.add_argument("--db", type=Path, default=ROOT / "db")
    parser.add_argument("--migrations", type=Path, default=ROOT / "migrations")
    given = parser.parse_args()
    ddl = [path.read_text("utf-8") if path else "" for path in (given.up_ddl, given.down_ddl)]
    try:
        migration = freeze(given.db, given.migrations, given.name, *ddl)
    except (TreeError, psycopg.Error, migrate.MigrationError) as error:
        print(f"freeze: {error}", file=sys.stderr)
        return 1
    print(f"wrote {given.migrations}/{migration}.py, up.sql and down.sql")
    return 0


if __name__ == "__main__":
    sys.exit(main())
