"""The old table itself, as one moment shows it, and a copy of it as SQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO, Any

import psycopg
from psycopg import IsolationLevel, sql

from .dump import DEFAULT_TABLE, TableName
from .errors import SourceUnreadable
from .items import Column, Item, kind_of, table_item

ROWS = 200
"""Rows that are fetched at a time."""
# As pg_dump sets them: what is printed must not depend on the settings of the database or of the login, and a policy
# that would hide rows is an error instead.
_SETTINGS = {
    "datestyle": "ISO",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "row_security": "off",
}


def place_of(dsn: str, table: TableName) -> str:
    """Return what tells this table from others: where its database is, and its name.

    Raises:
        psycopg.Error: the database cannot be reached.
    """
    with psycopg.connect(dsn) as connection:
        info = connection.info
        return f"{info.host}:{info.port}/{info.dbname}/{table}"


def read_table(dsn: str, table: TableName = DEFAULT_TABLE, copy: IO[bytes] | None = None) -> Iterator[Item]:
    """Read the table as items, its values as PostgreSQL prints them.

    Everything is read in one transaction, which changes nothing and sees one moment.

    Args:
        dsn: the old database.
        table: which table.
        copy: where the rows are written besides, as a dump that psql can run.

    Raises:
        SourceUnreadable: there is no such table, or the login may not read it.
        psycopg.Error: the database cannot be reached, or went away.
    """
    name = sql.Identifier(*(part for part in table if part))
    with psycopg.connect(dsn, client_encoding="utf8") as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        connection.prepare_threshold = None
        for setting in _SETTINGS.items():
            connection.execute("select set_config(%s, %s, true)", setting)
        quoted = name.as_string(connection)
        definitions = _definitions(connection, quoted)
        columns = [Column(column, kind_of(type_name)) for column, type_name, _ in definitions]
        names = [sql.Identifier(column.name) for column in columns]
        # As bytes: a database in SQL_ASCII may hold some that are no characters, and would refuse to send them as text.
        encoding = "SQL_ASCII" if connection.info.parameter_status("server_encoding") == "SQL_ASCII" else "UTF8"
        query = sql.SQL("select {} from {}").format(
            sql.SQL(", ").join(sql.SQL("convert_to({}::text, {})").format(one, encoding) for one in names), name
        )
        insert = f"insert into {quoted} ({sql.SQL(', ').join(names).as_string(connection)}) values "
        if copy is not None:
            copy.write(_head(connection, quoted, definitions).encode())
        with connection.cursor(name="fsmstore_old_sessions", binary=True) as cursor:
            cursor.itersize = ROWS
            try:
                for row in cursor.execute(query):
                    values = [None if value is None else value.decode("utf-8", "surrogateescape") for value in row]
                    if copy is not None:
                        copy.write(f"{insert}({_literals(values)});\n".encode("utf-8", "surrogateescape"))
                    yield table_item(columns, values)
            except psycopg.errors.InsufficientPrivilege as error:
                raise SourceUnreadable(f"{quoted}: {error.diag.message_primary}") from error
        if copy is not None:
            copy.write(b"commit;\n")


def _definitions(connection: psycopg.Connection[Any], quoted: str) -> list[tuple[str, str, bool]]:
    found = connection.execute(
        "select attname::text, format_type(atttypid, atttypmod), attnotnull from pg_attribute"
        " where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum",
        (quoted,),
    ).fetchall()
    if not found:
        raise SourceUnreadable(f"there is no table {quoted} in this database: --table names another")
    return found


def _head(connection: psycopg.Connection[Any], quoted: str, definitions: list[tuple[str, str, bool]]) -> str:
    """Return the beginning of a dump: what makes the table, without what else the database has."""
    lines = [
        f"{sql.Identifier(name).as_string(connection)} {type_name}{' not null' if needed else ''}"
        for name, type_name, needed in definitions
    ]
    lines += [
        str(definition)
        for (definition,) in connection.execute(
            "select pg_get_constraintdef(oid) from pg_constraint where contype = 'p' and conrelid = to_regclass(%s)",
            (quoted,),
        )
    ]
    return (
        "-- Rows of an old session store, as they were before they were imported.\n"
        "set client_encoding = 'UTF8';\n"
        "set standard_conforming_strings = on;\n"
        f"begin;\ncreate table {quoted} (\n  " + ",\n  ".join(lines) + "\n);\n"
    )


def _literals(values: Sequence[str | None]) -> str:
    return ", ".join("null" if value is None else "'" + value.replace("'", "''") + "'" for value in values)
