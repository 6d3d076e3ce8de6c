"""The guide for DBAs leaves nothing out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.databases import Connection

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GUIDE = sorted(DOCS.glob("sql-*.md"))


def test_the_guide_tells_of_every_function_and_view(db: Connection) -> None:
    text = "\n".join(page.read_text() for page in GUIDE)
    names = db.execute(
        "select proname from pg_proc where pronamespace = 'fsm'::regnamespace"
        " union select relname from pg_class where relnamespace = 'fsm'::regnamespace and relkind = 'v'"
    ).fetchall()
    assert len(names) > 40
    assert [name for (name,) in names if not re.search(rf"\bfsm\.{name}\b", text)] == []


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as a link gives them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "page", sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")]), ids=lambda page: str(page.relative_to(ROOT))
)
def test_links_lead_somewhere(page: Path) -> None:
    for file, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^):]*))?\)", page.read_text()):
        target = page.parent / file if file else page
        assert target.is_file(), file
        assert not anchor or anchor in anchors(target), f"{file}#{anchor}"


def test_the_entry_of_the_guide_names_every_page_of_it() -> None:
    entry = (DOCS / "sql-guide.md").read_text()
    assert [page.name for page in GUIDE if page.name != "sql-guide.md" and f"({page.name})" not in entry] == []
