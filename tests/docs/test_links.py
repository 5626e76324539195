"""A link in the pages leads somewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest
from docpages import DOCS

if TYPE_CHECKING:
    from pathlib import Path

ROOT: Final = DOCS.parent
PAGES: Final = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])
_BLOCK: Final = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
_LINK: Final = re.compile(r"(?<!!)\[[^]]*\]\(([^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    """Return what its headings are called in an address, as GitHub calls them."""
    titles = re.findall(r"^#+ (.+)$", _BLOCK.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    text = _BLOCK.sub("", page.read_text("utf-8"))
    for link in _LINK.findall(text):
        if link.startswith(("http://", "https://")):
            continue
        name, _, heading = link.partition("#")
        target = (page.parent / name) if name else page
        assert target.exists(), link
        assert not heading or heading in anchors(target), link


def test_every_page_is_on_the_list_of_the_readme() -> None:
    listed = set(_LINK.findall((ROOT / "README.md").read_text("utf-8")))
    pages = {f"docs/{page.name}" for page in DOCS.glob("*.md")}
    assert pages - listed == set()


_DECISION: Final = re.compile(r"\[Decision (\d+)\]\(\S*decisions/0*(\d+)-[^)]*\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_decision_is_called_by_its_number(page: Path) -> None:
    text = page.read_text("utf-8")
    assert all(called == number for called, number in _DECISION.findall(text))
    if page.parent.name == "decisions":
        assert text.startswith(f"# {int(page.name[:4])}. ")


def test_no_two_decisions_have_one_number() -> None:
    numbers = [page.name[:4] for page in (DOCS / "decisions").glob("*.md")]
    assert len(set(numbers)) == len(numbers)
