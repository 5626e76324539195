"""HTTP/2's frames: written and read again, however they are cut; what breaks the rules is told."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authorizer.rpc import frames
from authorizer.rpc.status import BrokenPeer, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from authorizer.rpc.frames import Frame

_BYTE = st.integers(0, 255)
_STREAM = st.integers(0, frames.LAST_STREAM)
_PAYLOAD = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([0, 1, 255, 256, frames.DEFAULT_FRAME_SIZE]).map(bytes),
)
_FRAMES = st.lists(st.tuples(_BYTE, _BYTE, _STREAM, _PAYLOAD), max_size=6)
_PLACES = st.lists(st.integers(0, 2**16), max_size=12)


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    """Return `data` in pieces."""
    ends = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[begin:end] for begin, end in pairwise(ends)]


def read(pieces: Sequence[bytes]) -> tuple[list[Frame], ErrorCode | None]:
    """Return the frames of all pieces, and what is wrong with what came after them."""
    reader = frames.Frames()
    found: list[Frame] = []
    try:
        for piece in pieces:
            found.extend(reader.feed(piece))
    except BrokenPeer as error:
        return found, error.code
    return found, None


@given(_FRAMES, _PLACES)
def test_what_is_written_is_read_again_however_it_is_cut(
    written: list[Frame], places: list[int]
) -> None:
    data = b"".join(frames.frame(*one) for one in written)
    assert read(cut(data, places)) == (written, None)


@given(_FRAMES, st.binary(max_size=30), _PLACES)
def test_any_bytes_are_the_same_frames_and_the_same_mistake_however_they_are_cut(
    written: list[Frame], garbage: bytes, places: list[int]
) -> None:
    data = b"".join(frames.frame(*one) for one in written) + garbage
    whole = read([data])
    assert read(cut(data, places)) == whole
    assert whole[0][: len(written)] == written
    assert whole[1] in {None, ErrorCode.FRAME_SIZE_ERROR}


def test_bytes_that_come_one_by_one_are_read() -> None:
    data = frames.frame(0, 1, 3, b"abc") + frames.frame(6, 0, 0, bytes(8))
    assert read([bytes((one,)) for one in data]) == ([(0, 1, 3, b"abc"), (6, 0, 0, bytes(8))], None)


@given(st.tuples(_BYTE, _BYTE, _STREAM, st.binary(max_size=40)))
def test_the_reserved_bit_is_ignored(one: Frame) -> None:
    data = bytearray(frames.frame(*one))
    data[5] |= 0x80
    assert read([bytes(data)]) == ([one], None)


def test_the_head_is_laid_out_as_the_rfc_draws_it() -> None:
    assert frames.frame(9, 4, 0x01020304, b"ab") == b"\0\0\2\x09\4\1\2\3\4ab"
    assert frames.head(0, 1, 5, 0x030201) == b"\3\2\1\0\1\0\0\0\5"
    assert frames.head(0, 0, 1, frames.LARGEST_FRAME_SIZE)[:3] == b"\xff\xff\xff"


@pytest.mark.parametrize(
    ("size", "wrong"),
    [
        (frames.DEFAULT_FRAME_SIZE, None),
        (frames.DEFAULT_FRAME_SIZE + 1, ErrorCode.FRAME_SIZE_ERROR),
        (frames.LARGEST_FRAME_SIZE, ErrorCode.FRAME_SIZE_ERROR),
    ],
)
def test_a_frame_is_as_long_as_we_allow_and_a_longer_one_is_refused_by_its_head(
    size: int, wrong: ErrorCode | None
) -> None:
    assert read([frames.head(0, 0, 1, size)]) == ([], wrong)


def test_what_is_written_by_name_is_what_the_rfc_says() -> None:
    assert frames.settings({1: 0, 4: 2**31 - 1}) == (
        bytes.fromhex("00000c 04 00 00000000  0001 00000000  0004 7fffffff")
    )
    assert frames.window_update(3, 5) == b"\0\0\4\x08\0\0\0\0\3\0\0\0\5"
    assert frames.rst_stream(3, ErrorCode.CANCEL) == b"\0\0\4\3\0\0\0\0\3\0\0\0\x08"
    assert frames.goaway(7, ErrorCode.PROTOCOL_ERROR) == b"\0\0\x08\7\0\0\0\0\0\0\0\0\7\0\0\0\1"
    assert frames.pong(b"12345678") == b"\0\0\x08\6\1\0\0\0\x0012345678"


def test_the_preface_is_the_one_that_all_servers_wait_for() -> None:
    assert bytes.fromhex("505249202a20485454502f322e300d0a0d0a534d0d0a0d0a") == frames.PREFACE


@given(st.binary(max_size=300), st.integers(0, 255))
def test_padding_is_taken_off_and_what_is_not_padded_stays(content: bytes, padding: int) -> None:
    padded = bytes((padding,)) + content + bytes(padding)
    assert frames.content(frames.PADDED, padded) == content
    assert frames.content(0, padded) == padded


@pytest.mark.parametrize(
    ("payload", "content"),
    [
        (b"", None),
        (b"\0", b""),
        (b"\1", None),
        (b"\1\0", b""),
        (b"\2\0", None),
        (b"\xff" + bytes(254), None),
        (b"\xff" + bytes(255), b""),
        (b"\0ab", b"ab"),
    ],
)
def test_padding_fills_a_frame_at_most(payload: bytes, content: bytes | None) -> None:
    if content is None:
        with pytest.raises(BrokenPeer) as caught:
            frames.content(frames.PADDED, payload)
        assert caught.value.code is ErrorCode.PROTOCOL_ERROR
    else:
        assert frames.content(frames.PADDED, payload) == content


@pytest.mark.parametrize("size", [0, 4, 5, 6])
def test_a_priority_has_five_bytes(size: int) -> None:
    payload = bytes(range(size))
    if size < 5:
        with pytest.raises(BrokenPeer) as caught:
            frames.without_priority(payload)
        assert caught.value.code is ErrorCode.FRAME_SIZE_ERROR
    else:
        assert frames.without_priority(payload) == payload[5:]


@given(st.lists(st.tuples(st.integers(6, 0xFFFF), st.integers(0, 2**32 - 1))))
def test_settings_that_nobody_knows_are_read_in_order(values: list[tuple[int, int]]) -> None:
    payload = b"".join(struct.pack(">HI", *one) for one in values)
    assert list(frames.read_settings(payload)) == values


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        (frames.INITIAL_WINDOW_SIZE, 0, None),
        (frames.INITIAL_WINDOW_SIZE, 2**31 - 1, None),
        (frames.INITIAL_WINDOW_SIZE, 2**31, ErrorCode.FLOW_CONTROL_ERROR),
        (frames.INITIAL_WINDOW_SIZE, 2**32 - 1, ErrorCode.FLOW_CONTROL_ERROR),
        (frames.MAX_FRAME_SIZE, 0, ErrorCode.PROTOCOL_ERROR),
        (frames.MAX_FRAME_SIZE, 16_383, ErrorCode.PROTOCOL_ERROR),
        (frames.MAX_FRAME_SIZE, 16_384, None),
        (frames.MAX_FRAME_SIZE, 2**24 - 1, None),
        (frames.MAX_FRAME_SIZE, 2**24, ErrorCode.PROTOCOL_ERROR),
        (frames.MAX_CONCURRENT_STREAMS, 0, None),
        (frames.MAX_CONCURRENT_STREAMS, 2**32 - 1, None),
        (frames.HEADER_TABLE_SIZE, 2**32 - 1, None),
    ],
)
def test_a_setting_is_taken_within_its_bounds(
    name: int, value: int, wrong: ErrorCode | None
) -> None:
    payload = struct.pack(">HI", name, value)
    if wrong is None:
        assert list(frames.read_settings(payload)) == [(name, value)]
    else:
        with pytest.raises(BrokenPeer) as caught:
            list(frames.read_settings(payload))
        assert caught.value.code is wrong


@pytest.mark.parametrize(
    ("reader", "right"),
    [
        (lambda payload: list(frames.read_settings(payload)), {0, 6, 12, 18}),
        (frames.read_reset, {4}),
        (lambda payload: frames.read_window_update(payload[:-1] + b"\1"), {4}),
        (frames.read_goaway, set(range(8, 20))),
        (frames.pong, {8}),
    ],
    ids=["settings", "reset", "window", "goaway", "ping"],
)
def test_what_has_not_its_size_is_refused(
    reader: Callable[[bytes], object], right: set[int]
) -> None:
    for size in range(20):
        if size in right:
            reader(bytes(size))
        else:
            with pytest.raises(BrokenPeer) as caught:
                reader(bytes(size))
            assert caught.value.code is ErrorCode.FRAME_SIZE_ERROR


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.binary(max_size=9))
def test_a_goaway_is_read_and_what_it_says_for_people_is_left(
    last: int, code: int, debug: bytes
) -> None:
    payload = struct.pack(">II", last, code) + debug
    assert frames.read_goaway(payload) == (last & (2**31 - 1), code)


@given(st.integers(0, 2**32 - 1))
def test_a_reset_has_its_code_in_all_its_bits(code: int) -> None:
    assert frames.read_reset(code.to_bytes(4)) == code


@given(st.integers(0, 2**32 - 1))
def test_a_window_is_wider_by_something_of_31_bits(more: int) -> None:
    if more in {0, 2**31}:
        with pytest.raises(BrokenPeer):
            frames.read_window_update(more.to_bytes(4))
    else:
        assert frames.read_window_update(more.to_bytes(4)) == more & (2**31 - 1)
