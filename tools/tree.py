"""The two forms of the schema on disk: the tree db/ that people write, and the migrations that are frozen from it."""

from __future__ import annotations

import ast
import hashlib
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class TreeError(Exception):
    """The files are not as they should be; the message names the file and says what to do."""


@dataclass(frozen=True)
class Part:
    """The text of one file of db/, named by its path from there, in the place where it is included."""

    name: str
    text: str


def bundle(script: Path, name: str = "") -> list[Part]:
    r"""Return what psql would run for a script: its ``\ir`` lines replaced by the files they name, in order."""
    name = name or script.name
    parts: list[Part] = []
    own: list[str] = []

    def end_own() -> None:
        text = "\n".join(own).strip()
        own.clear()
        if text:
            parts.append(Part(name, text))

    for number, line in enumerate(script.read_text("utf-8").splitlines(), 1):
        if not line.startswith("\\"):
            own.append(line)
            continue
        found = re.fullmatch(r"\\ir (\S+)\s*", line)
        if found is None:
            raise TreeError(rf"{script}:{number}: only '\ir PATH' may be used of psql's commands, not {line!r}")
        included = script.parent / found[1]
        if not included.is_file():
            raise TreeError(f"{script}:{number}: there is no file {included}")
        end_own()
        parts.extend(bundle(included, posixpath.join(posixpath.dirname(name), found[1])))
    end_own()
    return parts


def joined(parts: list[Part]) -> str:
    """Return the parts as one script, each under its file's name."""
    return "\n\n".join(f"-- {part.name}\n{part.text}" for part in parts) + "\n"


@dataclass(frozen=True)
class Migrations:
    """The directory migrations/: a linear chain NNNN_name.py + NNNN_name/{up,down}.sql, and its checksums."""

    root: Path

    def ids(self) -> list[str]:
        return sorted(path.stem for path in self.root.glob("[0-9]*.py"))

    def published(self) -> list[str]:
        """Return the ids that PUBLISHED names: out in the world, so never to be touched again."""
        place = self.root / "PUBLISHED"
        lines = place.read_text("utf-8").splitlines() if place.exists() else []
        return [line.strip() for line in lines if line.strip() and not line.startswith("#")]

    def unpublished(self) -> list[str]:
        return [one for one in self.ids() if one not in self.published()]

    def files(self) -> list[Path]:
        """Return every file there but the two lists, sorted; __pycache__ is not ours."""
        found = (path for path in self.root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        return sorted(path for path in found if path.name not in ("PUBLISHED", "SHA256SUMS"))

    def sums(self) -> str:
        """Return SHA256SUMS as it should be (``sha256sum -c`` reads it)."""
        lines = (f"{_sha256(path)}  {path.relative_to(self.root).as_posix()}\n" for path in self.files())
        return "".join(lines)

    def write_sums(self) -> None:
        (self.root / "SHA256SUMS").write_text(self.sums(), "utf-8")

    def sum_problems(self) -> list[str]:
        """Tell which files were changed, are missing, or are there without being listed."""
        place = self.root / "SHA256SUMS"
        listed = _parse_sums(place.read_text("utf-8")) if place.exists() else {}
        actual = _parse_sums(self.sums())
        problems = [
            f"{name} differs from its checksum" for name in listed if actual.get(name, listed[name]) != listed[name]
        ]
        problems += [f"{name} is listed in SHA256SUMS but missing" for name in listed if name not in actual]
        problems += [f"{name} is not listed in SHA256SUMS" for name in actual if name not in listed]
        return sorted(problems)

    def chain_problems(self) -> list[str]:
        """Tell what keeps the migrations from being one line, each on the one before it."""
        problems = []
        ids = self.ids()
        # yoyo takes every .py and .sql that lies directly in the directory for a migration.
        for path in sorted(self.root.iterdir()):
            if path.is_file() and path.suffix in (".py", ".sql") and not (path.suffix == ".py" and path.stem in ids):
                problems.append(f"{path.name} lies directly in {self.root.name}/: yoyo would take it for a migration")
            if path.is_dir() and path.name != "__pycache__" and path.name not in ids:
                problems.append(f"{path.name}/ has no {path.name}.py")
        previous: str | None = None
        for place, one in enumerate(ids, 1):
            if not re.fullmatch(rf"{place:04d}_[a-z0-9_]+", one):
                problems.append(f"{one} is number {place} of the chain and should be called {place:04d}_name")
            wanted = {previous} if previous else set()
            if (found := _depends(self.root / f"{one}.py")) != wanted:
                problems.append(f"{one} depends on {sorted(found)} instead of {sorted(wanted)}")
            for name in ("up.sql", "down.sql"):
                if not (self.root / one / name).is_file():
                    problems.append(f"{one}/{name} is missing")
            previous = one
        problems += [f"PUBLISHED names {one}, which is not there" for one in self.published() if one not in ids]
        return problems


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _parse_sums(text: str) -> dict[str, str]:
    return {name: digest for digest, name in (line.split("  ", 1) for line in text.splitlines())}


def _depends(path: Path) -> set[str]:
    """Read ``__depends__`` without running the migration."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == "__depends__" for t in node.targets
        ):
            if isinstance(node.value, ast.Call):  # set()
                return set()
            return set(ast.literal_eval(node.value))
    return set()
