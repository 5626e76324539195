"""What an unquoted YAML scalar means: what JSON says, or a string, or a refusal.

YAML 1.1 and 1.2, and their readers, disagree about many plain scalars (`NO`, `010`, `1:30`). One
that any of them reads as something else than a string is accepted only where JSON gives it the
same meaning; all others are refused with what to write instead.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Surprise:
    """A plain scalar whose meaning depends on who reads it.

    `what` completes the sentence "`NO` is …"; `instead` is what to write, "" for only the quotes.
    """

    what: str
    instead: str = ""


# YAML 1.2, 10.3.2: the core schema's spellings, the ones that every reader agrees on.
_CONSTANTS: Final[dict[str, bool | None]] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}

# https://yaml.org/type/bool.html; PyYAML itself leaves out y and n, other readers do not.
_TRUE_IN_1_1: Final = frozenset("y Y yes Yes YES on On ON".split())  # noqa: SIM905 - one glance
_FALSE_IN_1_1: Final = frozenset("n N no No NO off Off OFF".split())  # noqa: SIM905 - one glance

_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")

_INT64: Final = range(-(2**63), 2**63)
_INT64_DIGITS: Final = 20

# https://yaml.org/type/{int,float,timestamp,merge,value}.html, and YAML 1.2's `0o17`.
_SURPRISES: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile(r"[-+]?0[0-9_]+"), "an octal number in YAML 1.1 and a decimal one in YAML 1.2"),
    (re.compile(r"[-+]?0o[0-7_]+"), "an octal number in YAML 1.2 and a string in YAML 1.1"),
    (re.compile(r"[-+]?0x[0-9a-fA-F_]+"), "a hexadecimal number in YAML"),
    (re.compile(r"[-+]?0b[01_]+"), "a binary number in YAML 1.1"),
    (
        re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"),
        "a number to the base of 60 in YAML 1.1",
    ),
    (
        re.compile(
            r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
            r"(?:(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?"
            r"(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::?[0-9]{2})?))?)?"
        ),
        "a date in YAML 1.1",
    ),
    (re.compile(r"[-+]?\.(?:inf|Inf|INF)"), "infinity in YAML"),
    (re.compile(r"\.(?:nan|NaN|NAN)"), "not a number in YAML"),
    (re.compile(r"<<"), "a merge key in YAML 1.1"),
    (re.compile(r"="), "a default value in YAML 1.1"),
    (
        re.compile(r"[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*|\.[0-9_]+)(?:[eE][-+]?[0-9]+)?"),
        "a number in YAML, in a spelling that JSON does not have",
    ),
)

# All that is no plain string starts with one of these.
_STARTS: Final = frozenset("0123456789+-.~<=ntfyoNTFYO")


def read_plain(text: str) -> bool | int | float | str | Surprise | None:
    """Return what the plain scalar `text` means: a JSON scalar, or a `Surprise`."""
    if text and text[0] not in _STARTS:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _NUMBER.fullmatch(text):
        return _number(text)
    return _surprise(text) or text


def _surprise(text: str) -> Surprise | None:
    if text in _TRUE_IN_1_1:
        return Surprise("a boolean in YAML 1.1", "true")
    if text in _FALSE_IN_1_1:
        return Surprise("a boolean in YAML 1.1", "false")
    for pattern, what in _SURPRISES:
        if pattern.fullmatch(text):
            return Surprise(what, _as_json(text))
    return None


def _number(text: str) -> int | float | Surprise:
    if _INTEGER.fullmatch(text):
        if len(text) <= _INT64_DIGITS and (integer := int(text)) in _INT64:
            return integer
        return Surprise("a number that does not fit into 64 bits")
    number = float(text)
    return number if math.isfinite(number) else Surprise("a number that is too large")


def _as_json(text: str) -> str:
    """Return the number that was probably meant, as JSON writes it, or "" for none."""
    digits = text.replace("_", "").removeprefix("+").removesuffix(".")
    digits = re.sub(r"^(-?)\.", r"\g<1>0.", digits)
    return digits if _NUMBER.fullmatch(digits) else ""
