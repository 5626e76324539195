"""The shape of a rule file as types: a quick yes to what rules.schema.json says at length.

The schema is the truth, and words every error. Asking it about 10,000 routes takes 3.6 s, and
most files are right: a file that these types take (0.05 s), the schema takes too. A property
holds them to that.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

_Method: TypeAlias = Annotated[
    str, Meta(pattern=r"^(\*|[A-Z][A-Z0-9!#$%&'*+.^_`|~-]{0,31})$(?!\n)")
]
_HeaderName: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$(?!\n)")]
_Template: TypeAlias = Annotated[str, Meta(min_length=1)]
_Name: TypeAlias = Annotated[str, Meta(min_length=1)]
_Id: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$(?!\n)")]
_Hosts: TypeAlias = Annotated[list[Annotated[str, Meta(max_length=253)]], Meta(min_length=1)]
_Wanted: TypeAlias = Annotated[dict[_Name, str], Meta(min_length=1)]
_Profiles: TypeAlias = Annotated[list[_Name], Meta(min_length=1)]


_Duration: TypeAlias = Annotated[
    str,
    Meta(pattern=r"^(?=[0-9.]*[1-9])(?:0|[1-9][0-9]{0,5})(?:\.[0-9]{1,3})?(?:ms|s|m|h)$(?!\n)"),
]


class _Shape(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Refuses unknown keys; a subclass says which of its lists may not repeat themselves."""


def _unique(*lists: list[str] | UnsetType) -> None:
    for items in lists:
        if items is not UNSET and len(set(items)) != len(items):
            msg = "a value stands twice in a list"
            raise ValueError(msg)


class _Cache(_Shape):
    ttl: _Duration


class _Reading(_Shape):
    encoded_slash: Literal["keep", "split"] | UnsetType = UNSET
    empty_segments: Literal["allow"] | UnsetType = UNSET
    matrix_parameters: Literal["keep"] | UnsetType = UNSET
    case: Literal["strict"] | UnsetType = UNSET
    trailing_slash: Literal["ignore", "strict"] | UnsetType = UNSET
    suffix: Literal["strict"] | UnsetType = UNSET
    hosts: _Hosts | UnsetType = UNSET


class _Defaults(_Reading):
    mode: Literal["enforce", "observe"] | UnsetType = UNSET
    profiles: _Profiles | UnsetType = UNSET
    preflight: Literal["allow"] | UnsetType = UNSET
    cache: _Cache | UnsetType = UNSET

    def __post_init__(self) -> None:
        _unique(self.hosts, self.profiles)


class _Match(_Reading, kw_only=True):
    path: Annotated[str, Meta(max_length=2048)]
    methods: Annotated[list[_Method], Meta(min_length=1)] | UnsetType = UNSET
    query: _Wanted | UnsetType = UNSET
    headers: Annotated[dict[_HeaderName, str], Meta(min_length=1)] | UnsetType = UNSET

    def __post_init__(self) -> None:
        _unique(self.hosts, self.methods)


class _Resource(_Shape):
    kind: _Template
    id: _Template
    attr: dict[_Name, Any] | UnsetType = UNSET
    policy_version: _Template | UnsetType = UNSET
    scope: _Template | UnsetType = UNSET


class _Asking(_Shape):
    action: _Template | UnsetType = UNSET
    actions: Annotated[dict[_Method, _Template], Meta(min_length=1)] | UnsetType = UNSET


class _Check(_Asking, kw_only=True):
    resource: _Resource
    policy_version: _Template | UnsetType = UNSET
    scope: _Template | UnsetType = UNSET


class _Route(_Asking, kw_only=True):
    id: _Id
    match: _Match
    description: str | UnsetType = UNSET
    resource: _Resource | UnsetType = UNSET
    checks: Annotated[list[_Check], Meta(min_length=1, max_length=50)] | UnsetType = UNSET
    require: Literal["all", "any"] | UnsetType = UNSET
    effect: Literal["allow", "deny"] | UnsetType = UNSET
    mode: Literal["enforce", "observe"] | UnsetType = UNSET
    profiles: _Profiles | UnsetType = UNSET
    preflight: Literal["allow"] | UnsetType = UNSET
    cache: _Cache | UnsetType | None = UNSET
    response_headers: dict[_HeaderName, str] | UnsetType = UNSET
    redact: Annotated[list[str], Meta(min_length=1)] | UnsetType = UNSET

    def __post_init__(self) -> None:
        _unique(self.profiles, self.redact)


class _File(_Shape):
    version: Literal[1]
    routes: list[_Route]
    defaults: _Defaults | UnsetType = UNSET


def is_well_formed(value: object) -> bool:
    """Say whether the value of a rule file surely fits the schema; no is not the last word."""
    try:
        msgspec.convert(value, _File)
    except (msgspec.ValidationError, RecursionError):
        return False
    return True
