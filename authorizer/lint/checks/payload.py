"""The payload: is it safe, is it one of ours, and does it pass what rules read?"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from authorizer.contract.decode import decode
from authorizer.errors import MalformedRequest, SourceError
from authorizer.expressions.template import Template
from authorizer.lint.codes import Code
from authorizer.lint.finding import Finding
from authorizer.lint.ruleset import parts
from authorizer.routing.conditions import Part
from authorizer.source.schema import load_schema
from authorizer.source.yaml import load_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authorizer.lint.chain import Chain
    from authorizer.lint.gotemplate import Action
    from authorizer.lint.payload import Payload
    from authorizer.lint.ruleset import RuleSet
    from authorizer.routing.route import Route
    from authorizer.source.document import Place

_GET: Final = re.compile(r"\.Header\.Get\b")
# One of a header's values, or a text that could have been one.
_ONE_VALUE: Final = re.compile(
    r"\bindex\b.*\.Header\b.*\s\d+\b|\b(?:(?:must)?[fF]irst|(?:must)?[lL]ast|join)\b"
)
# The header map as a whole, or something that holds it; one header by `index` is not that.
_ALL_HEADERS: Final = re.compile(
    r"(?<!index )(?<!index \.MatchContext)(?<!index \$\.MatchContext)"
    r"\.Header\b(?!\.(?:Values|Get)\b)|\.MatchContext(?![.\w])|(?<![\w.)$])[.$](?![.\w])"
)
_SCOPED: Final = re.compile(r"(?:with|range|define|block)\b")
_CREDENTIALS: Final = frozenset(
    ("authorization", "cookie", "proxy-authorization", "x-session-token")
)
_GIVING: Final = frozenset(("cookie_session", "bearer_token", "oauth2_introspection", "jwt"))


def templates(chain: Chain) -> Iterator[Finding]:
    """Yield what a template prints in a way that a caller can make use of."""
    for payload in chain.payloads:
        # Inside of them a dot is something else.
        scoped = any(_SCOPED.match(action.body) for action in payload.actions)
        for action in payload.actions:
            yield from _injection(payload, action)
            yield from _header_access(payload, action, scoped=scoped)


def _injection(payload: Payload, action: Action) -> Iterator[Finding]:
    if action.prints and not action.is_json and not action.is_constant:
        message = (
            f"`{action.body}` is not printed as JSON: a caller's value can rewrite the payload"
        )
        value = action.body.partition("|")[0].strip().removeprefix("print ")
        help_ = f"write {{{{ {value} | toJson }}}}, without quotes around it"
        yield Finding(Code.PAYLOAD_INJECTION, payload.at(action.offset), message, help_)


def _header_access(payload: Payload, action: Action, *, scoped: bool) -> Iterator[Finding]:
    place = payload.at(action.offset)
    if _GET.search(action.names):
        message = "`.Header.Get` hides a second value, which the upstream would see"
        yield Finding(
            Code.PAYLOAD_HEADER_GET, place, message, "use `.Header.Values`, which gives a list"
        )
    elif ".Header" in action.names and _ONE_VALUE.search(action.names):
        message = "of several values of the header, the upstream would see another than is judged"
        help_ = "pass `.Header.Values` as it is, which gives a list"
        yield Finding(Code.PAYLOAD_HEADER_GET, place, message, help_)
    found = None if action.is_control else _ALL_HEADERS.search(action.names)
    if found and (found.group() not in (".", "$") or not scoped):
        message = "all headers are passed on, cookies and tokens among them"
        help_ = 'pass those that rules read: {{ .MatchContext.Header.Values "X-Name" | toJson }}'
        yield Finding(Code.PAYLOAD_ALL_HEADERS, place, message, help_)
    if action.header in _CREDENTIALS:
        message = f"the payload passes on `{action.header}`, which is a credential"
        help_ = "leave it out; who the caller is stands in `subject` and `extra`"
        yield Finding(Code.PAYLOAD_CREDENTIALS, place, message, help_)


def contents(chain: Chain) -> Iterator[Finding]:
    """Yield what is wrong with what a template prints for a sample request."""
    for payload in chain.payloads:
        if payload.rendered is None:
            message = "this payload has conditions or loops, so what it prints is not checked"
            yield Finding(Code.PAYLOAD_UNCHECKED, payload.place, message)
            continue
        yield from _malformed(payload, payload.rendered)
        content = payload.content
        if content is None:
            continue
        if "profile" not in content:
            message = "the payload does not say which profiles its authenticators can give"
            help_ = 'add "profile": "kratos", or a list of names'
            yield Finding(Code.PAYLOAD_WITHOUT_PROFILE, payload.place, message, help_)
        if content.get("extra") is None and (giving := _giving(payload)):
            names = ", ".join(f"`{name}`" for name in giving)
            message = f"the payload has no `extra`, so that whoever comes by {names} is denied"
            help_ = 'add "extra": {{ .Extra | toJson }}'
            yield Finding(Code.PAYLOAD_WITHOUT_EXTRA, payload.place, message, help_)
        if "forwarded_uri" in content:
            message = "`forwarded_uri` is what a caller says, unless a proxy of yours sets it"
            help_ = (
                "use it only where callers cannot reach Oathkeeper's proxy port: v0.40.9 passes on "
                "a caller's own X-Forwarded-Uri"
            )
            place = payload.place_of('"forwarded_uri"')
            yield Finding(Code.PAYLOAD_FORWARDED_URI, place, message, help_)


def _giving(payload: Payload) -> list[str]:
    """Return the authenticators of a payload's access rules that give a session or a token."""
    names = (handler.name for rule in payload.rules for handler in rule.authenticators)
    return [name for name in dict.fromkeys(names) if name in _GIVING]


