"""Calls, and a peer that does what HTTP/2 allows in any order, against a model of both.

The model keeps its own books: what the peer has room for, which streams there are, and what each
call must have become by now.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from rpc import wire
from rpc.wire import Wire
from virtualtime import VirtualLoop

from authorizer.rpc.status import CallFailed, Code

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from authorizer.rpc.call import Call

    # An answer, or a failure and whether the peer has seen the call, or None for a cancelled one.
    Outcome: TypeAlias = "bytes | tuple[Code, bool] | None"

# Whatever there is on the connection, these end it.
BREAKS: Final = (
    wire.frame(wire.DATA, 0, 1, bytes(16_385)),
    wire.frame(wire.DATA, 0, 0, b"x"),
    wire.frame(wire.PUSH_PROMISE, 4, 1, bytes(4)),
    wire.frame(wire.CONT, 4, 1, b"\x88"),
    wire.frame(wire.SETTINGS, payload=bytes(5)),
    wire.headers(2**31 - 1, *wire.START),
    wire.number(wire.WINDOW_UPDATE, 0, 0),
)
UNKNOWN: Final = (
    wire.frame(wire.PRIORITY, 0, 1, bytes(5)),
    wire.frame(0x42, 0xFF, 3, b"who knows"),
    wire.frame(wire.PING, wire.ACK, 0, bytes(8)),
    wire.frame(wire.SETTINGS, wire.ACK),
)
RESETS: Final = {1: Code.INTERNAL, 7: Code.UNAVAILABLE, 8: Code.CANCELLED,
                 0xB: Code.RESOURCE_EXHAUSTED, 0x99: Code.INTERNAL}  # fmt: skip

ENDS: Final[list[tuple[tuple[tuple[str, str], ...], Code | None]]] = [
    (wire.WELL, None),
    ((("grpc-status", "7"), ("grpc-message", "no")), Code.PERMISSION_DENIED),
    ((), Code.INTERNAL),
]


@dataclass
class Asked:
    """A call, and what both sides have done about it."""

    call: Call
    message: bytes
    deadline: float
    stream: int = 0
    room: int = 0
    got: bytearray = field(default_factory=bytearray)
    all_sent: bool = False  # by us
    given_up: bool = False  # by us
    all_said: bool = False  # by the peer
    quiet: bool = False  # nothing more may be sent on it
    script: list[Coming] | None = None
    outcome: list[Outcome] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        over = self.given_up or (self.all_said and self.all_sent)
        return bool(self.stream) and not over

    def becomes(self, outcome: Outcome) -> None:
        if not self.outcome:
            self.outcome.append(outcome)


@dataclass(frozen=True)
class Coming:
    """Bytes that the peer sends, and what they change when they are read.

    What takes room away is read alone: else we would not know what was sent before it.
    """

    data: bytes
    effect: Callable[[], None] = lambda: None
    alone: bool = False


class Conversation(RuleBasedStateMachine):
    loop: VirtualLoop  # one for all of them

    def __init__(self) -> None:
        super().__init__()
        self.wire = Wire(self.loop)
        self.wire.begun()
        self.asked: list[Asked] = []
        self.coming: list[Coming] = []
        self.pings: list[bytes] = []
        self.acknowledgements = 0
        self.room = self.initial = 65_535
        self.frame_size, self.streams = 16_384, 2**31 - 1
        self.paused = self.going = self.over = False

    def teardown(self) -> None:
        if not self.over:
            if self.paused:
                self.resume()
            self._deliver(len(self.coming), [])
        if not self.over:
            self.lose()
        self.invariants_hold()
        assert all(one.call.future.done() and one.call.timer is None for one in self.asked)
        assert self.wire.nothing_left()

    # --- our side

    @precondition(lambda self: self.wire.open)
    @rule(size=st.sampled_from([0, 1, 30, 5_000, 17_000, 70_000]), seconds=st.sampled_from([1, 99]))
    def ask(self, size: int, seconds: int) -> None:
        message = wire.message(b"%d " % len(self.asked) + bytes(size))
        block = wire.block((":path", f"/{len(self.asked)}"))
        call = self.wire.connection.begin(block, message, seconds)
        self.asked.append(Asked(call, message, self.loop.time() + seconds))

    @precondition(lambda self: self._pending())
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self._pending()))
        one.call.future.cancel()
        self.wire.connection.give_up(one.call)
        one.becomes(None)

    @rule()
    def time_passes(self) -> None:
        self.loop.run_until_complete(asyncio.sleep(2))
        self._read()
        for one in self._pending():
            if one.deadline <= self.loop.time():
                one.becomes((Code.DEADLINE_EXCEEDED, False))

    @precondition(lambda self: not self.over)
    @rule()
    def pause(self) -> None:
        self.paused = True
        self.wire.connection.pause_writing()

    @precondition(lambda self: self.paused and not self.over)
    @rule()
    def resume(self) -> None:
        self.paused = False
        self.wire.connection.resume_writing()

    # --- the peer's

    @precondition(lambda self: not self.over)
    @rule(count=st.integers(1, 8), places=st.lists(st.integers(0, 2**16), max_size=4))
    def deliver(self, count: int, places: list[int]) -> None:
        self._deliver(count, places)

    @precondition(lambda self: self._begun())
    @rule(data=st.data(), count=st.integers(1, 3))
    def answer(self, data: st.DataObject, count: int) -> None:
        """Go on with an answer, be it that nobody waits for it any more."""
        one = data.draw(st.sampled_from(self._begun()))
        if one.script is None:
            one.script = self._script(one, data)
        self.coming += one.script[:count]
        del one.script[:count]

    @precondition(lambda self: self._begun())
    @rule(data=st.data(), more=st.integers(1, 20_000))
    def widen_stream(self, data: st.DataObject, more: int) -> None:
        one = data.draw(st.sampled_from(self._begun()))

        def effect() -> None:
            one.room += more

        self.coming.append(Coming(wire.number(wire.WINDOW_UPDATE, one.stream, more), effect))

    @rule(more=st.sampled_from([1, 100, 16_384, 100_000]))
    def widen_connection(self, more: int) -> None:
        def effect() -> None:
            self.room += more

        self.coming.append(Coming(wire.number(wire.WINDOW_UPDATE, 0, more), effect))

    @rule(
        window=st.sampled_from([None, 0, 1, 10, 100, 65_535, 200_000]),
        streams=st.sampled_from([None, 0, 1, 2, 100]),
        size=st.sampled_from([None, 16_384, 20_000]),
    )
    def set(self, window: int | None, streams: int | None, size: int | None) -> None:
        def effect() -> None:
            self.acknowledgements += 1
            if streams is not None:
                self.streams = streams
            if size is not None:
                self.frame_size = size
            if window is not None:
                for one in self.asked:
                    one.room += window - self.initial if one.stream else 0
                self.initial = window

        named = ((wire.WINDOW, window), (wire.STREAMS, streams), (wire.FRAME_SIZE, size))
        values = [(name, value) for name, value in named if value is not None]
        self.coming.append(Coming(wire.settings(*values), effect, alone=True))

    @rule(payload=st.binary(min_size=8, max_size=8))
    def ping(self, payload: bytes) -> None:
        data = wire.frame(wire.PING, payload=payload)
        self.coming.append(Coming(data, lambda: self.pings.append(payload)))

    @rule(data=st.sampled_from(UNKNOWN))
    def say_what_nobody_knows(self, data: bytes) -> None:
        self.coming.append(Coming(data))

    @precondition(lambda self: not self.over)
    @rule(last=st.sampled_from([0, 1, 3, 5, 2**31 - 1]))
    def go_away(self, last: int) -> None:
        def effect() -> None:
            self.going = True
            for one in self._pending():
                if not one.stream or one.stream > last:
                    one.becomes((Code.UNAVAILABLE, True))
                    one.all_said = one.all_sent = True

        self.coming.append(Coming(wire.goaway(last), effect, alone=True))

    @precondition(lambda self: len(self.asked) > 3)
    @rule(data=st.sampled_from(BREAKS))
    def break_the_rules(self, data: bytes) -> None:
        self.coming.append(Coming(data, self._ends, alone=True))

    @precondition(lambda self: not self.over and len(self.asked) > 3)
    @rule()
    def lose(self) -> None:
        self._read()
        self._ends()
        self.wire.lose()

    # --- what holds

    @invariant()
    def invariants_hold(self) -> None:
        self._read()
        for one in self.asked:
            future = one.call.future
            assert future.done() == bool(one.outcome)
            assert future.done() == (one.call.timer is None)
            if future.done():
                assert _outcome(future) == one.outcome[0]
                one.quiet = True
        if self.over:
            return
        assert self.wire.transport.closed == (self.going and not self._pending())
        assert not self.pings
        assert not self.acknowledgements
        if not self.paused:
            self._nothing_waits_in_vain()

    def _nothing_waits_in_vain(self) -> None:
        begun = [one for one in self._pending() if one.stream and not one.all_sent]
        assert all(min(self.room, one.room) <= 0 for one in begun)
        if any(not one.stream for one in self._pending()):
            busy = sum(one.is_open for one in self.asked)
            assert busy >= self.streams or (begun and self.room <= 0)

    # --- how

    def _pending(self) -> list[Asked]:
        return [one for one in self.asked if not one.outcome]

    def _begun(self) -> list[Asked]:
        return [one for one in self.asked if one.stream]

    def _ends(self) -> None:
        self.over = True
        for one in self._pending():
            one.becomes((Code.UNAVAILABLE, not one.stream))

    def _deliver(self, count: int, places: list[int]) -> None:
        batch, self.coming = self.coming[:count], self.coming[count:]
        self._read()  # by what held until now
        while batch and not self.over:
            end = next((at for at, one in enumerate(batch) if one.alone), len(batch)) or 1
            now, batch = batch[:end], batch[end:]
            if self.wire.transport.closed:
                return
            for one in now:
                one.effect()
            data = b"".join(one.data for one in now)
            ends = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
            self.wire.feed_each(data[at:to] for at, to in pairwise(ends))
            self.invariants_hold()

    def _read(self) -> None:
        """Take what was sent, and hold it to what is allowed."""
        for sent in self.wire.sent():
            match sent.kind:
                case wire.HEADERS:
                    self._begins(sent)
                case wire.DATA:
                    self._says(sent)
                case wire.RST_STREAM:
                    (one,) = (one for one in self.asked if one.stream == sent.stream)
                    assert one.is_open
                    one.given_up = True
                case wire.SETTINGS:
                    assert (sent.flags, sent.payload) == (wire.ACK, b"")
                    self.acknowledgements -= 1
                case wire.PING:
                    assert (sent.flags, sent.payload) == (wire.ACK, self.pings.pop(0))
                case wire.WINDOW_UPDATE:
                    assert sent.stream  # padding; what else comes here is little
                case _:
                    assert (sent.kind, self.over) == (wire.GOAWAY, True)

    def _begins(self, sent: wire.Sent) -> None:
        one = self.asked[int(wire.fields_of(sent.payload)[":path"][1:])]
        assert sent.stream == 1 + 2 * len(self._begun())
        assert not one.stream
        assert not one.quiet
        assert not self.going
        assert not self.paused
        assert sum(other.is_open for other in self.asked) < self.streams
        one.stream, one.room = sent.stream, self.initial

    def _says(self, sent: wire.Sent) -> None:
        (one,) = (one for one in self.asked if one.stream == sent.stream)
        size = len(sent.payload)
        assert not one.quiet
        assert not one.all_sent
        assert not one.given_up
        assert size <= min(self.frame_size, self.room, one.room)
        self.room -= size
        one.room -= size
        one.got += sent.payload
        one.all_sent = bool(sent.flags & wire.END_STREAM)
        assert one.message.startswith(one.got)
        assert one.all_sent == (one.message == one.got)

    def _script(self, one: Asked, data: st.DataObject) -> list[Coming]:
        """Return an answer of any kind, frame by frame."""
        stream = one.stream
        if (reset := data.draw(st.sampled_from([None, None, *RESETS]))) is not None:
            effect = _final(one, (RESETS[reset], reset == 7))
            final = Coming(wire.number(wire.RST_STREAM, stream, reset), effect)
            some = [Coming(wire.headers(stream, *wire.START)), final]
            return some[data.draw(st.integers(0, 1)) :]
        fields, failure = data.draw(st.sampled_from(ENDS))
        content = b"to %d" % stream + bytes(data.draw(st.sampled_from([0, 40_000])))
        body = wire.message(content)
        size = data.draw(st.integers(max(len(body) // 3, 1), 16_000))
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        interim = wire.headers(stream, (":status", "103")) * data.draw(st.integers(0, 2))
        padding = data.draw(st.integers(0, 255))
        block = wire.block(*fields)
        cut = data.draw(st.integers(0, len(block)))
        end = wire.frame(wire.HEADERS, wire.END_STREAM, stream, block[:cut])
        end += wire.frame(wire.CONT, wire.END_HEADERS, stream, block[cut:])
        return [
            Coming(interim + wire.headers(stream, *wire.START)),
            *(
                Coming(
                    wire.frame(wire.DATA, wire.PADDED, stream, _padded(piece, padding))
                    if padding
                    else wire.frame(wire.DATA, 0, stream, piece)
                )
                for piece in pieces
            ),
            Coming(end, _final(one, content if failure is None else (failure, False))),
        ]


def _padded(piece: bytes, padding: int) -> bytes:
    return bytes((padding,)) + piece + bytes(padding)


def _final(one: Asked, outcome: Outcome) -> Callable[[], None]:
    def effect() -> None:
        one.becomes(outcome)
        one.all_said = True

    return effect


def _outcome(future: asyncio.Future[bytes]) -> Outcome:
    if future.cancelled():
        return None
    error = future.exception()
    if error is None:
        return future.result()
    assert isinstance(error, CallFailed)
    return error.code, error.unseen


class TestConversation(Conversation.TestCase):  # type: ignore[misc,valid-type] # made by hypothesis
    settings = settings(max_examples=80, stateful_step_count=50)

    def setUp(self) -> None:
        Conversation.loop = VirtualLoop()

    def tearDown(self) -> None:
        Conversation.loop.close()
