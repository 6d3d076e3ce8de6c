"""The statements that bring old sessions in, and take them out again."""

from __future__ import annotations

from .import_rows import ImportedOriginal, ImportOutcome, UndoneImport
from .parameters import BOOLEAN, TEXT, UUID_, WRITTEN_JSON
from .retry import Repeat
from .statements import Statement, function, scalar

IMPORT = function(
    "import_sessions",
    "session_id, outcome, code, message",
    lambda row, codec: ImportOutcome(*row),
    # A session of this batch is not imported a second time.
    Repeat.HARMLESS,
    items=WRITTEN_JSON,
    batch=UUID_,
    dry_run=BOOLEAN,
)
IMPORT_ORIGINAL = function(
    "import_original",
    "source, original",
    lambda row, codec: ImportedOriginal(*row),
    Repeat.READ,
    batch=UUID_,
    session_id=TEXT,
)
# Sent twice, these would do the work of two calls and tell of one.
UNDO_IMPORT = function("undo_import", "removed, kept", lambda row, codec: UndoneImport(*row), Repeat.NEVER, batch=UUID_)
PURGE_IMPORT: Statement[int] = function("purge_import", "purge_import", scalar, Repeat.NEVER, batch=UUID_)
