"""Copies of db/ and migrations/ that a test may change."""

from __future__ import annotations

import shutil
from pathlib import Path

from tree import ROOT, Migrations


class Copy:
    """A db/ and a migrations/ of the test's own."""

    def __init__(self, place: Path) -> None:
        self.db = place / "db"
        self.migrations = Migrations(place / "migrations")
        shutil.copytree(ROOT / "db", self.db)
        shutil.copytree(ROOT / "migrations", self.migrations.root, ignore=shutil.ignore_patterns("__pycache__"))

    def include(self, name: str, text: str) -> None:
        """Write a file of db/ and let install.sql include it, once, just before owner_end.sql."""
        (self.db / name).write_text(text)
        script = self.db / "install.sql"
        line, end = f"\\ir {name}\n", "\\ir owner_end.sql"
        before, found, after = script.read_text().partition(end)
        assert found, "install.sql no longer ends with owner_end.sql"
        if line not in before:
            script.write_text(before + line + found + after)

    def publish(self) -> None:
        """Declare every migration there is published."""
        (self.migrations.root / "PUBLISHED").write_text("".join(f"{one}\n" for one in self.migrations.ids()))
