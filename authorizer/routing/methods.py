"""By which entry a method is mapped."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from authorizer.routing.route import Route


def stand_ins(method: str) -> tuple[str, ...]:
    """Return the entries that take a method which none names, the nearest first.

    HEAD follows GET, "*" takes what is left. Not in small letters: Django, Werkzeug and Symfony
    read `delete` as DELETE.
    """
    if method == "HEAD":
        return ("GET", "*")
    return ("*",) if method == method.upper() else ()


def mapping(route: Route, method: str) -> str | None:
    """Return the entry of `methods` by which a route maps a method, or None where it does not.

    OPTIONS is `preflight: allow` where nothing maps it.
    """
    if method in route.methods or (method == "OPTIONS" and route.preflight):
        return method
    return next((entry for entry in stand_ins(method) if entry in route.methods), None)
