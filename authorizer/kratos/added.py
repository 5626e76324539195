"""Attributes that profiles add to those of traits: what they are made of, and by whose hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TypeAlias

    # One of the values that an attribute can be.
    Part: TypeAlias = "FromTrait | Made"


@dataclass(frozen=True, slots=True)
class FromTrait:
    """A trait as it is; `path` are the keys below the traits."""

    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """A value that this JSON Schema describes; {} is anything."""

    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """What one profile makes an attribute of.

    It is one of the `parts`. `hands` have written what its expression reads: as `Writers.of` knows
    them, none for a constant.
    """

    profile: str
    parts: tuple[Part, ...]
    hands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Added:
    """An attribute that some profiles add, or set in place of a trait.

    `leaves_trait`: sessions of another profile have the trait of that name, if there is one.
    """

    name: str
    sources: tuple[Source, ...]
    leaves_trait: bool
