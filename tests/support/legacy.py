"""The sessions of the old stores in tests/data/legacy, read as the import reads them."""

from __future__ import annotations

import gzip
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import psycopg

from fsmstore.legacy import DumpReader, Item, find_shelf

DATA = Path(__file__).parents[1] / "data" / "legacy"
DUMPS = (DATA / "swisper_sessions.sql.gz", DATA / "swisper_sessions_hostile.sql")
SHELF = "orchestrator_sessions"
"""The name of the shelf in each of its directories."""

CREATE_TABLE = """
create table public.swisper_sessions (
  session_id varchar not null primary key, title varchar(64), created_at timestamp not null,
  updated_at timestamp not null,
  message_count int, last_user_text text, last_user_ts timestamp, short_summary text,
  chat_history jsonb not null, session_metadata jsonb not null, has_contract bool
)
"""
"""The old table."""


def manifest() -> dict[str, Any]:
    """What is known of each session: where it comes from, and what is to become of it."""
    found: dict[str, Any] = json.loads((DATA / "manifest.json").read_text("utf-8"))
    return found


@cache
def table_rows() -> tuple[Item, ...]:
    """The rows of both dumps."""
    reader = DumpReader()
    return tuple(item for dump in DUMPS for item in reader.read(dump))


@cache
def shelve_entries(directory_name: str) -> tuple[Item, ...]:
    """The entries of the shelf in a directory, such as ``shelve`` or ``shelve_hostile_gnu``."""
    return tuple(find_shelf(DATA / directory_name / SHELF).items())


def table_items() -> list[str]:
    """The rows of both dumps as import_sessions takes them, in JSON."""
    return [item.text() for item in table_rows()]


def shelve_items(directory_name: str) -> list[str]:
    """The entries of the shelf in a directory as import_sessions takes them, in JSON."""
    return [item.text() for item in shelve_entries(directory_name)]


def load(db: psycopg.Connection[Any], dump: Path) -> None:
    """Run the INSERT statements of a dump, as psql would: none of ours reads them."""
    text = (gzip.decompress(dump.read_bytes()) if dump.suffix == ".gz" else dump.read_bytes()).decode()
    inserts = re.findall(r"^INSERT INTO .*?\);$", text, re.MULTILINE | re.DOTALL)
    with db.transaction():
        for insert in inserts:
            db.execute(insert.encode())
