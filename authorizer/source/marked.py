"""Pages that hold, between two marks, what a program wrote."""

from __future__ import annotations


def replaced(page: str, begin: str, end: str, text: str) -> str:
    """Return the page with `text` between its marks; raises ValueError without them."""
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        msg = f"the page needs the lines {begin} and {end}"
        raise ValueError(msg)
    return f"{before}{begin}\n{text}\n{end}{after}"
