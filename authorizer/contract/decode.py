"""Read the body of POST /authorize. request.schema.json says the same to people and editors.

There are two ways through. The fast one reads with msgspec, which keeps the last of duplicate
keys without a word, and then proves in a few operations on bytes that this body had none. Where
the proof does not hold, or the body is wrong, the careful one (careful.py) reads it again, and
says what is wrong and where. Both give the same request for the same body.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from authorizer.contract import fields, strict_json
from authorizer.contract.careful import decode_carefully
from authorizer.model import AccessRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from authorizer.model import JsonValue

    Known: TypeAlias = Callable[[tuple[str, ...], str, bytes], Mapping[str, JsonValue] | None]

_EXTRA_KEY: Final = b'"extra":'
_EXTRA_LEVELS: Final = strict_json.MAX_LEVELS - 1
_DIGITS: Final = (309 - 1) // 2
# msgspec takes 13 us for a number near the end of a double's range, which is twenty times what
# Python takes. A few hundred of them are nobody's loss.
_POWER: Final = re.compile(rb"[0-9][eE]")
_MAX_POWERS: Final = 500


def _nothing(_profiles: tuple[str, ...], _subject: str, _text: bytes) -> None:
    return None


def decode(
    body: bytes, authorization: tuple[str, ...] = (), *, known: Known = _nothing
) -> AccessRequest:
    """Return the request that `body` asks about.

    `authorization` holds the values of that header, of the HTTP request that brought the body.
    `known` gives what `extra` says where the same bytes were read before, so that they are not
    read and checked again: from the profiles, the subject and the bytes.
    Header names come in lower case; a header that is null or an empty list is absent.
    Raises MalformedRequest, which quotes no value of the body.
    """
    return _decode_fast(body, authorization, known) or decode_carefully(body, authorization)


class _Envelope(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    subject: str
    method: str
    url: str
    profile: str | list[str] | msgspec.UnsetType = msgspec.UNSET
    extra: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    raw_path: str | msgspec.UnsetType = msgspec.UNSET
    headers: dict[str, str | list[str] | None] | msgspec.UnsetType = msgspec.UNSET
    forwarded_uri: str | list[str] | msgspec.UnsetType | None = msgspec.UNSET


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
_ANY: Final = msgspec.json.Decoder()
_ENCODER: Final = msgspec.json.Encoder()
# Whatever msgspec raises: its own errors, bad UTF-8, too deep nesting.
_NOT_READ: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def _decode_fast(
    body: bytes, authorization: tuple[str, ...] = (), known: Known = _nothing
) -> AccessRequest | None:
    """Return the request, or None where this way cannot vouch for it."""
    if strict_json.may_have_too_many_pieces(body):
        return None
    try:
        envelope = _ENVELOPE.decode(body)
    except _NOT_READ:
        return None
    raw = b"" if envelope.extra is msgspec.UNSET else bytes(envelope.extra)
    if not _has_each_key_once(body, raw, envelope):
        return None
    profiles = () if envelope.profile is msgspec.UNSET else fields.profiles(envelope.profile)
    headers = {} if envelope.headers is msgspec.UNSET else fields.headers(envelope.headers)
    if (
        profiles is None
        or headers is None
        or not fields.is_method(envelope.method)
        or not fields.is_absolute(envelope.url)
        or (raw and raw != b"null" and not raw.startswith(b"{"))
    ):
        return None
    forwarded_uri = envelope.forwarded_uri
    extra = known(profiles, envelope.subject, raw) if raw else None
    if extra is None and raw.startswith(b"{"):
        extra = _extra(raw)
    return AccessRequest(
        envelope.subject,
        envelope.method,
        envelope.url,
        profiles,
        extra,
        "" if envelope.raw_path is msgspec.UNSET else envelope.raw_path,
        headers,
        None if forwarded_uri is msgspec.UNSET else fields.values(forwarded_uri) or None,
        authorization,
        raw,
        body,
    )


def _has_each_key_once(body: bytes, raw: bytes, envelope: _Envelope) -> bool:
    """Prove that no key outside of `extra` stood twice; False where that cannot be proved.

    Every string of a JSON text has two quotes, and escaped quotes only add to them. A key that
    stood twice took at least its own string with it when msgspec dropped the first. So where the
    text outside of `extra` has no more quotes than what was read from it needs, nothing was
    dropped.
    """
    strings = 2 * len(fields.REQUIRED)
    if envelope.profile is not msgspec.UNSET:
        strings += 1 + _count(envelope.profile)
    if envelope.extra is not msgspec.UNSET:
        strings += 1
    if envelope.raw_path is not msgspec.UNSET:
        strings += 2
    if envelope.headers is not msgspec.UNSET:
        strings += 1 + len(envelope.headers) + sum(map(_count, envelope.headers.values()))
    if envelope.forwarded_uri is not msgspec.UNSET:
        strings += 1 + _count(envelope.forwarded_uri)
    return _quotes_outside(body, raw) == 2 * strings


def _quotes_outside(body: bytes, raw: bytes) -> int:
    """Return how many quotes `body` has that are not in `raw`, which is somewhere in it."""
    # Where it stands is nearly always told by its key, and then it need not be counted twice over
    # (0.3 us where that takes 1.3 for a session). Any place that has the same bytes will do.
    start = body.find(_EXTRA_KEY) + len(_EXTRA_KEY)
    if body.startswith(raw, start):
        return body.count(b'"', 0, start) + body.count(b'"', start + len(raw))
    return body.count(b'"') - raw.count(b'"')


def _count(value: str | list[str] | None) -> int:
    if value is None:
        return 0
    return 1 if isinstance(value, str) else len(value)


def _extra(raw: bytes) -> Mapping[str, Any]:
    """Read `extra`, fully checked. Raises MalformedRequest.

    Where writing what was read gives the same bytes again, no key was dropped and the text is
    UTF-8: so it is for what Go writes, but for its escapes of `<>&`. msgspec refuses floats that
    are not finite itself, and integers only from 4,301 digits.
    """
    extra = None if _has_many_powers(raw) else _read_as_written(raw)
    # There are no more levels than brackets.
    is_shallow = extra is not None and (
        raw.count(b"{") + raw.count(b"[") <= _EXTRA_LEVELS
        or not strict_json.is_deeper(extra, _EXTRA_LEVELS)
    )
    if extra is not None and is_shallow and not _has_long_number(raw):
        return extra
    return strict_json.parse(raw, base="/extra", levels=_EXTRA_LEVELS)  # type: ignore[return-value]  # raw begins with {


def _read_as_written(raw: bytes) -> dict[str, Any] | None:
    """Return what `raw` says, or None where writing that does not give the same bytes again."""
    try:
        extra: dict[str, Any] = _ANY.decode(raw)
        return extra if _ENCODER.encode(extra) == raw else None
    except _NOT_READ:
        return None


def _has_many_powers(raw: bytes) -> bool:
    # Before each value there is one of these pieces, so that texts need not be searched (24 us for
    # 4 KB of them).
    return (
        len(raw) > _MAX_POWERS * len("1e3,")
        and strict_json.pieces(raw) > _MAX_POWERS
        and len(_POWER.findall(raw)) > _MAX_POWERS
    )


def _has_long_number(raw: bytes) -> bool:
    """Tell whether `raw` may hold an integer that a double cannot: 309 digits or more.

    So many in a row would fill one of these blocks, wherever they began.
    """
    # Not by `any`, which takes three times as long (2 us more for a session).
    for start in range(0, len(raw) - _DIGITS + 1, _DIGITS):
        if raw[start : start + _DIGITS].isdigit():
            return True
    return False
