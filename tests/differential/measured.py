"""Where a declaration does not fit an application: one request for each, that shows it.

docs/reading-urls.md has this as tables; a test holds the two together, and another the requests
to what the real programs do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from differential.application import Declared, Upstream

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES: Final[Mapping[Upstream, str]] = {
    Upstream.EXPRESS: "Express 5",
    Upstream.SERVEMUX: "Go `ServeMux`",
    Upstream.STARLETTE: "Starlette",
}


@dataclass(frozen=True)
class Misreading:
    """A request; the route and the captures that the policy is asked about; those served."""

    path: str
    authorised: str
    authorised_captures: Mapping[str, str]
    served: str
    served_captures: Mapping[str, str]

    @property
    def row(self) -> tuple[str, str, str]:
        """The request, what is authorised, and what is served, for people."""
        return (
            f"`{self.path}`",
            _shown(self.authorised, self.authorised_captures),
            _shown(self.served, self.served_captures),
        )


def _shown(route: str, captures: Mapping[str, str]) -> str:
    said = ", ".join(f"{name} `{value}`" for name, value in captures.items())
    return f"{route} ({said})" if said else route


_SPLIT: Final = Misreading(
    "/orgs/acme%2Fdocuments/plan",
    "documents.item",
    {"org": "acme", "id": "plan"},
    "section",
    {"org": "acme/documents", "section": "plan"},
)
_IGNORED: Final = Misreading("/shelf/", "shelf", {}, "shelf.index", {})

MISREADINGS: Final[Mapping[tuple[Declared, Upstream], Misreading]] = {
    (Declared.SLASH_KEPT, Upstream.SERVEMUX): Misreading(
        "/files/a%2Fb", "files.item", {"name": "a%2Fb"}, "files.item", {"name": "a/b"}
    ),
    (Declared.SLASH_KEPT, Upstream.STARLETTE): Misreading(
        "/admin%2Fusers", "page", {"page": "admin/users"}, "admin.users", {}
    ),
    (Declared.SLASH_SPLIT, Upstream.EXPRESS): _SPLIT,
    (Declared.SLASH_SPLIT, Upstream.SERVEMUX): _SPLIT,
    (Declared.CASE_STRICT, Upstream.EXPRESS): Misreading(
        "/ADMIN", "page", {"page": "ADMIN"}, "admin", {}
    ),
    (Declared.TRAILING_STRICT, Upstream.EXPRESS): Misreading(
        "/shelf/", "shelf.index", {}, "shelf", {}
    ),
    (Declared.TRAILING_IGNORED, Upstream.SERVEMUX): _IGNORED,
    (Declared.TRAILING_IGNORED, Upstream.STARLETTE): _IGNORED,
}


def fits_table() -> list[str]:
    """Return the rows that say which declaration fits which application."""
    rows = [f"| a route declares | {' | '.join(NAMES.values())} |", "| --- | --- | --- | --- |"]
    for declared in Declared:
        cells = ["**no**" if (declared, upstream) in MISREADINGS else "yes" for upstream in NAMES]
        rows.append(f"| {_declaration(declared)} | {' | '.join(cells)} |")
    return rows


def misreadings_table() -> list[str]:
    """Return the rows that show where it does not."""
    rows = [
        "| a route declares | application | request | the policy is asked about | it serves |",
        "| --- | --- | --- | --- | --- |",
    ]
    for (declared, upstream), misreading in MISREADINGS.items():
        cells = (_declaration(declared), NAMES[upstream], *misreading.row)
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _declaration(declared: Declared) -> str:
    return "nothing" if declared is Declared.NOTHING else f"`{declared}`"
