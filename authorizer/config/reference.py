"""The configuration reference: config.schema.json as Markdown.

`python -m authorizer.config.reference docs/configuration.md` writes it between the two markers of
that page.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from authorizer.config.keys import FLAGS, config_keys, config_schema
from authorizer.source.marked import replaced

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from authorizer.config.keys import Key

BEGIN: Final = "<!-- begin: written from config.schema.json -->"
END: Final = "<!-- end: written from config.schema.json -->"


def reference() -> str:
    """Return the reference of all settings, as Markdown: a section and a table for each group."""
    return "\n".join(_lines())


def refreshed(page: str) -> str:
    """Return the page with the reference between its markers; raises ValueError without them."""
    return replaced(page, BEGIN, END, reference())


def _lines() -> Iterator[str]:
    # A setting that is in no group is a group by itself.
    groups: dict[tuple[str, ...], list[Key]] = {}
    for key in config_keys():
        groups.setdefault(key.path[:-1] or key.path, []).append(key)
    for path, keys in groups.items():
        yield from _heading(path)
        yield from map(_row, keys)


def _heading(path: tuple[str, ...]) -> Iterator[str]:
    node: Mapping[str, Any] = config_schema().definition
    for name in path:
        node = node["properties"][name]
    yield f"\n### `{'.'.join(path)}`\n"
    if "properties" in node:
        yield f"{node['description']}\n"
    yield "| setting | type | default | meaning |"
    yield "| --- | --- | --- | --- |"


def _row(key: Key) -> str:
    flags = [f"`{flag}`" for flag, path in FLAGS.items() if path == key.path]
    meaning = " ".join(
        [
            key.node["description"],
            f"Example: {_code(key.node['examples'][0])}.",
            *(f"Flag: {flag}." for flag in flags),
        ]
    )
    cells = (f"`{key.dotted}`", _type(key.node), _default(key), meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _type(node: Mapping[str, Any]) -> str:
    if "enum" in node:
        return ", ".join(_code(value) for value in node["enum"])
    if node["type"] == "array":
        definitions = config_schema().definition["$defs"]
        item = definitions[node["items"]["$ref"].removeprefix("#/$defs/")]["title"]
        return f"list of {item}{'es' if item.endswith('s') else 's'}"
    names = {"object": "mapping", "integer": "whole number", "boolean": "`true`, `false`"}
    return str(node.get("title") or names.get(node["type"], node["type"]))


def _default(key: Key) -> str:
    if key.required:
        return "required"
    return str(key.node["x-default"]) if "x-default" in key.node else _code(key.node["default"])


def _code(value: object) -> str:
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"


def _main(names: list[str]) -> None:
    for page in map(Path, names):
        page.write_text(refreshed(page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    _main(sys.argv[1:])
