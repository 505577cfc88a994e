"""The documentation reads as plain English, in lines that fit a terminal, and its links lead to files."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.plain_words import IDIOMS

ROOT = Path(__file__).parents[3]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").glob("*.md"),
        ROOT / "examples" / "README.md",
        ROOT / "charts" / "headgate" / "README.md",
    ]
)
GENERATED = {"conformance.md"}
"""Pages that a command writes."""


def prose(page: Path) -> Iterator[tuple[int, str]]:
    """The numbered lines of a page outside of code blocks and tables."""
    code = False
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.lstrip().startswith("```"):
            code = not code
        elif not code and not line.startswith("|"):
            yield number, line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_is_in_plain_words(page: Path) -> None:
    idioms = [(number, line) for number, line in enumerate(page.read_text().splitlines(), 1) if IDIOMS.search(line)]
    assert idioms == []


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name not in GENERATED], ids=lambda page: str(page.relative_to(ROOT))
)
def test_lines_of_a_page_are_wrapped(page: Path) -> None:
    assert [number for number, line in prose(page) if len(line) > 120 and "](" not in line] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_links_of_a_page_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []
