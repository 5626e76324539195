"""Files that hold a secret: whether others may read them, and the shared secrets in one."""

from __future__ import annotations

import re
import stat
from typing import TYPE_CHECKING, Final

from authorizer.errors import ConfigError, Problem

if TYPE_CHECKING:
    from pathlib import Path

_FOR_EVERYONE: Final = stat.S_IROTH | stat.S_IWOTH
# Two, so that the old and the new one are both right while they are exchanged.
_MOST: Final = 2
# 128 bits in hexadecimal digits.
_SHORTEST: Final = 32
_LONGEST: Final = 1024
# What every header carries as it is.
_VISIBLE: Final = re.compile(rb"[!-~]+")
_HINT: Final = "write one or two lines, each as `openssl rand -hex 32` prints it"


def refuse_exposed(path: Path, what: str) -> None:
    """Raise ConfigError where everyone may read or write a file; `what` names what it holds.

    The group may: so Kubernetes mounts a Secret for a process that is not root's.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise _refused(path, f"cannot be read: {error.strerror}") from error
    if mode & _FOR_EVERYONE:
        hint = f"chmod o= {path} (defaultMode: 0440 for a Kubernetes Secret)"
        raise _refused(path, f"everyone on this machine may read this {what}", hint)


def read_shared_secrets(path: Path) -> tuple[bytes, ...]:
    """Return the secrets in a file, one or two, each on a line of its own.

    Raises ConfigError that says which line is wrong, and never what stands there.
    """
    refuse_exposed(path, "shared secret")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _refused(path, f"cannot be read: {error.strerror}") from error
    lines = [(number, line.strip()) for number, line in enumerate(content.split(b"\n"), 1)]
    secrets = [(number, secret) for number, secret in lines if secret]
    for number, secret in secrets:
        if not _SHORTEST <= len(secret) <= _LONGEST:
            message = f"line {number} is not {_SHORTEST} to {_LONGEST} characters long"
            raise _refused(path, message, _HINT)
        if not _VISIBLE.fullmatch(secret):
            raise _refused(path, f"line {number} is not all visible ASCII characters", _HINT)
    if not 1 <= len(secrets) <= _MOST:
        raise _refused(path, f"has {len(secrets)} secrets, not one or two", _HINT)
    return tuple(secret for _, secret in secrets)


def _refused(path: Path, message: str, hint: str = "") -> ConfigError:
    return ConfigError([Problem(str(path), 0, 0, message, hint)])
