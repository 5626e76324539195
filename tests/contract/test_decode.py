import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import authorizer.contract
from authorizer.contract import decode as module
from authorizer.contract.careful import decode_carefully
from authorizer.contract.decode import decode
from authorizer.errors import MalformedRequest
from authorizer.model import AccessRequest

SCHEMA = json.loads((Path(authorizer.contract.__file__).parent / "request.schema.json").read_text())
FIXTURES = sorted((Path(__file__).parents[1] / "fixtures").glob("oathkeeper-v*/*.json"))
MINIMAL = {"subject": "ann", "method": "GET", "url": "http://api.acme.test/a"}


def body(**changes: object) -> bytes:
    return json.dumps({**MINIMAL, **changes}).encode()


def refused(text: bytes) -> MalformedRequest:
    with pytest.raises(MalformedRequest) as raised:
        decode(text)
    return raised.value


# --- what Oathkeeper really sends ------------------------------------------------------------


def test_there_are_bodies_of_both_versions() -> None:
    assert len(FIXTURES) == 42


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_body_that_oathkeeper_sent_decodes(path: Path) -> None:
    text = path.read_bytes()
    said = json.loads(text)
    request = decode(text)
    assert (request.subject, request.method, request.url) == (
        said["subject"],
        said["method"],
        said["url"],
    )
    assert request.profiles == (said["profile"],)
    assert request.extra == said["extra"]
    assert request.raw_path == said["raw_path"]
    jsonschema.validate(said, SCHEMA, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_what_go_writes_takes_the_fast_way(path: Path) -> None:
    """The template's own text is spaced, what its `toJson` writes is not."""
    said = json.loads(path.read_bytes())
    compact = json.dumps(said["extra"], separators=(",", ":"), ensure_ascii=False)
    text = json.dumps({**said, "extra": None}).replace('"extra": null', f'"extra": {compact}')
    request = module._decode_fast(text.encode())
    assert request == decode_carefully(text.encode())
    assert request is not None
    assert request.extra_bytes == compact.encode()


# --- meaning ---------------------------------------------------------------------------------


def test_a_minimal_request_has_defaults() -> None:
    assert decode(body()) == AccessRequest("ann", "GET", "http://api.acme.test/a")


def test_everything_is_where_it_belongs() -> None:
    text = body(
        profile=["kratos", "anonymous"],
        extra={"active": True, "n": 1, "f": 1.0},
        raw_path="/a%2Fb",
        headers={"X-Tenant": ["a", "b"], "x-one": "1", "x-none": None, "x-empty": []},
        forwarded_uri=["/x"],
    )
    request = decode(text)
    assert request == AccessRequest(
        subject="ann",
        method="GET",
        url="http://api.acme.test/a",
        profiles=("kratos", "anonymous"),
        extra={"active": True, "n": 1, "f": 1.0},
        raw_path="/a%2Fb",
        headers={"x-tenant": ("a", "b"), "x-one": ("1",)},
        forwarded_uri=("/x",),
    )
    assert request.extra is not None
    assert type(request.extra["n"]) is int
    assert type(request.extra["f"]) is float


@pytest.mark.parametrize(
    ("sent", "read"),
    [(None, None), ([], None), ("/a", ("/a",)), ("", ("",)), (["", "/b"], ("", "/b"))],
)
def test_forwarded_uri_keeps_every_value_and_none_is_absent(
    sent: object, read: tuple[str, ...] | None
) -> None:
    assert decode(body(forwarded_uri=sent)).forwarded_uri == read


def test_the_method_keeps_its_case() -> None:
    assert decode(body(method="get")).method == "get"


def test_the_bytes_of_extra_come_with_it_and_change_nothing_about_equality() -> None:
    one = decode(b'{"subject":"","method":"GET","url":"http://a","extra":{"a":"<"}}')
    other = decode(b'{"subject":"","method":"GET","url":"http://a","extra":{"a":"\\u003c"}}')
    assert one == other
    assert (one.extra_bytes, other.extra_bytes) == (b'{"a":"<"}', b'{"a":"\\u003c"}')
    assert "extra_bytes" not in repr(one)


@pytest.mark.parametrize("text", [body(), body().replace(b'"ann"', b'"\\u0061nn"'), body(extra={})])
def test_the_callers_authorization_comes_beside_the_body_and_no_repr_shows_it(text: bytes) -> None:
    request = decode(text, ("Bearer secret-token",))
    assert request.authorization == ("Bearer secret-token",)
    assert "secret" not in repr(request)
    assert decode_carefully(text, ("Bearer secret-token",)) == request


def test_no_repr_shows_a_header_that_the_payload_passes_on() -> None:
    """It may be a token."""
    assert "secret" not in repr(decode(body(headers={"x-token": ["secret-token"]})))


# --- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pointer", "reason"),
    [
        (b"[]", "", "is an array; expected an object"),
        (b"null", "", "is null; expected an object"),
        (b"{}", "", "has no 'subject'"),
        (b'{"subject": "", "method": "GET"}', "", "has no 'url'"),
        (body(subject=1), "/subject", "is a number; expected a string"),
        (body(subject=None), "/subject", "is null; expected a string"),
        (body(method=""), "/method", "is not an HTTP method"),
        (body(method="GET\n"), "/method", "is not an HTTP method"),
        (body(method="GET /"), "/method", "is not an HTTP method"),
        (body(url="/a"), "/url", "is not absolute"),
        (body(url="//admin/people"), "/url", "is not absolute"),
        (body(url="http:///a"), "/url", "is not absolute"),
        (body(url="ftp://a/b"), "/url", "is not absolute"),
        (body(url=" http://a/b"), "/url", "is not absolute"),
        (body(profile=None), "/profile", "is null; expected a name or a list of names"),
        (body(profile=[]), "/profile", "needs at least one name"),
        (body(profile=""), "/profile", "needs at least one name"),
        (body(profile=["a", "a"]), "/profile", "needs at least one name"),
        (body(profile=["a", 1]), "/profile/1", "is a number; expected a name"),
        (body(extra=[]), "/extra", "is an array; expected an object or null"),
        (body(extra="{}"), "/extra", "is a string; expected an object or null"),
        (body(raw_path=None), "/raw_path", "is null; expected a string"),
        (body(headers=None), "/headers", "is null; expected an object"),
        (body(headers={"": "x"}), "/headers", "has a name that no header can have"),
        (body(headers={"x y": "x"}), "/headers", "has a name that no header can have"),
        (body(headers={"x-é": "x"}), "/headers", "has a name that no header can have"),
        (body(headers={"x-a": 1}), "/headers/x-a", "is a number; expected null, a string"),
        (body(headers={"x-a": ["b", None]}), "/headers/x-a/1", "is null; expected a string"),
        (body(headers={"x-a": "1", "X-A": "2"}), "/headers/X-A", "differs from another"),
        (body(headers={"x-a": None, "X-A": None}), "/headers/X-A", "differs from another"),
        (body(forwarded_uri={}), "/forwarded_uri", "is an object; expected null, a string"),
        (body(forwarded_uri=[True]), "/forwarded_uri/0", "is a boolean; expected a string"),
        (body(heders={}), "/heders", "is not a key of a request; known are subject"),
        (body(**{"ann@acme.test": 1}), "", "is not a key of a request; known are subject"),
    ],
)
def test_a_body_that_is_not_a_request_is_refused_with_pointer_and_reason(
    text: bytes, pointer: str, reason: str
) -> None:
    error = refused(text)
    assert error.pointer == pointer
    assert error.reason.startswith(reason)


