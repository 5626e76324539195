"""Read a request the careful way: strictly, and saying what is wrong and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from authorizer.contract import fields, strict_json
from authorizer.contract.pointer import pointer
from authorizer.errors import MalformedRequest
from authorizer.model import AccessRequest

if TYPE_CHECKING:
    from collections.abc import Mapping


def decode_carefully(body: bytes, authorization: tuple[str, ...] = ()) -> AccessRequest:
    """Return the request that `body` asks about, as `decode` does.

    Raises MalformedRequest for the first thing that is wrong.
    """
    tree = strict_json.parse(body)
    if not isinstance(tree, dict):
        raise _wrong_type("", tree, "an object")
    _check_keys(tree)
    _check_strings(tree)
    extra = tree.get("extra")
    if extra is not None and not isinstance(extra, dict):
        raise _wrong_type("/extra", extra, "an object or null")
    _check_profile(tree.get("profile", "default"))
    _check_headers(tree.get("headers", {}))
    _check_values(tree.get("forwarded_uri"), "forwarded_uri")
    return AccessRequest(
        subject=tree["subject"],
        method=tree["method"],
        url=tree["url"],
        profiles=(fields.profiles(tree["profile"]) or ()) if "profile" in tree else (),
        extra=extra,
        raw_path=tree.get("raw_path", ""),
        headers=fields.headers(tree.get("headers", {})) or {},
        forwarded_uri=fields.values(tree.get("forwarded_uri")) or None,
        authorization=authorization,
    )


def _check_keys(tree: dict[str, Any]) -> None:
    known = fields.REQUIRED + fields.OPTIONAL
    for key in tree:
        if key not in known:
            raise MalformedRequest(
                pointer([key]), f"is not a key of a request; known are {', '.join(known)}"
            )
    for key in fields.REQUIRED:
        if key not in tree:
            raise MalformedRequest("", f"has no {key!r}")


def _check_strings(tree: dict[str, Any]) -> None:
    for key in ("subject", "method", "url", "raw_path"):
        if not isinstance(tree.get(key, ""), str):
            raise _wrong_type(pointer([key]), tree[key], "a string")
    if not fields.is_method(tree["method"]):
        raise MalformedRequest("/method", "is not an HTTP method (RFC 9110: a token)")
    if not fields.is_absolute(tree["url"]):
        raise MalformedRequest("/url", "is not absolute; expected http(s)://authority/path")


def _check_profile(profile: object) -> None:
    if not isinstance(profile, (str, list)):
        raise _wrong_type("/profile", profile, "a name or a list of names")
    if isinstance(profile, list):
        for index, name in enumerate(profile):
            if not isinstance(name, str):
                raise _wrong_type(pointer(["profile", index]), name, "a name")
    if fields.profiles(profile) is None:
        raise MalformedRequest("/profile", "needs at least one name, none empty, none twice")


def _check_headers(headers: object) -> None:
    if not isinstance(headers, dict):
        raise _wrong_type("/headers", headers, "an object")
    seen: set[str] = set()
    for name, value in headers.items():
        lower = fields.header_name(name)
        if lower is None:
            raise MalformedRequest("/headers", "has a name that no header can have (RFC 9110)")
        if lower in seen:
            place = pointer(["headers", name])
            raise MalformedRequest(place, "differs from another name only in case")
        seen.add(lower)
        _check_values(value, "headers", name)


def _check_values(values: object, *way: str) -> None:
    if values is not None and not isinstance(values, (str, list)):
        raise _wrong_type(pointer(way), values, "null, a string or a list of strings")
    if isinstance(values, list):
        for index, value in enumerate(values):
            if not isinstance(value, str):
                raise _wrong_type(pointer([*way, index]), value, "a string")


_JSON_NAMES: Final[Mapping[type, str]] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def _wrong_type(place: str, value: object, expected: str) -> MalformedRequest:
    return MalformedRequest(place, f"is {_JSON_NAMES[type(value)]}; expected {expected}")
