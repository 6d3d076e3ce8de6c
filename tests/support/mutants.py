"""Functions broken on purpose: each is a fault that somebody could make, and some test must fail for it.

A run of the tests plants one into the template of all its databases when FSMSTORE_MUTANT names it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

MUTANT = "FSMSTORE_MUTANT"


@dataclass(frozen=True)
class Change:
    """A text of a function that becomes another one, once."""

    function: str
    """Its name, with the schema unless that is fsm_internal, and with its types where the name alone is not enough."""
    old: str
    new: str

    def plant(self, conn: psycopg.Connection[Any]) -> None:
        """Replace the function. A text that is not there once is an error of the mutant."""
        name = self.function if "." in self.function else f"fsm_internal.{self.function}"
        kind = "regprocedure" if "(" in name else "regproc"
        row = conn.execute(
            sql.SQL("select pg_get_functiondef({}::{})").format(sql.Literal(name), sql.SQL(kind))
        ).fetchone()
        assert row is not None
        definition: str = row[0]
        assert definition.count(self.old) == 1, f"{self.old!r} stands {definition.count(self.old)} times in {name}"
        conn.execute(definition.replace(self.old, self.new).encode())


@dataclass(frozen=True)
class Mutant:
    """One fault, and the tests of which at least one must fail for it."""

    name: str
    changes: tuple[Change, ...]
    tests: tuple[str, ...]

    def plant(self, conn: psycopg.Connection[Any]) -> None:
        """Plant it into a database."""
        for change in self.changes:
            change.plant(conn)


def plant_if_told(dsn: str) -> None:
    """Plant the mutant that the environment names, if it names one."""
    name = os.environ.get(MUTANT)
    if name:
        from .mutant_list import MUTANTS

        with psycopg.connect(dsn, autocommit=True) as conn:
            MUTANTS[name].plant(conn)
