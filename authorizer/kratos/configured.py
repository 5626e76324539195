"""Which identity schemas Kratos's configuration names."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from authorizer.errors import SourceError
from authorizer.source.yaml import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_BASE64: Final = "base64://"


def schemas_left_out(config: Path, given: Sequence[Path]) -> tuple[str, ...]:
    """Return the ids of the identity schemas in a configuration that are none of the given files.

    A file is known by its name alone, as Kratos may have it in another folder than we. Nothing is
    said of a configuration that cannot be read.
    """
    names = {path.name for path in given}
    try:
        contents = {path.read_bytes() for path in given}
        named = list(_named(config))
    except (SourceError, OSError):
        return ()
    return tuple(
        id_ for id_, url in named if _file_name(url) not in names and _decoded(url) not in contents
    )


def _named(config: Path) -> Iterator[tuple[str, str]]:
    value = read_yaml(config).value
    identity = value.get("identity") if isinstance(value, dict) else None
    schemas = identity.get("schemas") if isinstance(identity, dict) else None
    for schema in schemas if isinstance(schemas, list) else ():
        if isinstance(schema, dict):
            url = schema.get("url")
            if isinstance(url, str):
                yield str(schema.get("id")), url


def _file_name(url: str) -> str:
    # As Kratos reads it, `file://` is followed by a path at once, relative ones too.
    return unquote(url.partition("?")[0].rpartition("/")[2])


def _decoded(url: str) -> bytes | None:
    if not url.startswith(_BASE64):
        return None
    try:
        return base64.b64decode(url.removeprefix(_BASE64), validate=True)
    except (binascii.Error, ValueError):
        return None
