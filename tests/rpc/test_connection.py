"""A connection, against what the other side sends: rules of HTTP/2 and gRPC, one by one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from rpc import wire
from rpc.wire import Wire, failure
from virtualtime import VirtualLoop

from authorizer.rpc.call import LARGEST_ANSWER
from authorizer.rpc.connection import Connection
from authorizer.rpc.status import CallFailed, Code, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "s3cret"  # noqa: S105 - what must not come out


def _hex(value: object) -> str | None:
    return value[:30].hex() if isinstance(value, bytes) else None


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop()
    unseen: list[object] = []
    loop.set_exception_handler(lambda _, context: unseen.append(context))
    yield loop
    loop.close()
    assert not unseen


@pytest.fixture
def peer(loop: VirtualLoop) -> Wire:
    """Return a connection on which calls may be made; what was written until then is read."""
    peer = Wire(loop)
    peer.begun()
    return peer


def after(loop: VirtualLoop, seconds: float) -> None:
    loop.run_until_complete(asyncio.sleep(seconds))


# --- the beginning


def test_it_begins_with_the_preface_and_settings_and_acknowledges_the_others(
    loop: VirtualLoop,
) -> None:
    peer = Wire(loop)
    assert peer.transport.written.startswith(wire.PREFACE)
    hello, wider = peer.sent()
    assert (hello.kind, hello.flags, hello.stream) == (wire.SETTINGS, 0, 0)
    said = [hello.payload[at : at + 6] for at in range(0, len(hello.payload), 6)]
    assert {one[:2]: int.from_bytes(one[2:]) for one in said} == {
        b"\0\1": 0,  # no table
        b"\0\2": 0,  # no push
        b"\0\4": LARGEST_ANSWER + 16_384,
    }
    assert (wider.kind, wider.stream) == (wire.WINDOW_UPDATE, 0)
    assert wider.number + 65_535 == 4 * LARGEST_ANSWER
    before = peer.open
    peer.feed(wire.settings())
    assert (before, peer.open) == (False, True)
    assert peer.sent() == [wire.Sent(wire.SETTINGS, wire.ACK, 0, b"")]
    peer.connection.ready.result()


@pytest.mark.parametrize(
    "first",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x15\x03\x03\x00\x02\x02\x46 and so on",  # TLS's alert
        b"SSH-2.0-OpenSSH_9.6\r\n",
        wire.frame(wire.PING, payload=bytes(8)),
        wire.goaway(0),
        wire.frame(0x77),
        wire.frame(wire.SETTINGS, wire.ACK) + wire.frame(wire.PING, payload=bytes(8)),
        wire.frame(wire.SETTINGS, payload=b"\0"),
    ],
    ids=_hex,
)
def test_who_does_not_begin_with_settings_does_not_speak_http_2(
    loop: VirtualLoop, first: bytes
) -> None:
    peer = Wire(loop)
    peer.feed(first)
    error = peer.connection.ready.exception()
    assert isinstance(error, CallFailed)
    assert error.code is Code.UNAVAILABLE
    assert peer.transport.closed
    assert not peer.connection.open


def test_a_connection_that_was_never_waited_for_leaves_no_complaint(loop: VirtualLoop) -> None:
    """Else each attempt that fails before it speaks would be an error in the log."""
    peer = Wire(loop)
    peer.connection.close()
    del peer  # the fixture asserts the rest


def test_what_is_made_after_it_was_given_up_is_closed_at_once(loop: VirtualLoop) -> None:
    peer = Wire(loop)
    peer.connection.close()
    late = wire.Transport()
    peer.connection.connection_made(late)
    assert late.closed


# --- an answer


def test_a_call_is_one_block_and_one_message_and_its_answer_is_its_own(peer: Wire) -> None:
    first, second = peer.call(b"one", path="/a"), peer.call(b"two", path="/b")
    head, body, head_2, body_2 = peer.sent()
    assert (head.kind, head.flags, head.stream) == (wire.HEADERS, wire.END_HEADERS, 1)
    assert wire.fields_of(head.payload) == {":path": "/a"}
    assert body == wire.Sent(wire.DATA, wire.END_STREAM, 1, wire.message(b"one"))
    assert (head_2.stream, body_2.payload) == (3, wire.message(b"two"))
    peer.feed(wire.answer(3, b"to two") + wire.answer(1, b"to one"))
    assert (first.future.result(), second.future.result()) == (b"to one", b"to two")
    assert peer.nothing_left()
    assert not peer.sent()


@pytest.mark.parametrize("cuts", [[0], [1], [5], [6], [2, 3], [0, 4, 9, 9]])
def test_an_answer_may_come_in_any_number_of_frames(peer: Wire, cuts: list[int]) -> None:
    call = peer.call()
    whole, at = wire.message(b"answer"), 0
    data = wire.headers(1, *wire.START)
    for cut in (*cuts, len(whole)):
        data += wire.frame(wire.DATA, 0, 1, whole[at:cut])
        at = cut
    peer.feed(data + wire.headers(1, *wire.WELL, flags=wire.END_HEADERS | wire.END_STREAM))
    assert call.future.result() == b"answer"


def test_an_answer_may_be_empty(peer: Wire) -> None:
    call = peer.call()
    peer.feed(wire.answer(1, b""))
    assert call.future.result() == b""


@pytest.mark.parametrize("status", ["100", "103", "199"])
def test_interim_answers_are_passed_over(peer: Wire, status: str) -> None:
    call = peer.call()
    peer.feed(wire.headers(1, (":status", status), ("link", "x")) * 3 + wire.answer(1, b"!"))
    assert call.future.result() == b"!"


def test_blocks_with_padding_and_priority_and_in_pieces_are_read(peer: Wire) -> None:
    call = peer.call()
    start, end = wire.block(*wire.START), wire.block(*wire.WELL)
    framed = b"\7" + b"\x80\0\0\1\xff" + start[:3] + bytes(7)
    data = wire.frame(wire.HEADERS, wire.PADDED | wire.WITH_PRIORITY, 1, framed)
    data += wire.frame(wire.CONT, 0, 1, start[3:5]) + wire.frame(wire.CONT, 0, 1)
    data += wire.frame(wire.CONT, wire.END_HEADERS, 1, start[5:])
    data += wire.frame(wire.DATA, wire.PADDED, 1, b"\2" + wire.message(b"!") + b"\0\0")
    # END_STREAM stands on HEADERS, and counts once the block is whole.
    data += wire.frame(wire.HEADERS, wire.END_STREAM, 1, end[:1])
    peer.feed(data)
    assert not call.future.done()
    peer.feed(wire.frame(wire.CONT, wire.END_HEADERS, 1, end[1:]))
    assert call.future.result() == b"!"


def test_padding_takes_no_room_from_an_answer(peer: Wire) -> None:
    """A stream's window has room for an answer; padding counts in it, and is given back."""
    call = peer.call()
    whole, room = wire.message(b"x" * 40_000), LARGEST_ANSWER + 16_384
    peer.feed(wire.headers(1, *wire.START))
    peer.sent()
    for at in range(len(whole)):
        framed = b"\xff" + whole[at : at + 1] + bytes(255)
        room -= len(framed)
        assert room >= 0
        peer.feed(wire.frame(wire.DATA, wire.PADDED, 1, framed))
        room += sum(sent.number for sent in peer.sent() if sent.stream == 1)
    peer.feed(wire.headers(1, *wire.WELL, flags=wire.END_HEADERS | wire.END_STREAM))
    assert call.future.result() == b"x" * 40_000


