"""Originals of the old stores, made to measure: rows of the table and values of the file store."""

from __future__ import annotations

from typing import Any

import psycopg

from .api import Api

BATCH = "11111111-1111-1111-1111-111111111111"
OTHER = "22222222-2222-2222-2222-222222222222"
AT = "2025-06-04T18:00:00.000001"
PRODUCT = {"name": "Kettle", "price": 20.5}


def message(text: str, at: str | None = AT, role: str = "user") -> dict[str, Any]:
    """A message of a chat; without a time if `at` is None."""
    return {"role": role, "content": text} | ({} if at is None else {"timestamp": at})


def contract(session_id: str, /, state: Any = "collect_preferences", *path: str, **fields: Any) -> dict[str, Any]:
    """A contract's context as build V5 wrote it; `path`: the states it went through, start being the first."""
    passed = path or {"start": (), "search": ("search",)}.get(
        state if isinstance(state, str) else "", ("search", state)
    )
    log = [f"{a} -> {b}" for a, b in zip(("start", *passed), passed, strict=False)]
    return {
        "session_id": session_id, "contract_type": "purchase_item", "current_state": state, "step_log": log,
        "product_query": "kettle", "preferences": {"colour": "blue"}, "constraints": ["price < 90"],
        "search_results": [],
        "selected_product": None, "tools_used": [], "confirmation_pending": False, "is_cancelled": False,
        "contract_status": "active", "contract_template": "contract_templates/purchase_item.yaml",
        "extracted_attributes": [], "top_products": [], "refinement_attempts": 0, "created_at": AT, "updated_at": AT,
    } | fields  # fmt: skip


def newest(session_id: str, state: str, *path: str, **fields: Any) -> dict[str, Any]:
    """A contract's context as build V7 wrote it."""
    context = contract(session_id, state, *path)
    steps = [line.split(" -> ") for line in context["step_log"]]
    history = [{"from_state": a, "to_state": b, "trigger": None, "timestamp": AT} for a, b in steps]
    for name in ("refinement_attempts", "top_products", "updated_at"):
        del context[name]
    return {**context, "serialization_version": "1.0", "fsm_state_history": history, "last_updated": AT, **fields}


def table_row(
    session_id: str, context: Any = None, *, chat: Any = (), metadata: Any = None, **columns: Any
) -> dict[str, Any]:
    """An item: a row of the old table. `metadata` stands beside the contract, or instead of it if it is no object."""
    chat = list(chat) if isinstance(chat, tuple) else chat
    if metadata is None or isinstance(metadata, dict):
        metadata = {**({} if context is None else {"contract_context": context}), **(metadata or {})}
    data = {
        "session_id": session_id, "title": None, "created_at": "2025-06-04 18:00:00",
        "updated_at": "2025-06-04 18:00:05",
        "message_count": len(chat) if isinstance(chat, list) else 0, "last_user_text": None, "last_user_ts": None,
        "short_summary": None, "chat_history": chat, "session_metadata": metadata, "has_contract": False,
    } | columns  # fmt: skip
    return {"source": "postgres", "session_id": session_id, "data": data}


def shelf_value(session_id: str, *, chat: Any = (), **keys: Any) -> dict[str, Any]:
    """An item: a value of the old file store."""
    return {"source": "shelve", "session_id": session_id, "data": {"chat_history": list(chat), **keys}}


class Importing:
    """Imports into the purchase machine, and what came of it."""

    def __init__(self, admin: Api, db: psycopg.Connection[Any]) -> None:
        self.admin, self.db = admin, db

    def __call__(self, *items: Any, batch: str = BATCH, dry_run: bool = False) -> list[tuple[Any, ...]]:
        """Import; returns (session_id, outcome, code) of each row."""
        rows = self.admin.rows("import_sessions", items=list(items), batch=batch, dry_run=dry_run)
        assert all(row.message for row in rows)
        return [tuple(row[:3]) for row in rows]

    def one(self, *items: Any, **more: Any) -> tuple[str, str | None]:
        """Import; returns outcome and code of the last row."""
        return self(*items, **more)[-1][1:]

    def note(self, session_id: str, version: int = 1) -> dict[str, Any]:
        """The note of the import."""
        [row] = [row for row in self.admin.history(session_id, limit=None) if row.version == version]
        assert row.kind == "import"
        note: dict[str, Any] = row.note
        return note

    def state(self, session_id: str) -> str:
        return str(self.admin.load(session_id).state)

    def context(self, session_id: str) -> dict[str, Any]:
        context: dict[str, Any] = self.admin.load(session_id).context
        return context

    def undo(self, batch: str = BATCH) -> tuple[int, int]:
        row = self.admin.one("undo_import", batch=batch)
        return row.removed, row.kept

    def originals(self, session_id: str, batch: str = BATCH) -> list[tuple[str, str]]:
        return [tuple(row) for row in self.admin.rows("import_original", batch=batch, session_id=session_id)]

    def quarantine(self) -> list[tuple[Any, ...]]:
        rows = self.db.execute("select session_id, source, code from fsm.quarantine order by session_id, source, code")
        return rows.fetchall()

    def sound(self) -> None:
        """Nothing that is stored is found wrong."""
        assert self.admin.rows("verify_sessions") == []
