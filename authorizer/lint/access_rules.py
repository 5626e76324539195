"""Oathkeeper's access rules: its own files, and `Rule` resources of oathkeeper-maester."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from authorizer.lint.urlpattern import parse_url_pattern
from authorizer.lint.view import View, whole
from authorizer.source.files import files_under

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from authorizer.lint.urlpattern import UrlPattern
    from authorizer.source.document import Document, Place

_SUFFIXES: Final = frozenset((".yaml", ".yml", ".json"))
_MAESTER: Final = "oathkeeper.ory.sh/"
# How the two spell the keys of `upstream`.
_STRIP_PATH: Final = ("strip_path", "stripPath")
# The authorizer that asks us.
REMOTE_JSON: Final = "remote_json"


def access_rule_files(path: Path) -> Iterator[Path]:
    """Return the files at and under `path` that may hold access rules, sorted; raises OSError."""
    return files_under(path, _SUFFIXES)


@dataclass(frozen=True, slots=True)
class Effective:
    """A handler's configuration: what the access rule says, over what Oathkeeper's file says.

    Oathkeeper merges mappings key by key and replaces everything else.
    (driver/configuration/provider_koanf.go, PipelineConfig.)
    `knows_defaults` says whether Oathkeeper's own file was given.
    """

    layers: tuple[View, ...]
    knows_defaults: bool

    def get(self, *keys: str) -> View | None:
        """Return the setting below the keys, or None where nobody sets it."""
        return next((found for layer in self.layers if (found := layer.get(*keys))), None)

    def text(self, *keys: str) -> str:
        """Return the string below the keys, or ""."""
        found = self.get(*keys)
        return found.value if found is not None and isinstance(found.value, str) else ""


@dataclass(frozen=True, slots=True)
class Handler:
    """A handler that an access rule names, as it is written (`view`) and as it is configured."""

    name: str
    view: View
    config: Effective

    @property
    def place(self) -> Place:
        """Where the access rule names it."""
        named = self.view.get("handler")
        return (named or self.view).place


@dataclass(frozen=True, slots=True, eq=False)
class AccessRule:
    """One access rule. `pattern` is None where its URL cannot be read; `problem` says why."""

    id: str
    view: View
    url: View
    pattern: UrlPattern | None
    problem: str
    methods: frozenset[str]
    authenticators: tuple[Handler, ...]
    authorizer: Handler | None
    strip_path: View | None
    upstream_url: View | None

    @property
    def asks(self) -> bool:
        """Whether it asks a remote authorizer with a payload: us."""
        return self.authorizer is not None and self.authorizer.name == REMOTE_JSON

    @property
    def methods_place(self) -> Place:
        """Where it lists its methods, or would."""
        written = self.view.get("match", "methods")
        return (written or self.url).place


class OathkeeperConfig:
    """Oathkeeper's configuration file, or none."""

    def __init__(self, document: Document | None) -> None:
        self.view: Final = whole(document) if document is not None else None

    @property
    def is_glob(self) -> bool:
        """Whether access rules are globs."""
        view = self.view
        return view is not None and view.text("access_rules", "matching_strategy") == "glob"

    def place(self, group: str, name: str) -> Place | None:
        """Return where this file configures a handler, or None where it does not."""
        found = self.view.get(group, name) if self.view is not None else None
        return found.key_place if found is not None else None

    def handler(self, group: str, name: str, own: View | None) -> Effective:
        """Return a handler's configuration; `own` is what the access rule says."""
        shared = self.view.get(group, name, "config") if self.view is not None else None
        layers = tuple(view for view in (own, shared) if view is not None)
        return Effective(layers, knows_defaults=self.view is not None)


def read_access_rules(
    documents: Iterable[Document], config: OathkeeperConfig
) -> tuple[AccessRule, ...]:
    """Return the access rules in these documents; what is none of them is passed over."""
    return tuple(
        _access_rule(view, name, config)
        for document in documents
        for view, name in _rules(whole(document))
    )


def _rules(view: View) -> Iterator[tuple[View, str]]:
    """Yield each access rule with its id."""
    if isinstance(view.value, list):
        for item in view.items():
            yield item, item.text("id")
    elif view.text("kind").endswith("List"):
        for item in view.items("items"):
            yield from _rules(item)
    elif view.text("kind") == "Rule" and view.text("apiVersion").startswith(_MAESTER):
        spec = view.get("spec")
        if spec is not None:
            name, namespace = view.text("metadata", "name"), view.text("metadata", "namespace")
            yield spec, f"{name}.{namespace}" if namespace else name


def _access_rule(view: View, name: str, config: OathkeeperConfig) -> AccessRule:
    url = view.get("match", "url") or view
    pattern, problem = None, ""
    try:
        pattern = parse_url_pattern(view.text("match", "url"), is_glob=config.is_glob)
    except ValueError as error:
        problem = str(error)
    written = view.get("authorizer")
    upstream = view.get("upstream")
    strip = [upstream.get(key) for key in _STRIP_PATH] if upstream is not None else []
    return AccessRule(
        id=name or f"in line {view.place.line}",
        view=view,
        url=url,
        pattern=pattern,
        problem=problem,
        methods=frozenset(
            item.value.upper()
            for item in view.items("match", "methods")
            if isinstance(item.value, str)
        ),
        authenticators=tuple(
            _handler("authenticators", item, config) for item in view.items("authenticators")
        ),
        authorizer=_handler("authorizers", written, config) if written is not None else None,
        strip_path=next((found for found in strip if found is not None and found.value), None),
        upstream_url=view.get("upstream", "url"),
    )


def _handler(group: str, view: View, config: OathkeeperConfig) -> Handler:
    name = view.text("handler")
    return Handler(name, view, config.handler(group, name, view.get("config")))