@pytest.mark.parametrize("kind", ["application/grpc", "application/grpc+proto",
                                  "application/grpc;charset=utf-8"])  # fmt: skip
def test_the_kinds_of_grpc_are_its_answers(peer: Wire, kind: str) -> None:
    call = peer.call()
    peer.feed(
        wire.headers(1, (":status", "200"), ("content-type", kind))
        + wire.frame(wire.DATA, 0, 1, wire.message(b"!"))
        + wire.headers(1, *wire.WELL, flags=wire.END_HEADERS | wire.END_STREAM)
    )
    assert call.future.result() == b"!"


@pytest.mark.parametrize("kind", [None, "text/html", "application/json", "application/grpc-web",
                                  "application/grpc-web+proto", "application/grpcx"])  # fmt: skip
def test_other_kinds_are_not(peer: Wire, kind: str | None) -> None:
    call = peer.call()
    kinds = () if kind is None else (("content-type", kind),)
    peer.feed(wire.headers(1, (":status", "200"), *kinds))
    assert failure(call).code is Code.UNKNOWN
    assert peer.sent()[-1] == wire.Sent(wire.RST_STREAM, 0, 1, b"\0\0\0\x08")


# --- answers that are none

LAST = wire.END_HEADERS | wire.END_STREAM


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (wire.headers(1, *wire.START, ("grpc-status", "5"), flags=LAST), Code.NOT_FOUND),
        (wire.headers(1, *wire.START, ("grpc-status", "99"), flags=LAST), Code.UNKNOWN),
        (wire.headers(1, *wire.START, ("grpc-status", ""), flags=LAST), Code.UNKNOWN),
        (wire.headers(1, *wire.START, ("grpc-status", "x"), flags=LAST), Code.UNKNOWN),
        (wire.headers(1, *wire.START, ("grpc-status", "\u0667"), flags=LAST), Code.UNKNOWN),
        (wire.headers(1, *wire.START, ("grpc-status", "9" * 5000), flags=LAST), Code.UNKNOWN),
        # Never OK, which a failure cannot be.
        (wire.headers(1, *wire.START, ("grpc-status", "00"), flags=LAST), Code.UNKNOWN),
        (wire.headers(1, *wire.START, ("grpc-status", "+0"), flags=LAST), Code.UNKNOWN),
        (wire.headers(1, *wire.START, ("grpc-status", " 0"), flags=LAST), Code.UNKNOWN),
        (wire.headers(1, *wire.START, ("grpc-status", "-0"), flags=LAST), Code.UNKNOWN),
        (wire.headers(1, *wire.START, flags=LAST), Code.INTERNAL),
        (wire.headers(1, *wire.START, *wire.WELL, flags=LAST), Code.INTERNAL),  # and no message
        (wire.headers(1, (":status", "503"), flags=LAST), Code.UNAVAILABLE),
        (wire.headers(1, (":status", "404")), Code.UNIMPLEMENTED),
        (wire.headers(1, (":status", "100"), flags=LAST), Code.UNKNOWN),
        (wire.headers(1, ("content-type", "application/grpc")), Code.UNKNOWN),
        (wire.frame(wire.DATA, 0, 1, wire.message(b"!")), Code.INTERNAL),
        (wire.headers(1, *wire.START) + wire.frame(wire.DATA, wire.END_STREAM, 1,
            wire.message(b"!")), Code.INTERNAL),
    ],
    ids=_hex,
)  # fmt: skip
def test_an_answer_without_a_good_end_is_a_failure(peer: Wire, data: bytes, code: Code) -> None:
    call = peer.call()
    peer.feed(data)
    assert failure(call).code is code
    assert not failure(call).unseen
    assert peer.nothing_left()
    # It is this call's misfortune alone.
    other = peer.call()
    peer.feed(wire.answer(3, b"!"))
    assert other.future.result() == b"!"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\0", b"\0\0\0\0", wire.message(b"ab")[:-1], wire.message(b"ab") + b"\0",
        wire.message(b"ab") * 2, wire.message(b"ab", compressed=1),
        wire.message(b"ab", compressed=2), b"\0\xff\xff\xff\xffab",
    ],
    ids=_hex,
)  # fmt: skip
def test_what_is_not_one_plain_message_is_refused(peer: Wire, body: bytes) -> None:
    call = peer.call()
    end = wire.headers(1, *wire.WELL, flags=LAST)
    peer.feed(wire.headers(1, *wire.START) + wire.frame(wire.DATA, 0, 1, body) + end)
    assert failure(call).code is Code.INTERNAL


