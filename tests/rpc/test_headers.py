"""Header blocks: a peer reads what we meant, and we read what it meant, or say that we cannot."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hpack import Decoder, Encoder, NeverIndexedHeaderTuple
from hypothesis import given
from hypothesis import strategies as st

from authorizer.rpc import headers
from authorizer.rpc.status import BrokenPeer, ErrorCode

_TEXT = st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1)
_NAME = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1)
_SIZES = [0, 1, 126, 127, 128, 254, 255, 256, 127 + 16_383, 127 + 16_384, 127 + 16_385]


def decoded(block: bytes) -> list[Any]:
    """Return what a peer reads."""
    return list(Decoder(max_header_list_size=2**20).decode(block))


def encoded(*fields: tuple[str, str], huffman: bool = True) -> bytes:
    """Return a block as a server writes it that keeps no table, as we ask it to."""
    encoder = Encoder()
    encoder.header_table_size = 0
    return encoder.encode(fields, huffman=huffman)


def read(block: bytes) -> dict[str, str]:
    return dict(headers.Blocks().read(block))


@given(_TEXT, _TEXT, st.booleans(), st.dictionaries(_NAME, _TEXT))
def test_a_peer_reads_the_call_that_we_make(
    path: str,
    authority: str,
    secure: bool,  # noqa: FBT001 - hypothesis gives it by its name
    secrets: dict[str, str],
) -> None:
    block = headers.request_block(path, authority=authority, secure=secure, secrets=secrets)
    assert [tuple(one) for one in decoded(block)] == [
        (":method", "POST"),
        (":scheme", "https" if secure else "http"),
        (":path", path),
        (":authority", authority),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("user-agent", "oathkeeper-cerbos-authorizer"),
        *secrets.items(),
    ]


@pytest.mark.parametrize("size", _SIZES)
def test_a_value_of_any_length_is_read(size: int) -> None:
    value = "v" * size
    block = headers.request_block(
        "/" + value, authority="a", secure=True, secrets={"authorization": value}
    )
    fields = decoded(block)
    assert fields[2] == (":path", "/" + value)
    assert fields[-1] == ("authorization", value)


def test_secrets_go_into_nobodys_table_and_nothing_of_ours_takes_room_in_one() -> None:
    block = headers.request_block("/p", authority="a", secure=True, secrets={"x-key": "s3cret"})
    decoder = Decoder()
    *others, secret = decoder.decode(block)
    assert isinstance(secret, NeverIndexedHeaderTuple)
    assert not any(isinstance(one, NeverIndexedHeaderTuple) for one in others)
    assert not decoder.header_table.dynamic_entries


@pytest.mark.parametrize(
    ("seconds", "value"),
    [
        (1.5, "1500m"),
        (0.0019, "1m"),
        (0.0, "1m"),
        (-3.0, "1m"),
        (99_999.999, "99999999m"),
        (1e12, "99999999m"),
    ],
)
def test_a_timeout_is_told_in_milliseconds_of_eight_digits_at_most(
    seconds: float, value: str
) -> None:
    assert decoded(headers.timeout_field(seconds)) == [("grpc-timeout", value)]


@given(st.dictionaries(_NAME, _TEXT, max_size=8), st.booleans())
def test_what_a_server_writes_is_read(
    fields: dict[str, str],
    huffman: bool,  # noqa: FBT001 - hypothesis gives it by its name
) -> None:
    assert read(encoded(*fields.items(), huffman=huffman)) == fields


@given(st.binary(max_size=200))
def test_any_bytes_are_fields_or_refused_and_twice_the_same(block: bytes) -> None:
    blocks = headers.Blocks()
    first, second = (_outcome(blocks, block) for _ in range(2))
    assert first == second
    assert isinstance(first, dict) or first in {
        ErrorCode.COMPRESSION_ERROR,
        ErrorCode.PROTOCOL_ERROR,
    }


def _outcome(blocks: headers.Blocks, block: bytes) -> dict[str, str] | ErrorCode:
    try:
        return dict(blocks.read(block))
    except BrokenPeer as error:
        return error.code


@given(_TEXT, st.data())
def test_what_is_cut_off_is_refused(value: str, data: st.DataObject) -> None:
    whole = encoded(("grpc-message", value))
    part = whole[: data.draw(st.integers(2, len(whole) - 1))]  # beyond the table's size
    with pytest.raises(BrokenPeer):
        headers.Blocks().read(part)


def test_a_table_size_of_nothing_is_what_we_asked_for() -> None:
    assert read(b"\x20\x88") == read(b"\x20\x20\x88") == {":status": "200"}


@pytest.mark.parametrize(
    ("block", "why"),
    [
        (b"\x21\x88", "a table"),
        (b"\x3f\xe1\x1f\x88", "a table of 4096 bytes"),
        (b"\x20\x20\x20\x88", "a size thrice: a block full of it costs, and says nothing"),
        (b"\x88\x20", "a table's size after a field"),
        (b"\xbe", "the first field of a table"),
        (b"\x40\x01a\x01b\xbe", "a field that this block would have put there"),
        (b"\x80", "field 0"),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "a number without end"),
        (b"\x00\x01a\x81\x00", "a wrong end of Huffman's code"),
        (b"\x00\x01\xff\x01a", "no UTF-8"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.hex(),
)
def test_what_needs_a_table_or_has_no_meaning_is_refused(block: bytes, why: str) -> None:
    del why
    with pytest.raises(BrokenPeer) as caught:
        headers.Blocks().read(block)
    assert caught.value.code is ErrorCode.COMPRESSION_ERROR


def test_a_field_that_asks_to_be_kept_is_read_and_not_kept() -> None:
    """A server may write so: with a table of no size it means the same as the other way."""
    blocks = headers.Blocks()
    assert dict(blocks.read(b"\x40\x01a\x01b")) == {"a": "b"}
    with pytest.raises(BrokenPeer):
        blocks.read(b"\xbe")


@pytest.mark.parametrize("name", [":status", "grpc-status"])
@pytest.mark.parametrize("values", [("0", "0"), ("0", "7")], ids=str)
def test_what_decides_comes_once(name: str, values: tuple[str, str]) -> None:
    block = encoded(*((name, value) for value in values))
    for _ in range(2):
        with pytest.raises(BrokenPeer, match="twice") as caught:
            headers.Blocks().read(block)
        assert caught.value.code is ErrorCode.PROTOCOL_ERROR


def test_of_another_name_that_comes_twice_the_first_counts() -> None:
    assert read(encoded(("a", "1"), ("a", "2"))) == {"a": "1"}


def test_a_list_that_unfolds_to_much_is_refused() -> None:
    with pytest.raises(BrokenPeer) as caught:
        headers.Blocks().read(b"\x88" * headers.LONGEST_BLOCK)
    assert caught.value.code is ErrorCode.COMPRESSION_ERROR


@given(st.lists(st.dictionaries(_NAME, _TEXT, max_size=3), min_size=1, max_size=30))
def test_a_block_that_came_before_means_the_same(lists: list[dict[str, str]]) -> None:
    blocks = headers.Blocks()
    for fields in (*lists, *lists):
        assert blocks.read(encoded(*fields.items())) == fields


def test_what_is_kept_is_bounded_in_number_and_in_length() -> None:
    blocks = headers.Blocks()
    for number in range(1000):
        blocks.read(encoded(("n", str(number))))
    assert 0 < len(blocks._kept) <= 64
    before = dict(blocks._kept)
    long = encoded(("n", "x" * 600), huffman=False)
    assert blocks.read(long) == {"n": "x" * 600}
    assert blocks._kept == before


def test_what_a_server_says_of_a_question_is_not_kept() -> None:
    blocks = headers.Blocks()
    blocks.read(encoded(("grpc-status", "3"), ("grpc-message", "quoted")))
    assert not blocks._kept
    blocks.read(encoded(("grpc-status", "0")))
    assert len(blocks._kept) == 1


@pytest.mark.parametrize(
    ("message", "meant"),
    [
        ("plain", "plain"),
        ("100%25 %E2%82%AC", "100% €"),
        ("a%0ab", "a\nb"),
        ("%", "%"),
        ("%zz%4", "%zz%4"),
        ("%ff", "�"),
        ("a+b", "a+b"),
    ],
)
def test_a_message_is_percent_decoded_and_never_fails(message: str, meant: str) -> None:
    assert headers.percent_decoded(message) == meant


def test_a_reason_quotes_no_byte_of_a_block() -> None:
    with pytest.raises(BrokenPeer) as caught:
        headers.Blocks().read(b"\x00\x06s3cret\x7f")
    assert "s3cret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_what_reads_blocks_never_logs_them(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    read(encoded(("grpc-message", "s3cret")))
    assert not caplog.records