def nested(levels: int) -> bytes:
    """Return a body of so many levels, itself included."""
    return (
        b'{"subject":"s","method":"GET","url":"http://a","extra":'
        + b'{"a":' * (levels - 2)
        + b"{}"
        + b"}" * (levels - 2)
        + b"}"
    )


def test_depth_is_counted_from_the_body() -> None:
    decode(nested(32))
    assert "too deep" in refused(nested(33)).reason
    assert "too deep" in refused(nested(5_000)).reason
    assert "too many values" in refused(nested(50_000)).reason


def test_values_are_counted_and_texts_are_not() -> None:
    assert decode(body(extra={"a": ",[{" * 20_000, "b": [0] * 9_900})).extra is not None
    error = refused(body(extra={"a": [0] * 10_000}))
    assert (error.pointer, error.reason[:19]) == ("", "has too many values")
    assert refused(body(headers={"x": ["a"] * 10_000})).pointer == ""


@pytest.mark.parametrize("number", ["1.7976931348623157e308", "5e-324", "-1E+2", "1e400"])
@pytest.mark.parametrize("count", [1, 500, 501, 9_000])
def test_however_many_powers_of_ten_they_are_read_alike(number: str, count: int) -> None:
    text = body(extra={"a": "?"}).replace(
        b'"?"', b"[" + b",".join([number.encode()] * count) + b"]"
    )
    if number == "1e400":
        assert "double" in refused(text).reason
    else:
        assert decode(text) == decode_carefully(text)
        assert decode(text).extra == {"a": [float(number)] * count}


