"""Requests as a hostile or a broken peer writes them, by kind, and the statuses that answer them.

What is a request to HTTP/1.1 however it is spelled is answered like any other: 200 here means that
the policy was asked about Ann's own document. An empty row of statuses: the connection just closes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from served import body
from sessions import session

from authorizer.contract.strict_json import MAX_PIECES

if TYPE_CHECKING:
    from collections.abc import Mapping


class Shape(NamedTuple):
    """What is sent on a connection of its own, and the statuses of all that comes back."""

    text: bytes
    statuses: tuple[int, ...]


PATH: Final = "/orgs/acme/documents/1"
BODY: Final = body(PATH)
LENGTH: Final = f"Content-Length: {len(BODY)}"
CHUNKED: Final = "Transfer-Encoding: chunked"
JSON: Final = "Content-Type: application/json"


def post(
    *lines: str | bytes,
    content: bytes = BODY,
    target: str = "/authorize",
    version: str = "1.1",
    head: tuple[str, ...] = ("Host: a", JSON),
) -> bytes:
    """Return the bytes of a request with exactly these header lines after `head`."""
    written = [f"POST {target} HTTP/{version}".encode(), *map(str.encode, head)]
    written += [line if isinstance(line, bytes) else line.encode() for line in lines]
    return b"\r\n".join([*written, b"", b""]) + content


def chunks(content: bytes = BODY, *, extension: bytes = b"", size: bytes = b"") -> bytes:
    """Return a chunked body of one chunk, without the line that ends it."""
    return (size or b"%x" % len(content)) + extension + b"\r\n" + content + b"\r\n0\r\n"


def chunked(content: bytes, *lines: str) -> bytes:
    return post(CHUNKED, *lines, content=content)


def kind(value: str) -> bytes:
    """Return a request whose Content-Type is `value`, in Latin-1."""
    return post(f"Content-Type: {value}".encode("latin-1"), LENGTH, head=("Host: a",))


def asking(path: str = PATH, **keys: Any) -> bytes:  # noqa: ANN401 - JSON
    return sending(body(path, **keys))


def with_extra(text: bytes) -> bytes:
    """Return a body like `BODY`, whose `extra` has one key more: the JSON value `text`."""
    assert BODY.endswith(b"}}")
    return BODY[:-2] + b', "more": ' + text + b"}}"


def sending(content: bytes) -> bytes:
    return post(f"Content-Length: {len(content)}", content=content)


PLAIN: Final = post(LENGTH)
END: Final = b"\r\n"
_HUGE: Final = 64 << 20

LENGTHS: Final[Mapping[str, Shape]] = {
    "beside-chunked": Shape(post(LENGTH, CHUNKED, content=chunks() + END), (400,)),
    "after-chunked": Shape(post(CHUNKED, LENGTH, content=chunks() + END), (400,)),
    "beside-chunked-with-a-request-behind": Shape(
        post("Content-Length: 5", CHUNKED, content=b"0\r\n\r\n" + PLAIN), (400,)
    ),
    "twice": Shape(post(LENGTH, LENGTH), (400,)),
    "twice-different": Shape(post(LENGTH, "Content-Length: 0"), (400,)),
    "twice-in-one-line": Shape(post(f"{LENGTH}, {len(BODY)}"), (400,)),
    "plus": Shape(post(f"Content-Length: +{len(BODY)}"), (400,)),
    "minus": Shape(post("Content-Length: -1"), (400,)),
    "hexadecimal": Shape(post(f"Content-Length: 0x{len(BODY):x}"), (400,)),
    "leading-zeros": Shape(post(f"Content-Length: 000{len(BODY)}"), (200,)),
    "underscore": Shape(post("Content-Length: 1_0"), (400,)),
    "space-within": Shape(post("Content-Length: 1 0"), (400,)),
    "other-digits": Shape(post("Content-Length: \u0665"), (400,)),
    "empty": Shape(post("Content-Length:"), (400,)),
    "beyond-64-bits": Shape(post(f"Content-Length: {2**64 + len(BODY)}"), (400,)),
    "of-63-bits": Shape(post(f"Content-Length: {2**63}"), (413,)),
    "of-400-digits": Shape(post(f"Content-Length: {'9' * 400}"), (400,)),
    "trailing-space": Shape(post(f"{LENGTH} \t"), (200,)),
    "vertical-tab": Shape(post(f"Content-Length: \v{len(BODY)}"), (400,)),
    "space-before-colon": Shape(post(f"Content-Length : {len(BODY)}"), (400,)),
    "folded": Shape(post(f"Content-Length:\r\n {len(BODY)}"), (400,)),
    "another-name": Shape(post("Content_Length: 3", LENGTH), (200,)),
    "none": Shape(post(content=b""), (400,)),
    "zero": Shape(post("Content-Length: 0", content=b""), (400,)),
    "too-long": Shape(post(f"Content-Length: {len(BODY) + 10}"), (408,)),
    "too-short": Shape(post("Content-Length: 5"), (400,)),
    "too-short-with-a-request-behind": Shape(
        post(LENGTH) + b"GET /health/alive HTTP/1.1\r\nHost: a\r\n\r\n", (200, 200)
    ),
}

CODINGS: Final[Mapping[str, Shape]] = {
    **{
        f"transfer-{name}": Shape(post(*lines, content=chunks() + END), (400,))
        for name, lines in {
            "unknown": ["Transfer-Encoding: xchunked"],
            "unknown-with-length": ["Transfer-Encoding: xchunked", LENGTH],
            "identity": ["Transfer-Encoding: identity"],
            "identity-with-length": ["Transfer-Encoding: identity", LENGTH],
            "compressed": ["Transfer-Encoding: gzip, chunked"],
            "compressed-last": ["Transfer-Encoding: chunked, gzip"],
            "twice-in-one-line": ["Transfer-Encoding: chunked, chunked"],
            "twice": [CHUNKED, CHUNKED],
            "second-unknown": [CHUNKED, "Transfer-Encoding: x"],
            "first-identity": ["Transfer-Encoding: identity", CHUNKED],
            "quoted": ['Transfer-Encoding: "chunked"'],
            "parameter": ["Transfer-Encoding: chunked;q=1"],
            "vertical-tab": ["Transfer-Encoding: \vchunked"],
            "space-before-colon": ["Transfer-Encoding : chunked", LENGTH],
            "folded": ["Transfer-Encoding:\r\n chunked"],
        }.items()
    },
    "transfer-empty-with-length": Shape(post("Transfer-Encoding:", LENGTH), (400,)),
    "transfer-in-http-1.0": Shape(post(CHUNKED, content=chunks() + END, version="1.0"), (400,)),
    "transfer-upper-case": Shape(
        post("Transfer-Encoding: CHUNKED", content=chunks() + END), (200,)
    ),
    "transfer-after-tab": Shape(
        post("Transfer-Encoding:\tchunked", content=chunks() + END), (200,)
    ),
    **{
        f"content-{name}": Shape(post(LENGTH, *lines), (400,))
        for name, lines in {
            "gzip": ["Content-Encoding: gzip"],
            "br": ["Content-Encoding: br"],
            "zstd": ["Content-Encoding: zstd"],
            "unknown": ["Content-Encoding: x"],
            "empty": ["Content-Encoding:"],
            "identity-and-gzip": ["Content-Encoding: identity, gzip"],
            "identity-then-gzip": ["Content-Encoding: identity", "Content-Encoding: gzip"],
        }.items()
    },
    "content-broken-deflate": Shape(
        post("Content-Encoding: deflate", "Content-Length: 4", content=b"\0\1\2\3"), (400,)
    ),
    "content-broken-and-huge": Shape(
        post("Content-Encoding: gzip", f"Content-Length: {_HUGE}", content=b"\x1f\x8b"), (400,)
    ),
    "content-identity": Shape(post("Content-Encoding: Identity", LENGTH), (200,)),
}

CHUNKS: Final[Mapping[str, Shape]] = {
    "plain": Shape(chunked(chunks() + END), (200,)),
    "of-one-byte": Shape(
        chunked(b"".join(b"1\r\n%c\r\n" % byte for byte in BODY) + b"0\r\n\r\n"), (200,)
    ),
    "extension": Shape(chunked(chunks(extension=b";a=b") + END), (200,)),
    "extension-quoted": Shape(chunked(chunks(extension=b';a="b\\"c"') + END), (200,)),
    "extension-of-a-megabyte": Shape(
        chunked(chunks(extension=b";" + b"a" * 1_000_000) + END), (200,)
    ),
    "extension-with-lf": Shape(chunked(chunks(extension=b";a\nb") + END), (400,)),
    "extension-with-cr": Shape(chunked(chunks(extension=b";a\rb") + END), (400,)),
    "extension-with-nul": Shape(chunked(chunks(extension=b";a\0b") + END), (400,)),
    "size-and-space": Shape(chunked(chunks(extension=b" ") + END), (400,)),
    "size-and-tab": Shape(chunked(chunks(extension=b"\t") + END), (400,)),
    "size-0x": Shape(chunked(b"0x" + chunks() + END), (400,)),
    "size-minus": Shape(chunked(b"-" + chunks() + END), (400,)),
    "size-plus": Shape(chunked(b"+" + chunks() + END), (400,)),
    "size-underscore": Shape(chunked(b"0_" + chunks() + END), (400,)),
    "size-empty": Shape(chunked(b"\r\n" + BODY), (400,)),
    "size-no-number": Shape(chunked(b"zz\r\n{}\r\n"), (400,)),
    "size-leading-zeros": Shape(chunked(b"0" * 300 + chunks() + END), (200,)),
    "size-beyond-64-bits": Shape(chunked(chunks(size=b"1" + b"0" * 16)), (400,)),
    "size-of-63-bits": Shape(chunked(chunks(size=b"7" + b"f" * 15)), (408,)),
    "line-ends-lf": Shape(chunked((chunks() + END).replace(b"\r\n", b"\n")), (400,)),
    "first-line-ends-lf": Shape(chunked((chunks() + END).replace(b"\r\n", b"\n", 1)), (400,)),
    "last-line-ends-lf": Shape(chunked(chunks() + b"\n"), (400,)),
    "no-end-of-data": Shape(chunked((chunks() + END).replace(BODY + b"\r\n", BODY)), (400,)),
    "longer-than-its-size": Shape(chunked((chunks() + END).replace(BODY, BODY + b"XX")), (400,)),
    "without-last": Shape(chunked(chunks()[:-3]), (408,)),
    "trailer": Shape(chunked(chunks() + b"X: 1\r\n\r\n", "Trailer: X"), (200,)),
    "trailer-of-credentials": Shape(
        chunked(chunks() + b"Authorization: x\r\nContent-Encoding: gzip\r\n\r\n"), (200,)
    ),
    "trailer-with-length": Shape(chunked(chunks() + b"Content-Length: 5\r\n\r\n"), (400,)),
    "trailer-broken": Shape(chunked(chunks() + b"X : \0\r\n\r\n"), (400,)),
}

HEADS: Final[Mapping[str, Shape]] = {
    **{
        f"field-{name}": Shape(post(LENGTH, line), (400,))
        for name, line in {
            "folded": "X: a\r\n b",
            "folded-tab": "X: a\r\n\tb",
            "bare-lf": "X: a\nTransfer-Encoding: chunked",
            "bare-cr": "X: a\rTransfer-Encoding: chunked",
            "nul": "X: a\0b",
            "control": "X: \x01\x7f",
            "nul-in-name": "X\0A: a",
            "name-not-ascii": "\xc4: x",
            "name-empty": ": x",
            "no-colon": "nonsense",
            "name-too-long": "X" * 70_000 + ": a",
            "too-long": "X: " + "a" * 100_000,
            "second-host": "Host: b",
            "second-kind": "Content-Type: text/plain",
        }.items()
    },
    "field-not-ascii": Shape(post(LENGTH, b"X: \xc4\x80"), (200,)),
    "field-name-long": Shape(post("X" * 60_000 + ": a", LENGTH), (200,)),
    "first-field-folded": Shape(PLAIN.replace(b"Host", b" Host"), (400,)),
    "all-lines-end-lf": Shape(post(LENGTH, content=b"").replace(b"\r\n", b"\n") + BODY, (400,)),
    "all-lines-end-cr": Shape(post(LENGTH, content=b"").replace(b"\r\n", b"\r") + BODY, (400,)),
    "last-line-ends-lf": Shape(post(LENGTH, content=b"")[:-2] + b"\n" + BODY, (400,)),
    "no-host": Shape(post(LENGTH, head=(JSON,)), (400,)),
    "120-fields": Shape(post(*[f"X-{n}: a" for n in range(120)], LENGTH), (200,)),
    "10000-fields": Shape(post(*[f"X-{n}: a" for n in range(10_000)], LENGTH), (400,)),
    "one-field-30000-times": Shape(post(*["X: a"] * 30_000, LENGTH), (400,)),
    "authorization-3000-times": Shape(post(*["Authorization: a"] * 3_000, LENGTH), (400,)),
    "version-0.9": Shape(post(LENGTH, version="0.9"), (400,)),
    "version-1.2": Shape(post(LENGTH, version="1.2"), (400,)),
    "version-1.10": Shape(post(LENGTH, version="1.10"), (400,)),
    "version-2.0": Shape(post(LENGTH, version="2.0"), (400,)),
    "version-none": Shape(b"POST /authorize\r\n\r\n", (400,)),
    "http2-preface": Shape(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", (400,)),
    "upgrade-h2c": Shape(
        post("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk",
             LENGTH), (200,),
    ),
    "upgrade-websocket": Shape(
        post("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
             "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", LENGTH), (200,),
    ),
    "expect-unknown": Shape(post("Expect: x", LENGTH), (200,)),
    "expect-in-http-1.0": Shape(post("Expect: 100-continue", LENGTH, version="1.0"), (200,)),
    "expect": Shape(post("Expect: 100-continue", LENGTH), (100, 200)),
    "expect-what-is-too-large": Shape(
        post("Expect: 100-continue", f"Content-Length: {_HUGE}", content=b""), (413,)
    ),
    "expect-what-is-compressed": Shape(
        post("Expect: 100-continue", LENGTH, "Content-Encoding: gzip", content=b""), (400,)
    ),
    "close-and-a-request-behind": Shape(post("Connection: close", LENGTH) + PLAIN, (400,)),
    "empty-lines-before": Shape(b"\r\n" * 1_000 + PLAIN, (200,)),
    "space-before": Shape(b" " + PLAIN, (400,)),
    "garbage-behind": Shape(PLAIN + b"garbage\r\n\r\n", (400,)),
    "tls": Shape(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500, (400,)),
    "zeros": Shape(b"\0" * 100_000, (400,)),
    "no-line-end": Shape(b"x" * 1_000_000, (400,)),
}  # fmt: skip

TARGETS: Final[Mapping[str, Shape]] = {
    **{
        name: Shape(post(LENGTH, target=target), (status,))
        for name, target, status in [
            ("absolute", "http://evil.test/authorize", 200),
            ("absolute-broken", "http://[/authorize", 400),
            ("absolute-port", "http://a:99999999/authorize", 400),
            ("query", "/authorize?" + "a" * 60_000, 200),
            ("fragment", "/authorize#x", 200),
            ("dot", "/./authorize", 404),
            ("dots", "/x/../authorize", 404),
            ("two-slashes", "//authorize", 404),
            ("slash-behind", "/authorize/", 404),
            ("upper-case", "/AUTHORIZE", 404),
            ("escape-broken", "/%zz", 404),
            ("escape-not-utf-8", "/%ff%00", 404),
            ("escape-of-cr", "/%0d%0aX:%20y", 404),
            ("relative", "authorize", 400),
            ("not-ascii", "/\xe4", 400),
            ("space", "/a b", 400),
            ("long", "/" + "a" * 60_000, 404),
            ("too-long", "/" + "a" * 70_000, 400),
        ]
    },
    **{
        f"method-{method or 'none'}": Shape(PLAIN.replace(b"POST", method.encode(), 1), (status,))
        for method, status in [
            ("GET", 405), ("PUT", 405), ("TRACE", 405), ("PATCH", 405), ("post", 400),
            ("P@ST", 400), ("POST\0", 400), ("", 400),
        ]
    },
    "method-overridden": Shape(
        post("X-HTTP-Method-Override: POST", LENGTH).replace(b"POST", b"GET", 1), (405,)
    ),
    "connect-then-a-request": Shape(b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n" + PLAIN, (404, 200)),
    "options-star": Shape(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", (404,)),
    **{
        f"request-within-the-body-of-a-{status}": Shape(text, (status,))
        for status, text in [
            (404, post(f"Content-Length: {len(PLAIN)}", target="/none", content=PLAIN)),
            (405, sending(PLAIN).replace(b"POST", b"PUT", 1)),
            (400, post(f"Content-Length: {len(PLAIN)}", "Content-Encoding: br", content=PLAIN)),
            (413, post(f"Content-Length: {_HUGE}", content=PLAIN)),
        ]
    },
    "request-within-the-body-of-a-get": Shape(
        b"GET /version HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(PLAIN) + PLAIN,
        (200,),
    ),
}  # fmt: skip

KINDS: Final[Mapping[str, Shape]] = {
    **{
        name: Shape(kind(value), (400,))
        for name, value in {
            "text": "text/plain",
            "empty": "",
            "garbage": ";;;=",
            "list": "application/json, text/plain",
            "like-json": "application/problem+json",
            "utf-16": "application/json; charset=utf-16",
            "two-charsets": "application/json; charset=utf-8; charset=utf-7",
            "charset-extended": "application/json; charset*=utf-16''x",
            "charset-in-pieces": "application/json; charset*0=utf-16",
            "charset-not-ascii": "application/json; charset*=\xff''%",
            "quotes": "application/json; a=" + '"' * 30_000,
            "semicolons": "application/json" + ";" * 30_000,
            "backslashes": 'application/json; a="' + "\\" * 30_000,
            "spaces": "application/json" + " \t" * 15_000 + "x",
        }.items()
    },
    "none": Shape(post(LENGTH, head=("Host: a",)), (400,)),
    "charset": Shape(kind('Application/JSON;charset="UTF-8"'), (200,)),
    "parameters": Shape(kind("application/json" + "; a=b" * 10_000), (200,)),
}

BODIES: Final[Mapping[str, Shape]] = {
    **{
        name: Shape(sending(content), (400,))
        for name, content in {
            "not-json": b"nonsense",
            "two-values": BODY + BODY,
            "nul-behind": BODY + b"\0",
            "byte-order-mark": b"\xef\xbb\xbf" + BODY,
            "utf-16": BODY.decode().encode("utf-16"),
            "subject-twice": b'{"subject": "bob", ' + BODY[1:],
            "subject-twice-escaped": b'{"\\u0073ubject": "bob", ' + BODY[1:],
            "extra-twice": b'{"extra": null, ' + BODY[1:],
            "subject-in-another-case": b'{"Subject": "bob", ' + BODY[1:],
            "key-unknown": b'{"admin": true, ' + BODY[1:],
            "nested-10000-arrays": with_extra(b"[" * 10_000 + b"]" * 10_000),
            "nested-10000-objects": with_extra(b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
            "nested-open": b"[" * 100_000,
            "values-in-tens-of-thousands": with_extra(b"[" + b"[]," * 50_000 + b"[]]"),
            "key-twice-within": with_extra(b'{"a": 1, "a": 2}'),
            "nan": with_extra(b"NaN"),
            "infinity": with_extra(b"-Infinity"),
            "number-beyond-double": with_extra(b"1e999"),
            "number-of-100000-digits": with_extra(b"9" * 100_000),
            "lone-surrogate": with_extra(b'"\\ud800"'),
            "surrogate-as-key": with_extra(b'{"\\udc00": 1}'),
            "not-utf-8": with_extra(b'"\xff"'),
            "control-character": with_extra(b'"\x01"'),
        }.items()
    },
    "url-broken": Shape(asking(url="http://[::1/x"), (403,)),
    "url-without-authority": Shape(asking(url="/orgs/acme/documents/1"), (400,)),
    "url-of-another-scheme": Shape(asking(url="file:///orgs/acme/documents/1"), (400,)),
    "url-with-line-end": Shape(asking(url="http://a/orgs/acme/documents/1\r\nX: y"), (403,)),
    "url-with-nul": Shape(asking(url="http://a/orgs/acme/documents/1\0"), (403,)),
    "url-escaped-nul": Shape(asking("/orgs/acme/documents/%00"), (403,)),
    "url-with-dots": Shape(asking("/orgs/acme/documents/../../x"), (403,)),
    "method-with-space": Shape(asking(method="GET /"), (400,)),
    "method-lower-case": Shape(asking(method="get"), (403,)),
    "subject-empty": Shape(asking(subject=""), (403,)),
    "subject-of-another": Shape(asking(subject="bob"), (403,)),
    "subject-forging-a-line": Shape(asking(subject='ann\r\n{"event": "x"}\x1b[2J'), (403,)),
    "extra-null": Shape(asking(extra=None), (403,)),
    "extra-list": Shape(asking(extra=[]), (400,)),
    "profile-unknown": Shape(asking(profile="root"), (403,)),
    "another-organisation": Shape(asking("/orgs/globex/documents/1"), (403,)),
    "number-as-integer-of-300-digits": Shape(sending(with_extra(b"9" * 300)), (200,)),
}

SHAPES: Final[Mapping[str, Mapping[str, Shape]]] = {
    "lengths": LENGTHS,
    "codings": CODINGS,
    "chunks": CHUNKS,
    "heads": HEADS,
    "targets": TARGETS,
    "kinds": KINDS,
    "bodies": BODIES,
}


def _heavy(unit: bytes, *, of_session: bool = False) -> bytes:
    """Return a body that is mostly copies of `unit`, as many as a body may have.

    They are in a trait, or in `extra` beside the traits.
    """
    more: dict[str, Any] = {"more": "here"}
    traits = {"organization": "acme", **({} if of_session else more)}
    extra = session(traits, expires_at="2099-01-01T00:00:00Z", **(more if of_session else {}))
    template = body(PATH, extra=extra)
    pieces = 1 + unit.count(b",") + unit.count(b"[") + unit.count(b"{")
    copies = min((256 * 1024 - len(template)) // (len(unit) + 1), (MAX_PIECES - 100) // pieces)
    return template.replace(b'"here"', b"[" + b",".join([unit] * copies) + b"]")


# What bench/amplification.py found, by CPU and by memory; docs/hostile-input.md has its figures.
HEAVY: Final[Mapping[str, bytes]] = {
    "lists-in-a-trait": sending(_heavy(b"[[],[[]]]")),
    "objects-in-a-trait": sending(_heavy(b'[{"a":{"a":"a"}}]')),
    "numbers-beside-traits": sending(_heavy(b"1.7976931348623157e308", of_session=True)),
    "objects-beside-traits": sending(_heavy(b'{"":{}}', of_session=True)),
}

# Where these are refused depends on how the network cuts them, and the answer may be lost: the
# kernel resets a connection that is closed with bytes unread.
FLOODS: Final[Mapping[str, bytes]] = {
    "64-mb": post(f"Content-Length: {_HUGE}", content=b" " * _HUGE),
    "64-mb-in-chunks": chunked((b"100000\r\n" + b" " * (1 << 20) + b"\r\n") * 64 + b"0\r\n\r\n"),
    "64-mb-of-chunk-extension": chunked(b"1;" + b"a" * _HUGE + b"\r\n \r\n0\r\n\r\n"),
    "64-mb-compressed": post(
        "Content-Encoding: gzip", f"Content-Length: {_HUGE}", content=b"\x1f" * _HUGE
    ),
    "64-mb-of-one-field": post(LENGTH, "X: " + "a" * _HUGE),
    "64-mb-of-fields": post(LENGTH, *["X: " + "a" * 60_000] * 1_100),
    "64-mb-of-empty-lines": b"\r\n" * (_HUGE // 2),
    "two-million-chunks": chunked(b"1\r\n \r\n" * 2_000_000 + b"0\r\n\r\n"),
    "a-megabyte-of-trailer": chunked(chunks() + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n"),
    "20000-trailers": chunked(chunks() + b"X: a\r\n" * 20_000 + END),
    "20000-requests-at-once": b"GET /none HTTP/1.1\r\nHost: a\r\n\r\n" * 20_000,
}
