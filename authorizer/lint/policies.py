"""What Cerbos policy files know: kinds, actions, versions, scopes, and what they compute.

From the files themselves, so that nothing has to run. A disabled policy knows nothing, nor does a
role policy: it only narrows what resource policies allow (measured: one by itself allows nothing).
Tests, their data and schemas are no policies. (cerbos.dev: the disk store reads *.yaml, *.yml and
*.json, but for *_test.*, testdata/, _schemas/ and names that begin with a dot.)
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from authorizer.lint.conditions import Conditions, read_conditions
from authorizer.lint.glob import glob_regex
from authorizer.lint.resource_schemas import read_schema
from authorizer.lint.view import whole
from authorizer.source.files import files_under

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from authorizer.kratos.identity_schema import Node
    from authorizer.lint.view import View
    from authorizer.source.document import Document, Place

_SUFFIXES: Final = frozenset((".yaml", ".yml", ".json"))
_NOT_POLICIES: Final = frozenset(("_schemas", "testdata"))
DEFAULT_VERSION: Final = "default"
_ANYTHING: Final = "*"
_KINDS: Final = (
    *("resourcePolicy", "principalPolicy", "rolePolicy"),
    *("derivedRoles", "exportVariables", "exportConstants"),
)


def policy_files(folder: Path) -> Iterator[Path]:
    """Yield the policy files at and under `folder`, sorted; raises OSError."""
    for file in files_under(folder, _SUFFIXES, without=_NOT_POLICIES):
        if file == folder or not file.stem.endswith("_test"):
            yield file


@dataclass(frozen=True, slots=True)
class Grant:
    """What a rule is about: these actions of these kinds. Both may be globs."""

    kind: str
    actions: tuple[str, ...]
    scope: str


@dataclass(frozen=True, slots=True)
class ResourcePolicy:
    """A resource policy, by what identifies it.

    `schema` refers to that of the resource, "" for none; for actions in `unchecked` it is not
    looked at.
    """

    kind: str
    version: str
    scope: str
    schema: str = ""
    unchecked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Named:
    """A kind that a resource policy is about, or with `action` one that a rule of it names."""

    kind: str
    action: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class Role:
    """A role that a rule is for, or with `is_parent` one that a derived role is made of."""

    name: str
    place: Place
    is_parent: bool


@dataclass(frozen=True, slots=True)
class Import:
    """A set of derived roles that a policy imports."""

    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Policies:
    """Everything that a set of policy files knows by name, and their `conditions`."""

    resources: frozenset[ResourcePolicy] = frozenset()
    grants: tuple[Grant, ...] = ()
    derived_roles: frozenset[str] = frozenset()
    imports: tuple[Import, ...] = ()
    kinds: tuple[str, ...] = ()
    names: tuple[Named, ...] = ()
    roles: tuple[Role, ...] = ()
    defined_roles: frozenset[str] = frozenset()
    conditions: Conditions = field(default_factory=Conditions)
    schemas: Mapping[str, Node] = field(default_factory=dict)

    def knows_kind(self, kind: str) -> bool:
        """Say whether a policy is about this kind; one about everything (`*`) does not count."""
        return kind in self.kinds or any(
            grant.kind != _ANYTHING and fits_kind(grant.kind, kind) for grant in self.grants
        )

    def schemas_of(self, kind: str) -> list[Node]:
        """Return the schemas that policies of a kind name, as far as they can be read."""
        named = {policy.schema for policy in self.resources if policy.kind == kind}
        return [self.schemas[name] for name in named if name in self.schemas]

    def schema_for(self, kind: str, actions: Iterable[str | None]) -> Node | None:
        """Return the schema that resources of a kind have to fit for some of the actions.

        None where there is none, where policies of the kind name several, or where an action is
        not known (None) and some are not held to it.
        """
        own = [policy for policy in self.resources if policy.kind == kind]
        if len({(policy.schema, policy.unchecked) for policy in own}) != 1:
            return None
        if own[0].unchecked and all(
            action is None or any(fits_action(glob, action) for glob in own[0].unchecked)
            for action in actions
        ):
            return None
        return self.schemas.get(own[0].schema)

    def versions(self, kind: str) -> set[str]:
        """Return the versions of the resource policies of a kind."""
        return {policy.version for policy in self.resources if policy.kind == kind}

    def scopes(self, kind: str) -> set[str]:
        """Return the scopes of the resource policies of a kind; "" is none."""
        return {policy.scope for policy in self.resources if policy.kind == kind}

    def knows_scope(self, kind: str, scope: str, *, leniently: bool) -> bool:
        """Say whether a policy of a kind has the scope or, leniently, one above it."""
        known = self.scopes(kind)
        return scope in known or (leniently and any(_is_at_or_above(one, scope) for one in known))

    def actions(self, kind: str, scope: str | None) -> list[str]:
        """Return the globs of all actions that rules about `kind` name.

        With a scope only what stands in it and above it; None is a scope that is not known.
        """
        found: dict[str, None] = {}
        for grant in self.grants:
            if scope is not None and not _is_at_or_above(grant.scope, scope):
                continue
            if fits_kind(grant.kind, kind):
                found.update(dict.fromkeys(grant.actions))
        return list(found)

    def knows_action(self, kind: str, action: str, scope: str | None) -> bool:
        """Say whether a rule about `kind` names the action, by itself or by a wildcard."""
        return any(fits_action(glob, action) for glob in self.actions(kind, scope))


def _is_at_or_above(scope: str, inner: str) -> bool:
    return scope in ("", inner) or inner.startswith(f"{scope}.")


def fits_action(glob: str, text: str) -> bool:
    """Say whether an action is one that a rule names, by itself or by a wildcard."""
    return glob == text or _compiled(glob).fullmatch(text) is not None


def fits_kind(glob: str, kind: str) -> bool:
    """Say whether a kind is one that a rule is about."""
    # A colon in a kind is nothing special: `m*` fits `m:o`, and `a:*` fits nothing (measured).
    return glob == kind or _compiled(glob).fullmatch(kind.replace(":", "_")) is not None


@functools.lru_cache(maxsize=4096)
def _compiled(glob: str) -> re.Pattern[str]:
    """Return a glob of Cerbos: `*` by itself is everything, else it stops at a colon.

    Without a `*` it is no glob: `view:{own,public}` is an action of just that name (measured).
    """
    if _ANYTHING not in glob:
        return re.compile(re.escape(glob))
    try:
        return re.compile("(?s:.*)" if glob == _ANYTHING else glob_regex(glob, ":"))
    except ValueError:
        return re.compile(re.escape(glob))


def read_policies(documents: Iterable[Document], folder: Path) -> Policies:
    """Return what the policies in these documents know; their schemas are under `folder`."""
    enabled = [view for view in map(whole, documents) if not _is_disabled(view)]
    resources = [
        ResourcePolicy(
            policy.text("resource"),
            policy.text("version") or DEFAULT_VERSION,
            policy.text("scope"),
            policy.text("schemas", "resourceSchema", "ref"),
            _texts(policy, "schemas", "resourceSchema", "ignoreWhen", "actions"),
        )
        for policy in _each(enabled, "resourcePolicy")
    ]
    return Policies(
        resources=frozenset(resources),
        grants=tuple(_grants(enabled)),
        derived_roles=frozenset(
            policy.text("name") for policy in _each(enabled, "derivedRoles") if policy.text("name")
        ),
        imports=tuple(
            Import(item.value, item.place)
            for policy in _each(enabled, "resourcePolicy")
            for item in policy.items("importDerivedRoles")
            if isinstance(item.value, str)
        ),
        kinds=tuple(sorted({policy.kind for policy in resources if policy.kind})),
        names=tuple(_names(enabled)),
        roles=tuple(_roles(enabled)),
        defined_roles=frozenset(
            definition.text("name")
            for policy in _each(enabled, "derivedRoles")
            for definition in policy.items("definitions")
        ),
        conditions=read_conditions(enabled),
        schemas={
            reference: schema
            for reference in {policy.schema for policy in resources}
            if (schema := read_schema(folder, reference)) is not None
        },
    )


def is_policy(document: Document) -> bool:
    """Say whether a document claims to be a Cerbos policy: by its version, or by what it is of."""
    view = whole(document)
    return view.text("apiVersion").startswith("api.cerbos.dev/") or any(
        view.get(kind) is not None for kind in _KINDS
    )


def _is_disabled(view: View) -> bool:
    found = view.get("disabled")
    return found is not None and found.value is True


def _each(views: Sequence[View], kind: str) -> Iterator[View]:
    for view in views:
        found = view.get(kind)
        if found is not None:
            yield found


def _grants(views: Sequence[View]) -> Iterator[Grant]:
    for policy in _each(views, "resourcePolicy"):
        for rule in policy.items("rules"):
            yield Grant(policy.text("resource"), _texts(rule, "actions"), policy.text("scope"))
    for policy in _each(views, "principalPolicy"):
        for rule in policy.items("rules"):
            named = tuple(item.text("action") for item in rule.items("actions"))
            found = Grant(rule.text("resource"), named, policy.text("scope"))
            if _names_something(found):
                yield found


def _names(views: Sequence[View]) -> Iterator[Named]:
    for policy in _each(views, "resourcePolicy"):
        kind = policy.text("resource")
        written = policy.get("resource")
        if kind and written is not None:
            yield Named(kind, None, written.place)
        for rule in policy.items("rules"):
            for item in rule.items("actions"):
                if isinstance(item.value, str) and _ANYTHING not in item.value:
                    yield Named(kind, item.value, item.place)


def _roles(views: Sequence[View]) -> Iterator[Role]:
    lists = (("resourcePolicy", "rules", "roles"), ("derivedRoles", "definitions", "parentRoles"))
    for kind, parts, key in lists:
        for policy in _each(views, kind):
            for part in policy.items(parts):
                for item in part.items(key):
                    if isinstance(item.value, str):
                        yield Role(item.value, item.place, is_parent=key == "parentRoles")


def _names_something(grant: Grant) -> bool:
    """Say whether a grant names anything: "everything about everything" knows nothing by name."""
    return grant.kind != _ANYTHING or _ANYTHING not in grant.actions


def _texts(view: View, *keys: str) -> tuple[str, ...]:
    return tuple(item.value for item in view.items(*keys) if isinstance(item.value, str))
