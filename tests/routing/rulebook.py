"""Route tables for the tests of routing, from short words, through the real loader and compiler."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from authorizer.errors import RulesError
from authorizer.routing.compile import compile_rules
from authorizer.routing.reading import Ambiguous, locate
from authorizer.routing.table import Matched
from authorizer.source.yaml import load_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from routing.oracle import Rule

    from authorizer.errors import Problem
    from authorizer.routing.table import RouteTable, Unmatched

HOST = "http://api.acme.test"


def compiled(*texts: str) -> RouteTable:
    """Return the table of rule files with these texts, named 0.yaml, 1.yaml and so on."""
    return compile_rules([load_yaml(text, f"{n}.yaml") for n, text in enumerate(texts)])


def refused(*texts: str) -> list[Problem]:
    """Return all that is wrong with rule files of these texts; nothing, where nothing is."""
    try:
        compiled(*texts)
    except RulesError as error:
        return list(error.problems)
    return []


def rule_file(*rules: Rule) -> str:
    """Return the text of a rule file with these rules."""
    return json.dumps({"version": 1, "routes": [_route(rule) for rule in rules]})


def _route(rule: Rule) -> dict[str, Any]:
    match: dict[str, Any] = {"path": rule.path, "methods": list(rule.methods)}
    if rule.hosts:
        match["hosts"] = list(rule.hosts)
    match |= dict(key.split(": ") for key in sorted(rule.says))
    return {"id": rule.id, "match": match, "effect": "allow"}


def ask(table: RouteTable, path: str, method: str = "GET", host: str = HOST) -> Matched | Unmatched:
    """Return what a table says of a request; the URL must be one that has an address."""
    address = locate(host + path)
    assert not isinstance(address, Ambiguous), address.detail
    return table.match(address, method)


def answer(table: RouteTable, path: str, method: str = "GET", host: str = HOST) -> str:
    """Return the id of the route that owns a request, or the reason why none does."""
    found = ask(table, path, method, host)
    return found.route.id if isinstance(found, Matched) else found.reason.value


def captures(pattern: str, path: str, says: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what the one route of a table captures of a path; it must own it."""
    match = {"path": pattern, "methods": ["GET"], **(says or {})}
    route = {"id": "only", "match": match, "effect": "allow"}
    found = ask(compiled(json.dumps({"version": 1, "routes": [route]})), path)
    assert isinstance(found, Matched), found
    return dict(found.path)
