"""The SQL that turns one catalogue into another: functions, views, comments, privileges. Tables are a person's work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import psycopg

_OBJECTS = (Path(__file__).parent / "objects.sql").read_text("utf-8")

_OURS = "(select n.oid from pg_namespace n where n.nspname in ('fsm', 'fsm_internal'))"

_ROUTINES = f"""
select case p.prokind when 'p' then 'procedure ' else 'function ' end || p.oid::regprocedure,
       pg_get_functiondef(p.oid),
       concat_ws(' ', p.prokind, pg_get_function_arguments(p.oid), 'returns', pg_get_function_result(p.oid)),
       p.proowner::regrole::text
from pg_proc p
where p.pronamespace in {_OURS} and p.prokind in ('f', 'p')
"""

_VIEWS = f"""
select 'view ' || c.oid::regclass,
       'create view ' || c.oid::regclass || coalesce(' with (' || array_to_string(c.reloptions, ', ') || ')', '')
         || ' as ' || rtrim(pg_get_viewdef(c.oid), ';'),
       c.relowner::regrole::text
from pg_class c
where c.relnamespace in {_OURS} and c.relkind = 'v'
"""

# Which function or view must be there before which: bodies in standard SQL, views on views and on functions.
_NEEDS = f"""
with node (class, oid, key) as (
  select 'pg_proc'::regclass, p.oid,
         case p.prokind when 'p' then 'procedure ' else 'function ' end || p.oid::regprocedure
  from pg_proc p
  where p.pronamespace in {_OURS}
  union all
  select 'pg_class'::regclass, c.oid, 'view ' || c.oid::regclass
  from pg_class c
  where c.relnamespace in {_OURS} and c.relkind = 'v'
),
depend as (
  select d.classid, d.objid, d.refclassid, d.refobjid from pg_depend d
  union all
  select 'pg_class'::regclass, r.ev_class, d.refclassid, d.refobjid
  from pg_depend d join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
)
select distinct a.key, b.key
from depend d
join node a on a.class = d.classid and a.oid = d.objid
join node b on b.class = d.refclassid and b.oid = d.refobjid
where a.key <> b.key
"""


@dataclass(frozen=True)
class Code:
    """A function or a view: what makes it, and what may not change while it is merely replaced."""

    definition: str
    signature: str
    owner: str

    @property
    def is_view(self) -> bool:
        return not self.signature


@dataclass(frozen=True)
class Object:
    """Anything that bears a comment or privileges."""

    granted_on: str | None
    column: str | None
    comment: str | None
    privileges: frozenset[str]
    fresh: frozenset[str]


@dataclass(frozen=True)
class Catalogue:
    """What a database holds, as far as this module can write SQL for it."""

    code: Mapping[str, Code]
    objects: Mapping[str, Object]
    needs: Mapping[str, frozenset[str]]


def read(dsn: str) -> Catalogue:
    """Read a database's catalogue."""
    with psycopg.connect(dsn) as conn:
        conn.execute("set local search_path = pg_catalog")
        code = {key: Code(text, signature, owner) for key, text, signature, owner in conn.execute(_ROUTINES.encode())}
        code |= {key: Code(text, "", owner) for key, text, owner in conn.execute(_VIEWS.encode())}
        objects: dict[str, Object] = {
            key: Object(granted_on, column, comment, frozenset(privileges), frozenset(fresh))
            for key, granted_on, column, comment, privileges, fresh in conn.execute(_OBJECTS.encode())
        }
        needs: dict[str, set[str]] = {key: set() for key in code}
        for key, needed in conn.execute(_NEEDS.encode()):
            needs[key].add(needed)
    return Catalogue(code, objects, {key: frozenset(needed) for key, needed in needs.items()})


@dataclass(frozen=True)
class Delta:
    """The statements of one direction, in the order in which they can run; a person's table DDL goes between."""

    drops: list[str]
    creates: list[str]
    settings: list[str]

    def script(self, ddl: str) -> str:
        """Return the statements around the given DDL."""
        parts = ["\n".join(self.drops), ddl.strip(), "\n\n".join(self.creates), "\n".join(self.settings)]
        return "\n\n".join(part for part in parts if part)


def delta(old: Catalogue, new: Catalogue) -> Delta:
    """Return what turns old into new."""
    gone = old.code.keys() - new.code.keys()
    added = new.code.keys() - old.code.keys()
    changed = {key for key in old.code.keys() & new.code.keys() if old.code[key] != new.code[key]}
    # A view, and a function whose arguments or result changed, cannot be replaced where it stands.
    remade = {key for key in changed if old.code[key].is_view or old.code[key].signature != new.code[key].signature}
    dropped = _with_dependents(gone | remade, old.needs)
    made = added | changed | (dropped & new.code.keys())
    drops = [f"drop {key};" for key in reversed(_in_order(dropped, old.needs))]
    creates = [f"{new.code[key].definition.rstrip()};" for key in _in_order(made, new.needs)]
    settings = []
    for key in sorted(new.code):
        if key in old.code and key not in dropped and old.code[key].owner != new.code[key].owner:
            settings.append(f"alter {key} owner to {new.code[key].owner};")
    for key, thing in sorted(new.objects.items()):
        before = old.objects.get(key) if key not in dropped and _view_of(key) not in dropped else None
        settings += _privileges(before, thing)
        if thing.comment != (before.comment if before else None):
            settings.append(f"comment on {key} is {_literal(thing.comment)};")
    return Delta(drops, creates, settings)


def _with_dependents(keys: Iterable[str], needs: Mapping[str, frozenset[str]]) -> set[str]:
    found = set(keys)
    while more := {key for key, needed in needs.items() if needed & found} - found:
        found |= more
    return found


def _in_order(keys: Iterable[str], needs: Mapping[str, frozenset[str]]) -> list[str]:
    """Sort so that what is needed comes first, otherwise by name."""
    wanted = sorted(keys)
    sorter = TopologicalSorter({key: sorted(needs[key] & set(wanted)) for key in wanted})
    return list(sorter.static_order())


def _view_of(key: str) -> str | None:
    """Return the view that a view's column belongs to: its comment and privileges go with the view."""
    kind, _, name = key.partition(" ")
    return f"view {name.rpartition('.')[0]}" if kind == "column" else None


def _privileges(before: Object | None, after: Object) -> list[str]:
    """Revoke and grant the difference; an object that is not there yet starts with what a fresh one has."""
    if after.granted_on is None:
        return []
    had = before.privileges if before else after.fresh
    statements = []
    for verb, rights in (("revoke", had - after.privileges), ("grant", after.privileges - had)):
        for right in sorted(rights):
            grantee, privilege, grantable = right.rsplit(" ", 2)
            what = f"{privilege} ({after.column})" if after.column else privilege
            tail = " with grant option" if verb == "grant" and grantable == "t" else ""
            word = "to" if verb == "grant" else "from"
            statements.append(f"{verb} {what} on {after.granted_on} {word} {grantee}{tail};")
    return statements


def _literal(text: str | None) -> str:
    return "null" if text is None else "'" + text.replace("'", "''") + "'"


def describe(old: Catalogue, new: Catalogue) -> list[str]:
    """Say in a few lines what is new, changed and gone."""
    lines = []
    both: Any = old.code.keys() & new.code.keys()
    for word, keys in (
        ("new", new.code.keys() - old.code.keys()),
        ("changed", {key for key in both if old.code[key] != new.code[key]}),
        ("gone", old.code.keys() - new.code.keys()),
    ):
        lines += [f"{word:8} {key}" for key in sorted(keys)]
    return lines
