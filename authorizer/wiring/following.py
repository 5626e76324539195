"""Whether the configuration file is not what runs any more."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import structlog

from authorizer.source.watch import changes, fingerprint
from authorizer.wiring.background import in_background

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AsyncExitStack
    from pathlib import Path

    from authorizer.config.loading import Loaded

_log = structlog.get_logger()


def follow_config(loaded: Loaded, stack: AsyncExitStack, tell: Callable[[bool], None]) -> None:
    """Say whether the configuration file is not what runs, whenever that changes."""
    if loaded.file is not None:
        in_background(_watch_config(loaded.file, tell), "config", stack)


async def _watch_config(file: Path, tell: Callable[[bool], None]) -> None:
    """Say when the configuration is not what runs: it is read at the start only."""
    seen = fingerprint([file], suffixes=(file.suffix,))
    before = await asyncio.to_thread(_content, file)
    async with aclosing(changes([file], since=seen, suffixes=(file.suffix,))) as saved:
        async for _ in saved:
            changed = await asyncio.to_thread(_content, file) != before
            tell(changed)
            if changed:
                _log.warning(
                    "config.changed", file=str(file), detail="it is read at the start only: restart"
                )
            else:
                _log.info("config.restored", file=str(file))


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None
