"""The secret that whoever asks for a decision has to know."""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import TYPE_CHECKING, Final

from authorizer.config.private import read_shared_secrets
from authorizer.model import Reason, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from multidict import CIMultiDictProxy

# docs/oathkeeper.md has it in Oathkeeper's configuration.
HEADER: Final = "X-Authorizer-Secret"


class SharedSecret:
    """The secrets of a file, each as good as the other. `load` before the first request."""

    setting: Final = "server.shared_secret"

    def __init__(self, file: str) -> None:
        self._file = Path(file)
        self.files: Final[Sequence[Path]] = (self._file,)
        self._known: tuple[bytes, ...] = ()

    def load(self) -> None:
        """Read the file anew. Raises ConfigError; what was read before then stays."""
        self._known = read_shared_secrets(self._file)

    def refusal(self, headers: CIMultiDictProxy[str]) -> Refused | None:
        """Return why this is nobody's request who knows a secret, or None."""
        given = headers.getall(HEADER, ())
        if len(given) != 1:
            amount = "more than one" if given else "no"
            return Refused(Reason.BAD_SHARED_SECRET, f"the request has {amount} {HEADER}")
        # As bytes: of text, compare_digest takes ASCII only.
        text = given[0].encode("utf-8", "surrogateescape")
        # All of them, always: the time that it takes tells nothing of how near it was.
        same = [hmac.compare_digest(text, secret) for secret in self._known]
        if any(same):
            return None
        return Refused(Reason.BAD_SHARED_SECRET, f"{HEADER} is none of {self.setting}")
