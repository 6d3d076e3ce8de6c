"""core: up.sql and down.sql are sent whole; SM071 says that there is nothing left to do."""

from pathlib import Path

import psycopg
from yoyo import step

__depends__ = set()


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