def test_the_status_counts_before_the_message(peer: Wire) -> None:
    call = peer.call()
    peer.feed(
        wire.headers(1, *wire.START)
        + wire.frame(wire.DATA, 0, 1, wire.message(b"!"))
        + wire.headers(1, ("grpc-status", "7"), ("grpc-message", "no%0a"), flags=LAST)
    )
    error = failure(call)
    assert (error.code, error.details, error.local) == (Code.PERMISSION_DENIED, "no\n", False)


def test_only_what_we_wrote_is_called_ours(peer: Wire) -> None:
    """What is `local` reaches a log: nothing that the other side wrote may be in it."""
    for number, fields in enumerate([
        ((":status", SECRET),),
        ((":status", f"50{SECRET}"),),
        ((":status", "200"), ("content-type", SECRET)),
        (*wire.START, ("grpc-status", SECRET), ("grpc-message", SECRET)),
    ]):  # fmt: skip
        call = peer.call()
        peer.feed(wire.headers(2 * number + 1, *fields, flags=LAST))
        error = failure(call)
        assert not error.local or SECRET not in str(error)


def test_an_answer_has_four_mebibytes_and_no_byte_more(peer: Wire) -> None:
    for size in (LARGEST_ANSWER, LARGEST_ANSWER + 1):
        call = peer.call()
        number = call.number
        peer.feed(wire.headers(number, *wire.START))
        whole = wire.message(bytes(size))
        for at in range(0, len(whole), 16_384):
            peer.feed(wire.frame(wire.DATA, 0, number, whole[at : at + 16_384]))
        peer.feed(wire.headers(number, *wire.WELL, flags=LAST))
        if size == LARGEST_ANSWER:
            assert len(call.future.result()) == size
        else:
            assert failure(call).code is Code.RESOURCE_EXHAUSTED
            resets = [sent for sent in peer.sent() if sent.kind == wire.RST_STREAM]
            assert [sent.number for sent in resets] == [ErrorCode.CANCEL]


