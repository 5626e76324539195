"""Regexes of others, compiled as Python's where the two agree."""

from __future__ import annotations

import re
import warnings


def compile_regex(text: str) -> re.Pattern[str]:
    """Return a regex compiled; raises ValueError for what Python reads not at all, or otherwise.

    Of the latter it warns: `[a-z-[aeiou]]` is a subtraction in .NET, and no nested set.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return re.compile(text)
    except (re.error, Warning, OverflowError) as error:
        raise ValueError(str(error)) from None