HEAD = b'{"subject":"s","method":"GET","url":"http://a"'


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        (HEAD + b',"subject":"s"}', ""),
        (HEAD + b',"\\u0075rl":"http://a"}', ""),
        (HEAD + b',"extra":{"a":1},"extra":{"a":1}}', ""),
        (HEAD + b',"extra":{"a":1},"extra":null}', ""),
        (HEAD + b',"extra":null,"extra":{"a":"b"}}', ""),
        (HEAD + b',"headers":{},"headers":{}}', ""),
        (HEAD + b',"headers":{"x-a":"1","x-a":"1"}}', "/headers"),
        (HEAD + b',"headers":{"x-a":null,"x-\\u0061":null}}', "/headers"),
        (HEAD + b',"raw_path":"\\"","raw_path":"\\""}', ""),
        (HEAD + b',"extra":{"a":{"b":1,"b":1}}}', "/extra/a"),
        (HEAD + b',"extra":{"a":[{"b":1e5,"b":10}]}}', "/extra/a/0"),
        (HEAD + b',"extra":{"a":"\\\\","a":"b"}}', "/extra"),
    ],
)
def test_a_key_that_stands_twice_is_refused_at_any_level(text: bytes, pointer: str) -> None:
    error = refused(text)
    assert error.pointer == pointer
    assert "twice" in error.reason


@pytest.mark.parametrize(
    "rest",
    [
        b',"extra":{"a":"b"},"headers":{"x-a":"\\"extra\\":{\\"a\\":\\"b\\"}"}}',
        b',"headers":{"x-a":"extra"},"extra":{"a":"\\"extra\\":{}"}}',
        b',"headers":{"extra":"{}"},"extra":{}}',
        b', "extra" : {"a":"b"}}',
        b',"raw_path":"{}","extra":{}}',
    ],
)
def test_what_looks_like_extra_elsewhere_is_no_second_one(rest: bytes) -> None:
    assert decode(HEAD + rest) == decode_carefully(HEAD + rest)


@pytest.mark.parametrize(
    "value",
    [
        b"NaN",
        b"-Infinity",
        b"1e999",
        b"-1e400",
        b"9" * 309,
        b"9" * 5000,
        b'"\\ud800"',
        b'"\xff"',
        b'"\x01"',
        b"01",
        b'"\\x"',
        b"[1,]",
    ],
)
def test_what_json_or_a_double_cannot_say_is_refused_inside_of_extra(value: bytes) -> None:
    assert refused(HEAD + b',"extra":{"a":' + value + b"}}").reason


@pytest.mark.parametrize("value", [b"18446744073709551616", b"1" + b"0" * 308, b"-0", b"1E2"])
def test_numbers_that_a_double_can_hold_are_read(value: bytes) -> None:
    request = decode(HEAD + b',"extra":{"a":' + value + b"}}")
    assert request.extra == {"a": json.loads(value)}


def test_no_reason_quotes_a_value() -> None:
    secret = "hunter2"  # noqa: S105 - a stand-in
    for text in (
        body(subject=[secret]),
        body(method=secret + " "),
        body(url=secret),
        body(profile=[secret, secret]),
        body(headers={"x-a": {secret: secret}}),
        body(extra=secret),
        body(extra={"k": secret})[:-3] + b"\xff",
        body(extra={"k": secret})[:-1],
        body(extra={"k": secret + "\ud800"}),
        json.dumps([secret]).encode(),
        json.dumps(secret).encode() + b"1",
    ):
        assert secret not in str(refused(text))


@given(st.integers(0, 400), st.integers(300, 320))
def test_an_integer_that_is_too_long_is_seen_wherever_it_begins(before: int, digits: int) -> None:
    text = HEAD + b',"extra":{"a":"' + b"x" * before + b'","n":' + b"9" * digits + b"}}"
    # The greatest double is a little less than 1.8e308.
    assert verdict(text) is (digits <= 308)