@pytest.mark.parametrize("code", [*range(14), 14, 2**32 - 1])
def test_a_reset_ends_one_call_and_only_a_refused_one_is_unseen(peer: Wire, code: int) -> None:
    call, other = peer.call(), peer.call()
    peer.feed(wire.number(wire.RST_STREAM, 1, code) + wire.answer(3, b"!"))
    assert failure(call).unseen is (code == ErrorCode.REFUSED_STREAM)
    assert other.future.result() == b"!"


def test_what_comes_for_a_call_that_has_ended_is_passed_over(peer: Wire) -> None:
    call = peer.call()
    peer.connection.give_up(call)
    peer.sent()
    peer.feed(wire.answer(1, b"!") + wire.number(wire.RST_STREAM, 1, 8))
    peer.feed(wire.number(wire.WINDOW_UPDATE, 1, 5))
    assert not peer.sent()
    assert peer.connection.open


def test_nothing_is_said_on_a_stream_that_both_have_ended(peer: Wire) -> None:
    for data in (
        wire.headers(1, (":status", "503"), flags=LAST),
        wire.headers(3, *wire.START) + wire.frame(wire.DATA, wire.END_STREAM, 3),
        wire.headers(5, *wire.START, flags=LAST),
    ):
        call = peer.call()
        peer.sent()
        peer.feed(data)
        assert failure(call).local
        assert not peer.sent()


# --- what breaks the rules

