"""By which entry of a route a method is mapped."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from authorizer.routing.route import Route


def mapping(route: Route, method: str) -> str | None:
    """Return the entry of `methods` by which a route maps a method, or None where it does not.

    HEAD follows GET, OPTIONS is `preflight: allow` where nothing maps it, "*" takes what is left
    but for methods in small letters.
    """
    if method in route.methods:
        return method
    if method == "HEAD" and "GET" in route.methods:
        return "GET"
    if method == "OPTIONS" and route.preflight:
        return method
    return "*" if "*" in route.methods and method == method.upper() else None