# --- decoder and schema ----------------------------------------------------------------------

TOKENS = st.sampled_from(["GET", "get", "PURGE", "M-SEARCH", "", "G T", "GET\n", "É"])
URLS = st.sampled_from(
    [
        "http://a",
        "https://a:1/b?c#d",
        "HTTP://a",
        "http://",
        "http:///x",
        "//a",
        "/a",
        "",
        "http://é",
        "x\nhttp://a",
        "http://a\n",
    ]
)
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = st.sampled_from(["kratos", "anonymous", "hydra", ""])
VALUES = st.none() | st.text(max_size=5) | st.lists(st.text(max_size=3), max_size=3)
# Lower-case, as names that differ in case alone are what a schema cannot see.
HEADERS = st.dictionaries(
    st.sampled_from(["x-a", "x-b", "", "x y", "x-é", "x_c"]), VALUES | ANYTHING, max_size=3
)


def near(valid: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw mostly what is valid, and sometimes anything."""
    return st.one_of(valid, valid, valid, ANYTHING)


BODIES = (
    st.fixed_dictionaries(
        {"subject": near(st.text()), "method": near(TOKENS), "url": near(URLS)},
        optional={
            "profile": near(NAMES | st.lists(NAMES, max_size=3)),
            "extra": near(st.none() | st.dictionaries(st.text(max_size=5), ANYTHING, max_size=4)),
            "raw_path": near(st.text(max_size=5)),
            "headers": near(HEADERS),
            "forwarded_uri": near(VALUES),
            "unknown": ANYTHING,
        },
    )
    | st.dictionaries(st.sampled_from(["subject", "method", "url", "extra"]), ANYTHING)
    | ANYTHING
)

VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_key_of_the_schema_is_described() -> None:
    assert all(value["description"] for value in SCHEMA["properties"].values())


def verdict(text: bytes) -> bool:
    try:
        decode(text)
    except MalformedRequest:
        return False
    return True


@given(BODIES, st.sampled_from([(",", ":"), (", ", ": ")]), st.booleans())
@example(value={**MINIMAL, "method": "GET\n"}, separators=(",", ":"), escaped=False)
@example(value={**MINIMAL, "profile": ["a", "a"]}, separators=(",", ":"), escaped=False)
def test_decoder_and_schema_come_to_the_same_verdict(
    value: object,
    separators: tuple[str, str],
    escaped: bool,  # noqa: FBT001 - drawn by hypothesis
) -> None:
    text = json.dumps(value, separators=separators, ensure_ascii=escaped)
    assert verdict(text.encode()) is VALIDATOR.is_valid(json.loads(text))


# --- the two ways through --------------------------------------------------------------------


@given(BODIES, st.data())
def test_the_fast_way_never_differs_from_the_careful_one(
    value: object, data: st.DataObject
) -> None:
    """Also on text that was damaged: bytes cut out, doubled, or put in."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=data.draw(st.booleans())).encode()
    for _ in range(data.draw(st.integers(0, 2))):
        start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
        put = data.draw(
            st.sampled_from([b"", text[start:end] * 2, b'"', b"\\", b"1", b",", b"\xff", b"{}"])
        )
        text = text[:start] + put + text[end:]
    try:
        careful: AccessRequest | None = decode_carefully(text)
    except MalformedRequest:
        careful = None
    try:
        fast = module._decode_fast(text)
    except MalformedRequest:
        assert careful is None
    else:
        assert fast is None or fast == careful


PAIRS = st.lists(
    st.tuples(
        st.sampled_from(
            ["subject", "extra", "headers", "raw_path", "\\u0065xtra", "forwarded_uri"]
        ),
        st.sampled_from(
            ['""', '"a"', "null", "{}", '{"a":"b"}', '{"x-a":"\\""}', '{"x-a":["",""]}', '["a"]']
        ),
    ),
    max_size=5,
)


@given(PAIRS)
def test_keys_that_stand_twice_never_pass(pairs: list[tuple[str, str]]) -> None:
    text = ",".join(['"method":"GET"', '"url":"http://a"', *(f'"{k}":{v}' for k, v in pairs)])
    keys = [json.loads(f'"{key}"') for key, _ in pairs]
    if verdict(b"{" + text.encode() + b"}"):
        assert len(set(keys)) == len(keys)