OPEN = 1  # the stream of a call that has no answer yet
BREAKS = {
    "a frame that is too long": (wire.frame(wire.DATA, 0, OPEN, bytes(16_385)), 6),
    "DATA on stream 0": (wire.frame(wire.DATA), 1),
    "DATA on a stream of theirs": (wire.frame(wire.DATA, 0, 2), 1),
    "DATA on a stream to come": (wire.frame(wire.DATA, 0, 3), 1),
    "HEADERS on stream 0": (wire.headers(0, *wire.START), 1),
    "HEADERS on a stream to come": (wire.headers(3, *wire.START), 1),
    "HEADERS on the last stream": (wire.headers(2**31 - 1, *wire.START), 1),
    "RST_STREAM on stream 0": (wire.number(wire.RST_STREAM, 0, 0), 1),
    "RST_STREAM on a stream to come": (wire.number(wire.RST_STREAM, 3, 0), 1),
    "RST_STREAM of three bytes": (wire.frame(wire.RST_STREAM, 0, OPEN, b"\0\0\0"), 6),
    "SETTINGS on a stream": (wire.frame(wire.SETTINGS, 0, OPEN), 1),
    "SETTINGS of seven bytes": (wire.frame(wire.SETTINGS, payload=bytes(7)), 6),
    "SETTINGS acknowledged with more": (wire.frame(wire.SETTINGS, wire.ACK, 0, bytes(6)), 6),
    "a frame size that is too small": (wire.settings((wire.FRAME_SIZE, 1)), 1),
    "a window that is too wide": (wire.settings((wire.WINDOW, 2**31)), 3),
    "a push": (wire.frame(wire.PUSH_PROMISE, 4, OPEN, bytes(4)), 1),
    "PING on a stream": (wire.frame(wire.PING, 0, OPEN, bytes(8)), 1),
    "PING of seven bytes": (wire.frame(wire.PING, payload=bytes(7)), 6),
    "a PING's answer of seven bytes": (wire.frame(wire.PING, wire.ACK, 0, bytes(7)), 6),
    "GOAWAY on a stream": (wire.frame(wire.GOAWAY, 0, OPEN, bytes(8)), 1),
    "GOAWAY of seven bytes": (wire.frame(wire.GOAWAY, payload=bytes(7)), 6),
    "a window wider by nothing": (wire.number(wire.WINDOW_UPDATE, 0, 0), 1),
    "a window wider by the reserved bit": (wire.number(wire.WINDOW_UPDATE, 0, 2**31), 1),
    "a window that grows too wide": (wire.number(wire.WINDOW_UPDATE, 0, 2**31 - 1), 3),
    "WINDOW_UPDATE on a stream to come": (wire.number(wire.WINDOW_UPDATE, 3, 1), 1),
    "WINDOW_UPDATE of five bytes": (wire.frame(wire.WINDOW_UPDATE, 0, 0, bytes(5)), 6),
    "CONTINUATION of nothing": (wire.frame(wire.CONT, 4, OPEN, b"\x88"), 1),
    "another frame amid a block": (
        wire.headers(OPEN, *wire.START, flags=0) + wire.frame(wire.PING, payload=bytes(8)), 1,
    ),
    "an unknown frame amid a block": (
        wire.headers(OPEN, *wire.START, flags=0) + wire.frame(0x77), 1,
    ),
    "another stream's block amid a block": (
        wire.headers(OPEN, *wire.START, flags=0) + wire.frame(wire.CONT, 4, 3), 1,
    ),
    "a block in a hundred pieces": (
        wire.headers(OPEN, *wire.START, flags=0) + wire.frame(wire.CONT, 0, OPEN) * 100, 11,
    ),
    "a block that is too long": (
        wire.headers(OPEN, *wire.START, flags=0)
        + wire.frame(wire.CONT, 0, OPEN, bytes(16_384)) * 5,
        11,
    ),
    "a block that says nothing, at length": (
        wire.frame(wire.HEADERS, 4, OPEN, b"\x20" * 3 + b"\x88"), 9,
    ),
    "a block that cannot be read": (wire.frame(wire.HEADERS, 4, OPEN, b"\xff"), 9),
    "a block with two statuses": (wire.headers(OPEN, (":status", "200"), (":status", "500")), 1),
    "more padding than content": (wire.frame(wire.HEADERS, 0xC, OPEN, b"\1"), 1),
    "a priority that is cut off": (wire.frame(wire.HEADERS, 0x24, OPEN, bytes(4)), 6),
    "DATA with more padding than content": (wire.frame(wire.DATA, 8, OPEN, b"\1"), 1),
    "headers amid an answer": (wire.headers(OPEN, *wire.START) * 2, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", BREAKS)
def test_who_breaks_the_rules_is_told_and_left(peer: Wire, name: str) -> None:
    data, code = BREAKS[name]
    call = peer.call()
    peer.sent()
    # What came before counts, and what comes behind does not: bytes are no more in step.
    ping = wire.frame(wire.PING, payload=b"12345678")
    peer.feed(ping + data + ping + wire.answer(1, b"!"))
    error = failure(call)
    assert (error.code, error.local, error.unseen) == (Code.UNAVAILABLE, True, False)
    pong, last = peer.sent()
    assert pong == wire.Sent(wire.PING, wire.ACK, 0, b"12345678")
    assert (last.kind, last.payload) == (wire.GOAWAY, bytes(4) + code.to_bytes(4))
    assert peer.transport.closed
    assert not peer.connection.open
    assert peer.nothing_left()


@pytest.mark.parametrize(
    "data",
    [
        wire.frame(wire.PRIORITY, 0, 1, bytes(5)),
        wire.frame(0x0A, 0xFF, 1, b"ALTSVC"),
        wire.frame(0xFF, 0xFF, 2**31 - 1, bytes(100)),
        wire.settings((0x9999, 2**32 - 1), (8, 1)),
        wire.frame(wire.SETTINGS, wire.ACK),
        wire.frame(wire.PING, wire.ACK, 0, bytes(8)),
        wire.frame(wire.PING, 0xFE, 0, bytes(8)),
        wire.number(wire.WINDOW_UPDATE, 0, 2**31 | 5),
    ],
    ids=_hex,
)
def test_what_nobody_knows_and_what_is_not_asked_changes_nothing(peer: Wire, data: bytes) -> None:
    call = peer.call()
    peer.feed(data + wire.answer(1, b"!"))
    assert call.future.result() == b"!"
    assert peer.connection.open


def test_nothing_that_is_still_read_counts_once_it_is_over(loop: VirtualLoop) -> None:
    """TLS hands on what it has read when it is closed, while `close` runs."""

    class Tls(wire.Transport):
        def close(self) -> None:
            was, self.closed = self.closed, True
            if not was:
                connection.data_received(wire.answer(1, b"!"))

    connection = Connection(loop)
    connection.connection_made(Tls())
    connection.data_received(wire.settings())
    call = connection.begin(wire.block((":path", "/c")), wire.message(b"?"), 10)
    connection.data_received(wire.frame(wire.DATA))
    assert failure(call).code is Code.UNAVAILABLE


# --- windows


def test_no_more_is_sent_than_the_other_side_has_room_for(loop: VirtualLoop) -> None:
    peer = Wire(loop)
    peer.feed(wire.settings((wire.WINDOW, 10)))
    peer.sent()
    call = peer.call(b"x" * 30)  # 35 bytes with what stands before it
    head, first = peer.sent()
    assert (len(first.payload), first.flags) == (10, 0)
    peer.feed(wire.number(wire.WINDOW_UPDATE, 0, 100))
    assert not peer.sent()
    peer.feed(wire.number(wire.WINDOW_UPDATE, 1, 3))
    assert [len(sent.payload) for sent in peer.sent()] == [3]
    # Settings change the windows of the streams that are there, to below nothing, too.
    peer.feed(wire.settings((wire.WINDOW, 2)))
    peer.feed(wire.number(wire.WINDOW_UPDATE, 1, 8))
    assert [sent.kind for sent in peer.sent()] == [wire.SETTINGS]
    peer.feed(wire.number(wire.WINDOW_UPDATE, 1, 1))
    assert [len(sent.payload) for sent in peer.sent()] == [1]
    peer.feed(wire.settings((wire.WINDOW, 100)))
    *_, rest = peer.sent()
    assert (len(rest.payload), rest.flags) == (35 - 14, wire.END_STREAM)
    peer.feed(wire.answer(1, b"!"))
    assert call.future.result() == b"!"
    assert head.stream == 1


def test_the_connections_window_is_shared_and_nobody_is_forgotten(peer: Wire) -> None:
    calls = [peer.call(bytes(60_000)) for _ in range(3)]
    room = 65_535
    got = {1: 0, 3: 0, 5: 0}
    for _ in range(100):
        for sent in peer.sent():
            if sent.kind == wire.DATA:
                got[sent.stream] += len(sent.payload)
                room -= len(sent.payload)
        assert room >= 0
        if sum(got.values()) == 3 * 60_005:
            break
        peer.feed(wire.number(wire.WINDOW_UPDATE, 0, 7_000))
        room += 7_000
    assert set(got.values()) == {60_005}
    for call in calls:
        peer.feed(wire.answer(call.number, b"!"))
        assert call.future.result() == b"!"


def test_a_call_that_ends_makes_room_for_none_but_the_next(loop: VirtualLoop) -> None:
    peer = Wire(loop)
    peer.feed(wire.settings((wire.STREAMS, 1)))
    peer.sent()
    first, second, third = peer.call(b"1"), peer.call(b"2"), peer.call(b"3")
    assert {sent.stream for sent in peer.sent()} == {1}
    peer.connection.give_up(second)  # waits, and is never sent
    peer.feed(wire.answer(1, b"!"))
    head, body = peer.sent()
    assert body.payload == wire.message(b"3")
    peer.feed(wire.answer(3, b"!"))
    assert (first.future.result(), third.future.result()) == (b"!", b"!")
    assert head.stream == 3
    assert peer.nothing_left()


def test_the_other_side_may_allow_no_stream_for_a_while(loop: VirtualLoop) -> None:
    peer = Wire(loop)
    peer.feed(wire.settings((wire.STREAMS, 0)))
    peer.sent()
    call, late = peer.call(seconds=10), peer.call(seconds=1)
    assert not peer.sent()
    after(loop, 2)
    assert failure(late).code is Code.DEADLINE_EXCEEDED
    peer.feed(wire.settings((wire.STREAMS, 1)) + wire.answer(1, b"!"))
    assert call.future.result() == b"!"


def test_what_came_is_given_back_before_the_connection_has_no_room(peer: Wire) -> None:
    room = 4 * LARGEST_ANSWER
    for _ in range(10):
        call = peer.call()
        peer.feed(wire.headers(call.number, *wire.START))
        for _ in range(250):
            assert room >= 16_384
            room -= 16_384
            peer.feed(wire.frame(wire.DATA, 0, call.number, bytes(16_384)))
            room += sum(sent.number for sent in peer.sent()
                        if (sent.kind, sent.stream) == (wire.WINDOW_UPDATE, 0))  # fmt: skip
        # What comes for a call that nobody waits for takes room, too.
        peer.connection.give_up(call)
        peer.feed(wire.frame(wire.DATA, 0, call.number, bytes(16_384)))
        room -= 16_384
        room += sum(sent.number for sent in peer.sent() if sent.kind == wire.WINDOW_UPDATE)


def test_an_answer_before_the_whole_question_ends_the_question(loop: VirtualLoop) -> None:
    peer = Wire(loop)
    peer.feed(wire.settings((wire.WINDOW, 5)))
    call = peer.call(b"a long question")
    peer.sent()
    peer.feed(wire.answer(1, b"!"))
    assert call.future.result() == b"!"
    assert peer.sent() == [wire.Sent(wire.RST_STREAM, 0, 1, bytes(4))]
    peer.feed(wire.number(wire.WINDOW_UPDATE, 1, 100))
    assert not peer.sent()
    assert peer.nothing_left()


def test_a_large_message_by_small_steps_costs_no_more_than_it_is_long(peer: Wire) -> None:
    """Copied at each step, two mebibytes by one byte a time would be gigabytes."""
    call = peer.call(bytes(2 * 1024 * 1024))
    assert isinstance(call.unsent, memoryview)
    peer.sent()
    peer.feed(wire.number(wire.WINDOW_UPDATE, 0, 2**24))
    for _ in range(1000):
        peer.feed(wire.number(wire.WINDOW_UPDATE, 1, 1))
    assert sum(len(sent.payload) for sent in peer.sent()) == 1000


# --- time


def test_a_call_ends_at_its_deadline_and_the_other_side_is_told(
    loop: VirtualLoop, peer: Wire
) -> None:
    call, longer = peer.call(seconds=1), peer.call(seconds=5)
    peer.sent()
    after(loop, 1.5)
    error = failure(call)
    assert (error.code, error.local, error.unseen) == (Code.DEADLINE_EXCEEDED, True, False)
    assert peer.sent() == [wire.Sent(wire.RST_STREAM, 0, 1, b"\0\0\0\x08")]
    peer.feed(wire.answer(1, b"late") + wire.answer(3, b"!"))
    assert longer.future.result() == b"!"


def test_who_gives_up_tells_the_other_side_once(peer: Wire) -> None:
    call = peer.call()
    peer.sent()
    call.future.cancel()
    for _ in range(2):
        peer.connection.give_up(call)
    assert peer.sent() == [wire.Sent(wire.RST_STREAM, 0, 1, b"\0\0\0\x08")]
    assert call.timer is None
    assert peer.nothing_left()


# --- the end


def test_a_connection_that_is_to_end_answers_what_was_begun(loop: VirtualLoop) -> None:
    peer = Wire(loop)
    peer.feed(wire.settings((wire.STREAMS, 2)))
    seen, unseen, waiting = peer.call(), peer.call(), peer.call()
    peer.feed(wire.goaway(1, 0, debug=b"going"))
    assert not peer.connection.open
    for call in (unseen, waiting):
        assert failure(call).code is Code.UNAVAILABLE
        assert failure(call).unseen
    assert not peer.transport.closed
    peer.feed(wire.answer(1, b"!"))
    assert seen.future.result() == b"!"
    assert peer.transport.closed


def test_it_may_say_twice_that_it_ends(peer: Wire) -> None:
    """As grpc-go does: first that it will, then what it has seen."""
    first, second = peer.call(), peer.call()
    peer.feed(wire.goaway(2**31 - 1) + wire.frame(wire.PING, payload=bytes(8)))
    assert not first.future.done()
    peer.feed(wire.goaway(1))
    assert failure(second).unseen
    peer.feed(wire.answer(1, b"!"))
    assert first.future.result() == b"!"
    assert peer.transport.closed


def test_the_reserved_bit_of_the_last_stream_is_ignored(peer: Wire) -> None:
    first, second = peer.call(), peer.call()
    peer.feed(wire.goaway(2**31 | 1))
    assert not first.future.done()
    assert failure(second).unseen
    peer.lose()
    assert not failure(first).unseen


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (None, "the connection was lost"),
        (ConnectionResetError(104, "Connection reset by peer"),
         "the connection was lost: Connection reset by peer"),
        (ValueError(SECRET), "the connection was lost"),
    ],
)  # fmt: skip
def test_a_lost_connection_fails_each_call_once_and_by_itself(
    loop: VirtualLoop, error: Exception | None, says: str
) -> None:
    peer = Wire(loop)
    peer.feed(wire.settings((wire.STREAMS, 2)))
    calls = [peer.call() for _ in range(4)]
    peer.lose(error)
    failures = [failure(call) for call in calls]
    assert len({id(one) for one in failures}) == 4  # each has a traceback of its own
    assert {(one.code, one.details) for one in failures} == {(Code.UNAVAILABLE, says)}
    # What had no stream was never sent.
    assert [one.unseen for one in failures] == [False, False, True, True]
    assert all(call.timer is None for call in calls)
    assert peer.nothing_left()


