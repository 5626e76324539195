"""HTTP/2's header blocks (RFC 7541), as gRPC fills them. Pure, but for what was read before.

Neither side keeps a table of what it has sent: ours writes each field out, and by our settings the
other side must, too. So a block means the same whenever it comes, and one that came before, as
nearly all do, is found again by its bytes.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from hpack import Decoder
from hpack.exceptions import HPACKError

from authorizer.rpc.status import BrokenPeer, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TypeAlias

    Fields: TypeAlias = Mapping[str, str]

# At its lowest level it logs every byte that it reads.
logging.getLogger("hpack").setLevel(logging.WARNING)

STATUS: Final = ":status"
CONTENT_TYPE: Final = "content-type"
GRPC_STATUS: Final = "grpc-status"
GRPC_MESSAGE: Final = "grpc-message"

# A block as a whole, in bytes on the wire; and what its fields may add up to, as RFC 7541 counts.
LONGEST_BLOCK: Final = 65_536
_LONGEST_LIST: Final = 65_536
# Blocks that are kept, and how long one may be.
_KEPT: Final = 64
_LONGEST_KEPT: Final = 512

_GRPC: Final = "application/grpc"
_GRPC_KINDS: Final = (f"{_GRPC}+", f"{_GRPC};")

# Fields of RFC 7541's static table, by their index there with the bit that says so.
_POST: Final = b"\x83"
_HTTP: Final = b"\x86"
_HTTPS: Final = b"\x87"
# A table's size, set to the only one that we allow, once more often than RFC 7541, 4.2 does. A
# block full of it says nothing, and would take a fifth of a second to read.
_SIZES: Final = b"\x20" * 3
# How a field begins that is written out: and what no proxy may ever keep.
_LITERAL: Final = b"\x00"
_SECRET: Final = b"\x10"
_SEVEN_BITS: Final = 0x7F
# gRPC's own bound on the digits of a time: eight.
_LONGEST_TIMEOUT: Final = 99_999_999


def request_block(
    path: str, *, authority: str, secure: bool, secrets: Mapping[str, str] | None = None
) -> bytes:
    """Return the block of a call to the method at `path`, without its timeout.

    `secrets` are more fields, with values that go into nobody's table.
    """
    fields = (
        (":path", path),
        (":authority", authority),
        (CONTENT_TYPE, _GRPC),
        ("te", "trailers"),
        ("user-agent", "oathkeeper-cerbos-authorizer"),
    )
    written = b"".join(_field(_LITERAL, *one) for one in fields)
    hidden = b"".join(_field(_SECRET, *one) for one in (secrets or {}).items())
    return _POST + (_HTTPS if secure else _HTTP) + written + hidden


def timeout_field(seconds: float) -> bytes:
    """Return the field that says how much time a call has; a millisecond at least."""
    milliseconds = min(max(int(seconds * 1e3), 1), _LONGEST_TIMEOUT)
    value = b"%dm" % milliseconds
    return b"\x00\x0cgrpc-timeout%c%b" % (len(value), value)


def is_grpc(fields: Fields) -> bool:
    """Tell whether an answer is gRPC's by its type; gRPC-Web's, whose messages differ, is not."""
    kind = fields.get(CONTENT_TYPE, "")
    return kind == _GRPC or kind.startswith(_GRPC_KINDS)


class Blocks:
    """Reads header blocks of one connection."""

    def __init__(self) -> None:
        self._kept: dict[bytes, Fields] = {}

    def read(self, block: bytes) -> Fields:
        """Return the fields of a block. Raises BrokenPeer for one that cannot be read.

        Of a name that comes twice the first value counts, but for those that decide what an
        answer is: they must come once.
        """
        found = self._kept.get(block)
        if found is None:
            found = _fields(_decoded(block))
            # What may quote a question is not kept. Go's gRPC sends an empty message with each OK.
            if len(block) <= _LONGEST_KEPT and not found.get(GRPC_MESSAGE):
                if len(self._kept) >= _KEPT:
                    self._kept.clear()
                self._kept[block] = found
        return found


def percent_decoded(message: str) -> str:
    """Return a `grpc-message` as it was meant; what cannot be read is replaced."""
    return unquote(message)


def _decoded(block: bytes) -> Iterable[tuple[str, str]]:
    if block.startswith(_SIZES):
        text = "a header block that sets a table's size again and again"
        raise BrokenPeer(ErrorCode.COMPRESSION_ERROR, text)
    decoder = Decoder(max_header_list_size=_LONGEST_LIST)
    decoder.header_table_size = 0
    decoder.max_allowed_table_size = 0
    try:
        return [(str(name), str(value)) for name, value in decoder.decode(block)]
    except HPACKError as error:
        reason = type(error).__name__  # its text may quote a field
        raise BrokenPeer(
            ErrorCode.COMPRESSION_ERROR, f"a header block cannot be read: {reason}"
        ) from None


def _fields(read: Iterable[tuple[str, str]]) -> Fields:
    fields: dict[str, str] = {}
    for name, value in read:
        if name in fields and name in {STATUS, GRPC_STATUS}:
            raise BrokenPeer(ErrorCode.PROTOCOL_ERROR, f"{name} comes twice in a header block")
        fields.setdefault(name, value)
    return fields


def _field(kind: bytes, name: str, value: str) -> bytes:
    return kind + _string(name.encode()) + _string(value.encode())


def _string(text: bytes) -> bytes:
    """Return a string as it is, not by Huffman's code: RFC 7541, 5.1 and 5.2."""
    size = len(text)
    if size < _SEVEN_BITS:
        return bytes((size,)) + text
    written, size = bytearray((_SEVEN_BITS,)), size - _SEVEN_BITS
    while size > _SEVEN_BITS:
        written.append(size & _SEVEN_BITS | 0x80)
        size >>= 7
    written.append(size)
    return bytes(written) + text
