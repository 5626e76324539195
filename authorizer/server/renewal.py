"""Credentials that are renewed while we serve: a saved file counts, and a broken one does not."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from authorizer.errors import ConfigError
from authorizer.source.watch import changes, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from authorizer.errors import Problem

# Seconds until a watch that failed is tried again.
_WATCH_AGAIN: Final = 1.0

_log = structlog.get_logger()


class Credential(Protocol):
    """Something that is read from files. `setting` is its name for people."""

    @property
    def setting(self) -> str:
        """The setting that names the files."""

    @property
    def files(self) -> Sequence[Path]:
        """The files that it is read from."""

    def load(self) -> None:
        """Read it anew, whole or not at all. Raises ConfigError."""


class Renewal:
    """Keeps a credential as new as its files.

    `told` is called after each attempt but the first with the setting, and why the files were
    refused or None.
    """

    def __init__(self, credential: Credential, told: Callable[[str, Problem | None], None]) -> None:
        self._credential = credential
        self._told = told
        # Before they are read, so that what is saved meanwhile is not missed.
        self._seen = fingerprint(credential.files)

    async def run(self) -> None:
        """Read it again whenever a file changed, until cancelled; nothing that goes wrong ends it.

        Whoever runs it has loaded the credential.
        """
        while True:
            try:
                await self._follow()
            except Exception:  # noqa: BLE001 - a watch that fails is begun anew
                setting = self._credential.setting
                _log.error("credentials.watch_failed", setting=setting, exc_info=True)
            await asyncio.sleep(_WATCH_AGAIN)

    async def _follow(self) -> None:
        async with contextlib.aclosing(changes(self._credential.files, since=self._seen)) as saved:
            async for _ in saved:
                # Should the watch be begun anew, it goes on from here.
                self._seen = await asyncio.to_thread(fingerprint, self._credential.files)
                await self._load_again()

    async def _load_again(self) -> None:
        setting = self._credential.setting
        try:
            await asyncio.to_thread(self._credential.load)
        except ConfigError as refused:
            [problem] = refused.problems
            _log.error(
                "credentials.refused",
                setting=setting,
                problem=str(problem),
                detail="what was read before goes on counting",
            )
            self._told(setting, problem)
        else:
            _log.info("credentials.reloaded", setting=setting)
            self._told(setting, None)