def test_numbers_of_streams_come_to_an_end(peer: Wire) -> None:
    peer.connection._next = 2**31 - 3
    last_but_one, last = peer.call(), peer.call()
    assert (last_but_one.number, last.number) == (2**31 - 3, 2**31 - 1)
    assert not peer.connection.open
    peer.feed(wire.answer(last_but_one.number, b"1"))
    assert not peer.transport.closed
    peer.feed(wire.answer(last.number, b"2"))
    assert (last_but_one.future.result(), last.future.result()) == (b"1", b"2")
    assert peer.transport.closed


def test_those_that_waited_when_the_numbers_ended_were_never_made(loop: VirtualLoop) -> None:
    peer = Wire(loop)
    peer.feed(wire.settings((wire.STREAMS, 1)))
    peer.connection._next = 2**31 - 3
    calls = [peer.call() for _ in range(3)]
    peer.feed(wire.answer(2**31 - 3, b"!") + wire.answer(2**31 - 1, b"!"))
    assert [call.future.result() for call in calls[:2]] == [b"!", b"!"]
    assert failure(calls[2]).unseen
    assert peer.transport.closed


# --- one that does not read


def test_nothing_new_is_begun_while_it_does_not_read(peer: Wire) -> None:
    peer.connection.pause_writing()
    call = peer.call()
    assert not peer.sent()
    peer.connection.resume_writing()
    assert [sent.stream for sent in peer.sent()] == [1, 1]
    peer.feed(wire.answer(1, b"!"))
    assert call.future.result() == b"!"


