"""The pages about rules say what is so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest

from authorizer.routing.compile import compile_rules
from authorizer.routing.reading import Ambiguous, locate
from authorizer.routing.table import Matched
from authorizer.source.schema import load_schema
from authorizer.source.yaml import load_yaml

DOCS: Final = Path(__file__).parents[2] / "docs"
REFERENCE: Final = (DOCS / "route-rules.md").read_text()
RECIPES: Final = (DOCS / "recipes.md").read_text()


def rule_files(text: str) -> list[str]:
    blocks: list[str] = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    return [block for block in blocks if block.startswith("version: 1")]


@pytest.mark.parametrize("text", rule_files(REFERENCE) + rule_files(RECIPES))
def test_every_rule_file_in_the_docs_loads(text: str) -> None:
    assert compile_rules([load_yaml(text, "docs")]).routes


def keys(node: Any) -> set[str]:  # noqa: ANN401 - JSON
    found = set(node.get("properties", ()))
    for inner in (*node.get("properties", {}).values(), *node.get("$defs", {}).values()):
        found |= keys(inner)
    return found


def test_the_reference_has_every_key_of_the_schema_and_no_other() -> None:
    known = keys(load_schema("authorizer.routing", "rules.schema.json").definition)
    table = REFERENCE.partition("## Reference")[2].partition("## What is refused")[0]
    documented = {
        name
        for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for name in re.findall(r"`([a-z_]+)`", row)
    }
    assert documented == known


def described(node: Any, name: str = "") -> list[str]:  # noqa: ANN401 - JSON
    """Return the keys that say nothing about themselves."""
    silent = []
    for key, inner in node.get("properties", {}).items():
        if "description" not in inner and "$ref" not in inner:
            silent.append(f"{name}.{key}")
        silent += described(inner, f"{name}.{key}")
    return silent


def test_the_schema_describes_every_key_for_an_editor() -> None:
    definition = load_schema("authorizer.routing", "rules.schema.json").definition
    silent = described(definition)
    for name, inner in definition["$defs"].items():
        silent += described(inner, name)
        if name not in ("route", "wanted", "header", "method"):
            assert "description" in inner, name
    assert silent == []


@pytest.mark.parametrize(
    ("title", "method", "url", "route"),
    [
        ("A REST collection", "POST", "/invoices", "invoices.collection"),
        ("A REST collection", "HEAD", "/invoices/0E9D3B2A-3A63-4C5D-9A55-0F8A4C1B2D3E",
         "invoices.item"),
        ("The tenant in the path", "GET", "/orgs/acme/documents/1", "documents.item"),
        ("An RPC-style action", "POST", "/documents/7:archive", "documents.verbs"),
        ("An RPC-style action", "POST", "/rpc/invoice.send", "rpc"),
        ("A file tree", "GET", "/files/a%2Fb/c.txt", "files"),
        ("Public endpoints", "PUT", "/login/a/b", "login"),
        ("CORS", "OPTIONS", "/documents/1", "documents.item"),
        ("Secrets in a path", "POST", "/invitations/abc", "invitations"),
    ],
)  # fmt: skip
def test_a_recipe_answers_for_what_it_is_about(
    title: str, method: str, url: str, route: str
) -> None:
    section = RECIPES.partition(f"## {title}\n")[2].partition("\n## ")[0]
    table = compile_rules([load_yaml(rule_files(section)[0], title)])
    address = locate("http://a.test" + url)
    assert not isinstance(address, Ambiguous)
    found = table.match(address, method)
    assert isinstance(found, Matched), found
    assert found.route.id == route
