"""What a fuzzer runs: each function takes any bytes, and fails only where a promise is broken.

They know no fuzzer. `python -m fuzz` gives them to one; test_corpus.py gives them what it found.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from fuzz import address
from fuzz.tables import case_of
from routing import oracle
from routing.oracle import Rule
from routing.rulebook import answer, compiled, rule_file
from rpc import wire
from virtualtime import VirtualLoop

from authorizer.contract import decode as contract
from authorizer.contract.careful import decode_carefully
from authorizer.errors import MalformedRequest, RulesError, SourceError
from authorizer.routing.compile import compile_rules
from authorizer.routing.reading import Ambiguous, locate, read
from authorizer.routing.shape import is_well_formed
from authorizer.routing.table import Matched
from authorizer.rpc.status import CallFailed
from authorizer.source.document import Document, Marks
from authorizer.source.schema import load_schema
from authorizer.source.yaml import load_yaml

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from authorizer.model import AccessRequest
    from authorizer.routing.table import RouteTable
    from authorizer.rpc.status import Code

    # An answer, or why there is none and whether the other side has seen the call.
    Outcome: TypeAlias = bytes | tuple[Code, bool]

_RULES: Final = [
    Rule("root", "/"),
    Rule("admin", "/admin"),
    Rule("page", "/{page}"),
    Rule("item", "/items/{id:int}"),
    Rule("named", "/items/{name}"),
    Rule("slug", "/a/{s:slug}"),
    Rule("verb", "/v/{id}:go"),
    Rule("pair", "/p/{a}.{b}"),
    Rule("kept", "/k/{id}", says=frozenset({"encoded_slash: keep", "matrix_parameters: keep"})),
    Rule("split", "/s/{id}/{part}", says=frozenset({"encoded_slash: split", "case: strict"})),
    Rule("files", "/files/{name...}", says=frozenset({"empty_segments: allow"})),
    Rule("shelf", "/shelf/", says=frozenset({"trailing_slash: strict", "suffix: strict"})),
    Rule("tenant", "/{page}", hosts=("*.acme.test",), says=frozenset({"trailing_slash: ignore"})),
    Rule("home", "/Admin", ("*",), hosts=("api.acme.test",)),
]
_TABLE: Final = compiled(rule_file(*_RULES))
_SCHEMA: Final = load_schema("authorizer.routing", "rules.schema.json")


def urls(data: bytes) -> None:
    """Hold finding, reading and matching a URL to the slow oracles.

    `data` has lines: `url`, `raw_path`, and each value of `forwarded_uri`.
    """
    try:
        url, *others = data.decode().split("\n")
    except UnicodeDecodeError:
        return  # `decode` refuses it before
    raw_path, *forwarded = others or [""]
    expected = address.find(url, raw_path, tuple(forwarded))
    try:
        found = locate(url, raw_path, tuple(forwarded))
    except MalformedRequest:
        assert expected == "malformed"
        return
    readings = () if isinstance(found, Ambiguous) else read(found.path)
    ours = () if isinstance(readings, Ambiguous) else readings
    theirs = [] if isinstance(expected, str) else oracle.ways(expected.path)
    assert expected != "malformed"
    assert theirs == [
        oracle.Way(r.segments, r.wire, r.trailing_slash, frozenset(n.value for n in r.needs))
        for r in ours
    ]
    if isinstance(found, Ambiguous) or isinstance(expected, str) or not ours:
        return
    assert (found.scheme, found.host, found.path, found.query) == (
        expected.scheme,
        expected.host,
        expected.path,
        expected.query,
    )
    answer = _TABLE.match(found, "GET")
    named = answer.route.id if isinstance(answer, Matched) else answer.reason.value
    assert named == oracle.verdict(_RULES, expected.host, expected.path, "GET")


def rules(data: bytes) -> None:
    """Hold loading to its one error, and to one table in whatever order the routes stand.

    Also: what the quick types take, the schema takes.
    """
    try:
        document = load_yaml(data, "fuzzed.yaml")
    except SourceError:
        return
    assert not (is_well_formed(document.value) and _SCHEMA.problems(document))
    try:
        table = compile_rules([document])
    except RulesError:
        return
    value: Any = document.value
    turned = {**value, "routes": value["routes"][::-1]}
    again = compile_rules([Document(document.name, turned, Marks(1, 1))])
    assert _laid_out(table) == _laid_out(again)


def _laid_out(table: RouteTable) -> list[tuple[str, str, dict[str, list[str]]]]:
    return [
        (
            str(owner.host),
            owner.pattern.text,
            {method: [route.id for route in routes] for method, routes in owner.by_method.items()},
        )
        for owner in table.owners()
    ]


def tables(data: bytes) -> None:
    """Hold a table to the slow oracle, in whatever order and files its rules stand.

    That it compiles is a promise too: no two of the rules tie.
    """
    case = case_of(data)
    one = compiled(rule_file(*case.rules))
    other = compiled(*(rule_file(*rules) for rules in case.files))
    for request in case.requests:
        expected = oracle.verdict([*case.rules], request.host, request.path, request.method)
        for table in (one, other):
            found = answer(table, request.path, request.method, f"http://{request.host}")
            assert found == expected, (request, found, expected)


def bodies(data: bytes) -> None:
    """Hold `decode` to its one error, and its two ways to the same request."""
    careful = _outcome(decode_carefully, data)
    assert _outcome(contract.decode, data) == careful
    try:
        fast = contract._decode_fast(data)
    except MalformedRequest:
        assert careful is None
        return
    assert fast is None or fast == careful


def _outcome(reader: Callable[[bytes], AccessRequest], data: bytes) -> AccessRequest | None:
    try:
        return reader(data)
    except MalformedRequest:
        return None


def peers(data: bytes) -> None:
    """Hold a connection to its promises, whatever the other side sends to two calls.

    `data` is a byte that says how it is cut, and what comes after the first settings.
    """
    cut, rest = data[0] + 1 if data else 1, data[1:]
    whole = _conversation([rest])
    assert _conversation([rest[at : at + cut] for at in range(0, len(rest), cut)]) == whole
    bodies = _bodies(rest)
    for stream, outcome in zip((1, 3), whole[0], strict=True):
        if isinstance(outcome, bytes):
            assert bodies[stream].startswith(wire.message(outcome))


def _conversation(pieces: Sequence[bytes]) -> tuple[list[Outcome], list[wire.Sent]]:
    """Return what becomes of two calls, and what was written."""
    with closing(VirtualLoop()) as loop:
        peer = wire.Wire(loop)
        peer.begun()
        # The first has not been sent as a whole: windows have something to let through.
        calls = [peer.call(bytes(70_000)), peer.call()]
        peer.feed_each(pieces)
        written = peer.sent()
        peer.lose()
        assert peer.nothing_left()
        assert all(call.timer is None for call in calls)
        return [_ended(call.future) for call in calls], written


def _ended(future: asyncio.Future[bytes]) -> Outcome:
    error = future.exception()
    if error is None:
        return future.result()
    assert isinstance(error, CallFailed)
    return error.code, error.unseen


def _bodies(data: bytes) -> Mapping[int, bytes]:
    """Return what came on each stream, padding left out."""
    bodies: defaultdict[int, bytes] = defaultdict(bytes)
    for frame in wire.parse(data)[0]:
        if frame.kind == wire.DATA:
            padded = frame.flags & wire.PADDED and frame.payload
            end = len(frame.payload) - frame.payload[0] if padded else len(frame.payload)
            bodies[frame.stream & 2**31 - 1] += frame.payload[bool(padded) : end]
    return bodies


TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    "urls": urls,
    "rules": rules,
    "tables": tables,
    "bodies": bodies,
    "peers": peers,
}
