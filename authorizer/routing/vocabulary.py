"""The names that a route's expressions may use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from authorizer.expressions.cel import Reference, Type, Vocabulary

if TYPE_CHECKING:
    from authorizer.model import Principal

VOCABULARY: Final = Vocabulary(
    {
        "path": Type.STRINGS,
        "query": Type.STRINGS,
        "query_all": Type.LISTS,
        "headers": Type.STRINGS,
        "headers_all": Type.LISTS,
        "request": Type.STRINGS,
        "subject": Type.STRING,
        "extra": Type.ANY,
        "principal": Type.ANY,
    }
)

# What a response header can say, once it has been decided.
ANSWER: Final = Vocabulary(
    {
        "outputs": Type.ANY,
        "path": Type.STRINGS,
        "subject": Type.STRING,
        "principal": Type.ANY,
    }
)

_FIELDS: Final = {
    "request": ("method", "scheme", "host", "path"),
    "principal": ("id", "roles", "attr"),
}
# Names whose keys must be written out, so that it is known at load what a request may not repeat.
_SPELLED: Final = ("query", "headers")


def principal_names(principal: Principal) -> dict[str, Any]:
    """Return what an expression finds under `principal`."""
    return {"id": principal.id, "roles": list(principal.roles), "attr": principal.attr}


def _spelled(name: str, field: str) -> str:
    return f"{name}.{field}" if field.isidentifier() else f"{name}['{field}']"


def objection_to(reference: Reference, captures: tuple[str, ...]) -> str:
    """Return what is wrong with a name that an expression reads, or ""."""
    name, keys = reference.name, reference.keys
    first = keys[0] if keys else None
    known = captures if name == "path" else _FIELDS.get(name)
    problem = ""
    if known is not None and first is not None and first not in known:
        problem = f"there is no `{_spelled(name, first)}`; there is " + (
            ", ".join(f"`{_spelled(name, field)}`" for field in known) or "no capture in the path"
        )
    elif name in _SPELLED and first is None:
        problem = f"write out which of `{name}` is meant, like `{name}['x-tenant']`"
    elif name in ("headers", "headers_all") and first is not None and first != first.lower():
        problem = f"header names are in lower case here: `{name}['{first.lower()}']`"
    return problem
