"""Where the `cerbos` program is."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Final

from authorizer.errors import ConfigError, Problem

_NAME: Final = "cerbos"
_SETTING: Final = "pdp.embedded.cerbos"


def find_cerbos(
    explicit: str | None = None,
    *,
    prefix: Path | None = None,
    checkout: Path | None = None,
    path: str | None = None,
) -> Path:
    """Return the absolute path of the program that will be run.

    `explicit`, or else the first of `prefix`/bin (the installation's own; by default sys.prefix),
    `checkout`/.tools/bin (by default that of the folder which holds this package), and the folders
    of `path` (by default $PATH). Raises ConfigError that names every place, and what to do.
    """
    if explicit is not None:
        # A name with a slash is a path, a bare one is looked up, as a shell does.
        found = shutil.which(explicit, path=path)
        if found is None:
            message = f"{explicit} is not an executable file"
            raise ConfigError([Problem(_SETTING, 0, 0, message, "give the path of cerbos")])
        return Path(found).absolute()
    prefix = prefix or Path(sys.prefix)
    checkout = checkout or Path(__file__).parents[2]
    beside = [prefix / "bin" / _NAME, checkout / ".tools" / "bin" / _NAME]
    for candidate in beside:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate.absolute()
    found = shutil.which(_NAME, path=path)
    if found is not None:
        return Path(found).absolute()
    places = ", ".join(map(str, beside))
    message = f"found no program named cerbos: looked at {places} and in PATH"
    hint = f"install Cerbos, or say where it is with --cerbos or {_SETTING}"
    raise ConfigError([Problem(_SETTING, 0, 0, message, hint)])