@pytest.mark.parametrize(
    "asked",
    [
        wire.frame(wire.PING, payload=bytes(8)),
        wire.settings(),
    ],
    ids=["PING", "SETTINGS"],
)
def test_who_asks_and_does_not_read_is_left_with_what_was_not_sent(
    peer: Wire, asked: bytes
) -> None:
    call = peer.call()
    peer.connection.pause_writing()
    peer.transport.unsent = 1
    before = len(peer.transport.written)
    for _ in range(2_000):
        peer.feed(asked)
    assert failure(call).code is Code.UNAVAILABLE
    assert peer.transport.aborted
    assert len(peer.transport.written) - before < 20_000


def test_who_reads_may_ask_as_often_as_it_likes(peer: Wire) -> None:
    for _ in range(3):
        peer.feed(wire.frame(wire.PING, payload=bytes(8)) * 5_000)
        peer.connection.pause_writing()
        peer.feed(wire.frame(wire.PING, payload=bytes(8)) * 900)
        peer.connection.resume_writing()
    assert len(peer.sent()) == 3 * 5_900
    assert peer.connection.open


@pytest.mark.parametrize("how", ["close", "goaway", "mistake"])
def test_a_connection_that_is_over_is_gone_a_second_later_whatever_the_other_side_does(
    loop: VirtualLoop, peer: Wire, how: str
) -> None:
    """It waits for nobody: TLS would wait for the other side's farewell for half a minute."""
    if how == "close":
        peer.connection.close()
    else:
        peer.feed(wire.goaway(0) if how == "goaway" else wire.frame(wire.DATA))
    assert peer.transport.closed
    assert not peer.transport.aborted
    after(loop, 1.1)
    assert peer.transport.aborted


def test_a_connection_that_was_lost_keeps_nothing(loop: VirtualLoop, peer: Wire) -> None:
    peer.connection.close()
    peer.lose()
    after(loop, 2)
    assert not peer.transport.aborted
