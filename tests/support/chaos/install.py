"""The database that is worked on: the schema, two logins, the machines."""

from __future__ import annotations

from psycopg import sql

from fsmstore import migrate
from support.api import Api
from support.machines import PURCHASE

from . import machine
from .cluster import Cluster

LOGINS = {"soak_app": "fsm_app", "soak_admin": "fsm_admin"}
# What db/recommended_settings.sql recommends, but for the last, which is looked at sooner so that a short run sees it.
_LOGIN_SETTINGS = {
    "default_transaction_isolation": "read committed",
    "statement_timeout": "10s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "15s",
    "client_connection_check_interval": "1s",
}


def install(server: Cluster, dbname: str) -> None:
    """Make the database."""
    name = sql.Identifier(dbname)
    with server.connect() as connection:
        connection.execute(sql.SQL("create database {} encoding 'UTF8' template template0").format(name))
    migrate.apply(server.dsn(dbname))
    with server.connect(dbname) as connection:
        for login, role in LOGINS.items():
            who = sql.Identifier(login)
            connection.execute(sql.SQL("create role {} login").format(who))
            connection.execute(sql.SQL("grant {} to {}").format(sql.Identifier(role), who))
            for setting, value in _LOGIN_SETTINGS.items():
                connection.execute(
                    sql.SQL("alter role {} in database {} set {} = {}").format(
                        who, name, sql.Identifier(setting), value
                    )
                )
        api = Api(connection)
        for description in ("first", "second"):
            for one in machine.NAMES:
                api.one("define_machine", definition=machine.definition(one, description))
        api.one("define_machine", definition=machine.definition(machine.STAGED, "only"))
        api.one("define_machine", definition=PURCHASE)