def _malformed(payload: Payload, rendered: str) -> Iterator[Finding]:
    try:
        json.loads(rendered)
    except json.JSONDecodeError as error:
        message = f"the payload is not JSON: {error.msg}"
        place = payload.place_of_rendered(error.lineno, error.colno)
        help_ = "Oathkeeper answers 500 then; toJson brings the quotes of a string with it"
        yield Finding(Code.PAYLOAD_MALFORMED, place, message, help_)
        return
    try:
        document = load_yaml(rendered, payload.place.source)
    except SourceError as error:
        problems = error.problems
    else:
        schema = load_schema("authorizer.contract", "request.schema.json")
        problems = tuple(schema.problems(document))
    for problem in problems:
        place = payload.place_of_rendered(problem.line, problem.column)
        message = f"the authorizer would refuse this payload: {problem.message}"
        yield Finding(Code.PAYLOAD_MALFORMED, place, message, problem.hint)
    if not problems:
        try:
            decode(rendered.encode())
        except MalformedRequest as error:
            message = f"the authorizer would refuse this payload: {error}"
            yield Finding(Code.PAYLOAD_MALFORMED, payload.place, message)


def headers(chain: Chain) -> Iterator[Finding]:
    """Yield headers that a route reads and that an access rule's payload does not pass."""
    reach, rules = chain.reach, chain.rules
    if reach is None or rules is None:
        return
    by_rule = {rule: payload for payload in chain.payloads for rule in payload.rules}
    for route in chain.routes:
        for name, place in _headers_read(rules, route).items():
            lacking = [
                rule.id
                for rule in reach.rules[route.id]
                if (payload := by_rule.get(rule)) is not None
                and payload.content is not None
                and name not in payload.headers
            ]
            if lacking:
                names = ", ".join(f"`{rule}`" for rule in lacking)
                message = f"the payload of {names} does not pass the header `{name}`"
                value = f'{{{{ .MatchContext.Header.Values "{name.title()}" | toJson }}}}'
                help_ = f'add to the payload\'s "headers": "{name}": {value}'
                yield Finding(Code.UNPASSED_HEADER, place, message, help_)


def _headers_read(rules: RuleSet, route: Route) -> dict[str, Place]:
    """Return the headers that a route reads, each with a place where it does."""
    found = {
        reference.keys[0]: rules.inside(route, template, expression.text)
        for template in parts(route, Template)
        for expression in template.expressions
        for reference in expression.references
        if reference.name in ("headers", "headers_all") and reference.keys
    }
    for condition in route.conditions:
        if condition.part is Part.HEADERS:
            place = rules.key_place(route, condition.name, "match", "headers")
            found.setdefault(condition.name, place)
    return found
