"""A matched request becomes checks, or a failure that names the expression and never a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from routing.rulebook import compiled

from authorizer.errors import ExpressionError, MissingKey
from authorizer.model import AccessRequest, Check, Principal
from authorizer.routing.reading import Address, locate
from authorizer.routing.render import render
from authorizer.routing.table import Matched

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authorizer.model import JsonValue

ALICE = Principal("alice", ("user", "admin"), {"org": "acme", "auth": {"profile": "kratos"}}, "p")


def rule(body: str, path: str = "/d/{id}", methods: str = "[GET, POST]") -> str:
    """Return a file with one route; the indented `body` says what it asks."""
    return (
        f"version: 1\nroutes:\n  - id: r\n    match: {{path: '{path}', methods: {methods},"
        f" encoded_slash: keep}}\n    {body}\n"
    )


def rendered(
    text: str,
    path: str = "/d/7",
    *,
    method: str = "GET",
    headers: Mapping[str, tuple[str, ...]] | None = None,
    extra: Mapping[str, JsonValue] | None = None,
    subject: str = "alice",
) -> tuple[Check, ...]:
    address = locate("https://api.acme.test" + path)
    assert isinstance(address, Address)
    matched = compiled(text).match(address, method)
    assert isinstance(matched, Matched), matched
    request = AccessRequest(subject, method, "", extra=extra, headers=headers or {})
    return render(matched, address, request, ALICE)


def asks(id_: str, more: str = "") -> str:
    return rule(f'action: view\n    resource: {{kind: doc, id: "{id_}"{more}}}')


def id_of(expression: str, path: str = "/d/7", **request: object) -> str:
    (check,) = rendered(asks(f"${{{expression}}}"), path, **request)  # type: ignore[arg-type]
    return check.resource.id


@pytest.mark.parametrize(
    ("expression", "path", "expected"),
    [
        ("path.id", "/d/%C3%A9", "é"),
        ("path.id", "/d/a%2Fb", "a/b"),
        ("query.to", "/d/7?to=x", "x"),
        ("query['a-b']", "/d/7?a-b=c+d%20e", "c d e"),
        ("query_all.to[1]", "/d/7?to=x&to=y", "y"),
        ("request.method", "/d/7", "GET"),
        ("request.scheme", "/d/7", "https"),
        ("request.host", "/d/7", "api.acme.test"),
        ("request.path", "/d/a%2fb%C3%A9/", "/d/a%2Fbé/"),
        ("subject", "/d/7", "alice"),
        ("principal.id", "/d/7", "alice"),
        ("principal.roles[1]", "/d/7", "admin"),
        ("principal.attr.auth.profile", "/d/7", "kratos"),
        ("has(query.to) ? query.to : 'none'", "/d/7", "none"),
        ("string(size(query_all))", "/d/7", "0"),
        ("string(size(query_all.x))", "/d/7?x&x=", "2"),
    ],
)
def test_a_name_is_what_it_says(expression: str, path: str, expected: str) -> None:
    assert id_of(expression, path) == expected


def test_headers_are_what_the_payload_passed_on() -> None:
    headers = {"x-tenant": ("acme",), "x-two": ("a", "b"), "x-none": ()}
    assert id_of("headers['x-tenant']", headers=headers) == "acme"
    assert id_of("headers_all['x-two'][1]", headers=headers) == "b"
    assert id_of("has(headers.nope) ? 'yes' : 'no'", headers=headers) == "no"


def test_extra_is_what_the_authenticator_said() -> None:
    assert id_of("extra.client_id", extra={"client_id": "svc"}) == "svc"


def test_all_parts_of_a_check_are_rendered() -> None:
    text = rule(
        'actions: {GET: "view-${path.id}", POST: edit}\n    resource:\n      kind: doc-${path.id}\n'
        "      id: ${path.id}\n      policy_version: v${path.id}\n"
        "      scope: ${principal.attr.org}.x\n"
        "      attr: {i: 5, f: 1.5, b: true, z: null, e: {},"
        " l: ['${path.id}', {deep: '${principal.roles}'}]}",
        methods="[GET]",
    ).replace(", methods: [GET]", "")
    (check,) = rendered(text)
    resource = check.resource
    assert (resource.kind, resource.id, check.action) == ("doc-7", "7", "view-7")
    assert (resource.policy_version, resource.scope) == ("v7", "acme.x")
    assert resource.attr == {
        "i": 5, "f": 1.5, "b": True, "z": None, "l": ["7", {"deep": ["user", "admin"]}], "e": {},
    }  # fmt: skip
    assert type(resource.attr["i"]) is int
    assert type(resource.attr["b"]) is bool
    assert rendered(text, method="POST")[0].action == "edit"
    assert rendered(text, method="HEAD")[0].action == "view-7"


def test_checks_come_in_the_routes_order() -> None:
    text = rule(
        "checks:\n      - {resource: {kind: b, id: '1'}, action: go, scope: s}\n"
        "      - {resource: {kind: a, id: '2'}, action: go}"
    )
    assert [(c.resource.kind, c.resource.scope) for c in rendered(text)] == [("b", "s"), ("a", "")]


# ---------------------------------------------------------------- given twice


@pytest.mark.parametrize("query", ["to=a&to=b", "to=a&to=a", "to&to", "to=a&%74o=b", "to=a&x&to="])
def test_a_parameter_that_is_used_and_given_twice_fails_the_mapping(query: str) -> None:
    with pytest.raises(ExpressionError, match=r"^query\.to: the caller sent this parameter more"):
        rendered(asks("${query.to}"), f"/d/7?{query}")


def test_a_header_that_is_used_and_given_twice_fails_the_mapping() -> None:
    with pytest.raises(ExpressionError, match="the caller sent this header more than once"):
        rendered(asks("${headers['x-t']}"), headers={"x-t": ("a", "a")})


@pytest.mark.parametrize(
    "expression",
    [
        "has(query.to) ? 'a' : 'b'",
        "query['to']",
        "[1].map(query, .query.to)[0]",
        "'%s'.format([query.to])",
        "{'a': query.to}.a",
        "true ? 'x' : query.to",
    ],
)
def test_no_spelling_of_a_parameter_hides_that_it_is_used(expression: str) -> None:
    with pytest.raises(ExpressionError, match="more than once"):
        rendered(asks(f"${{{expression}}}"), "/d/7?to=a&to=b")


def test_what_is_given_twice_and_not_used_is_nobodys_business() -> None:
    headers = {"x-t": ("a", "b"), "x-u": ("u",)}
    text = asks("${query.to}${headers['x-u']}")
    assert rendered(text, "/d/7?to=a&x=1&x=2", headers=headers)[0].resource.id == "au"
    assert rendered(asks("${path.id}"), "/d/7?to=a&to=b&%ff", headers=headers)


def test_the_lists_take_what_is_given_twice() -> None:
    text = asks("x", ", attr: {q: '${query_all.to}', h: \\\"${headers_all['x-t']}\\\"}")
    text = text.replace('\\"', '"')
    (check,) = rendered(text, "/d/7?to=a&to=b", headers={"x-t": ("1", "2")})
    assert check.resource.attr == {"q": ["a", "b"], "h": ["1", "2"]}


@pytest.mark.parametrize("query", ["to=a&TO=b", "to=a&to[]=b", "to=a&to[x]=b"])
def test_a_list_that_some_applications_see_longer_fails_the_mapping(query: str) -> None:
    with pytest.raises(ExpressionError, match="some applications read as `to`"):
        rendered(asks("${query_all.to[0]}"), f"/d/7?{query}")


# ---------------------------------------------------------------- what cannot be asked


@pytest.mark.parametrize(
    ("expression", "path"),
    [("query.to", "/d/7"), ("headers.nope", "/d/7"), ("extra.a.b", "/d/7"),
     ("principal.attr.nope", "/d/7"), ("path[query.to]", "/d/7?to=sekrit"),
     ("extra[query.to]", "/d/7?to=sekrit")],
)  # fmt: skip
def test_something_that_is_not_there_is_a_missing_key(expression: str, path: str) -> None:
    with pytest.raises(MissingKey) as failed:
        rendered(asks(f"${{{expression}}}"), path, extra={})
    assert failed.value.expression == expression
    assert "sekrit" not in str(failed.value)


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("to=", "empty"),
        ("to", "empty"),
        ("to=%EF%BF%BD", "U+FFFD"),
        ("to=a%00b", "control character"),
        ("to=%0A", "control character"),
        ("to=%C2%85", "control character"),
        ("to=%E2%80%A8", "control character"),
        ("to=%ff", "not UTF-8"),
        ("other=%ff&to=a", "not UTF-8"),
    ],
)
def test_a_callers_odd_characters_fail_the_mapping(query: str, why: str) -> None:
    with pytest.raises(ExpressionError, match=why.replace("+", r"\+")):
        rendered(asks("${query.to}"), f"/d/7?{query}")


@pytest.mark.parametrize("value", ["\ufffd", "a\x00", {"\ufffd": 1}, ["x", {"y": "\n"}]])
def test_an_attribute_with_odd_characters_fails_the_mapping(value: JsonValue) -> None:
    text = asks("x", ", attr: {fine: a, odd: '${extra}'}")
    with pytest.raises(ExpressionError, match=r"^attr\.odd: "):
        rendered(text, extra={"deep": value})


@pytest.mark.parametrize("key", ["scope", "policy_version"])
@pytest.mark.parametrize("value", ["a b", "\u00e9", "a.", "\u0663", "a\n", 5, None, [], True])
def test_what_cerbos_would_not_take_is_never_asked(key: str, value: JsonValue) -> None:
    text = asks("x", f", {key}: '${{extra.v}}'")
    with pytest.raises(ExpressionError) as failed:
        rendered(text, extra={"v": value})
    assert failed.value.expression == "${extra.v}"
    assert "a b" not in str(failed.value)


def test_an_empty_scope_is_no_scope() -> None:
    (check,) = rendered(asks("x", ", scope: '${extra.v}'"), extra={"v": ""})
    assert check.resource.scope == ""


@pytest.mark.parametrize("value", [1, 1.5, True, None, [], {}, ""])
def test_an_id_is_a_string_and_not_empty(value: JsonValue) -> None:
    with pytest.raises(ExpressionError):
        rendered(asks("${extra.v}"), extra={"v": value})


def test_an_integer_beyond_64_bits_keeps_its_digits() -> None:
    (check,) = rendered(
        asks("${extra.big}x", ", attr: {big: '${extra.big}'}"), extra={"big": 2**70}
    )
    assert check.resource.id == f"{2**70}x"
    assert check.resource.attr == {"big": 2**70}


@given(st.text(max_size=20), st.text(max_size=20))
def test_whatever_a_caller_sends_is_asked_as_it_is_or_fails_the_mapping(
    subject: str, tenant: str
) -> None:
    text = asks("${subject}", ", attr: {t: '${extra.t}'}")
    try:
        (check,) = rendered(text, subject=subject, extra={"t": tenant})
    except ExpressionError as error:
        failed = error
    else:
        assert (check.resource.id, check.resource.attr) == (subject, {"t": tenant})
        return
    assert not subject or "\ufffd" in subject + tenant or not (subject + tenant).isprintable()
    assert len(subject) < 3 or subject not in failed.reason
