"""Which traits an identity schema declares, through its references and its branches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authorizer.kratos.identity_schema import IdentitySchema, Node

_CHOICES: Final = ("anyOf", "oneOf")
_BRANCHES: Final = ("then", "else")


@dataclass(slots=True)
class Trait:
    """A trait of one identity schema.

    `always` are the schemas that its value fits; `sometimes` are those of branches (`anyOf`,
    `oneOf`, `then`, `else`), of which it fits one. `required`: no identity is written without it.
    """

    name: str
    always: list[Node] = field(default_factory=list)
    sometimes: list[Node] = field(default_factory=list)
    required: bool = False


def traits_of(schema: IdentitySchema) -> dict[str, Trait]:
    """Return the traits by name, in the order of the file; raises SourceError."""
    traits: dict[str, Trait] = {}
    required: set[str] = set()
    for part, certain in _parts(schema.traits, (), certain=True):
        for declared in part.children("properties"):
            name = str(declared.path[-1])
            trait = traits.setdefault(name, Trait(name))
            (trait.always if certain else trait.sometimes).append(declared)
        if certain:
            required.update(str(item.value) for item in part.children("required"))
    for trait in traits.values():
        trait.required = trait.name in required
    return traits


def _parts(node: Node, seen: tuple[object, ...], *, certain: bool) -> Iterator[tuple[Node, bool]]:
    """Yield all that a schema is put together from, and whether each part always applies."""
    if node.path in seen:
        return
    seen = (*seen, node.path)
    if (target := node.target()) is not None:
        # Draft 7: what stands beside a reference does not count.
        yield from _parts(target, seen, certain=certain)
        return
    yield node, certain
    for part in node.children("allOf"):
        yield from _parts(part, seen, certain=certain)
    for key in _CHOICES:
        for part in node.children(key):
            yield from _parts(part, seen, certain=False)
    for key in _BRANCHES:
        if (branch := node.get(key)) is not None:
            yield from _parts(branch, seen, certain=False)
