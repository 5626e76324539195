"""From rule files to a route table. `serve`, `lint`, `explain` and `test` all go through here."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from authorizer.errors import RulesError
from authorizer.expressions.template import compile_value, references
from authorizer.model import Effect
from authorizer.routing.compiler import Compiler, Reporter
from authorizer.routing.conditions import Condition, Part
from authorizer.routing.pattern import (
    ANY_HOST,
    HostPattern,
    PathPattern,
    PatternError,
    parse_host,
    parse_path,
)
from authorizer.routing.reading import Loosening
from authorizer.routing.route import (
    CheckTemplate,
    Reads,
    Require,
    ResourceTemplate,
    Route,
    Uses,
)
from authorizer.routing.shape import is_well_formed
from authorizer.routing.tabulate import tabulate
from authorizer.routing.vocabulary import ANSWER
from authorizer.source.document import detached
from authorizer.source.schema import load_schema
from authorizer.source.units import seconds

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping

    from authorizer.errors import Problem
    from authorizer.expressions.cel import Reference
    from authorizer.expressions.template import Template
    from authorizer.routing.table import RouteTable
    from authorizer.source.document import Document

_PERMITS: Final = {
    f"{key}: {value}": loosening
    for loosening in Loosening
    for key, value in (loosening.value.split(": "),)
}
_READS: Final = {reads.value: reads for reads in Reads}
# What of a caller's no log has, whatever a rule makes of it.
_UNLOGGED: Final = frozenset(("extra", "headers", "headers_all"))
# Every answer has the first four; the others are between two machines of HTTP.
RESERVED_HEADERS: Final = frozenset(
    (
        "x-decision-id",
        "x-decision-reason",
        "x-authorizer-route",
        "x-cerbos-call-id",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "keep-alive",
        "location",
        "proxy-authenticate",
        "retry-after",
        "server",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_ANYWHERE: Final = (ANY_HOST,)
_NO_HEADERS: Final[Mapping[str, Template]] = {}
_READING_KEYS: Final = tuple(dict.fromkeys(key.split(": ")[0] for key in (*_PERMITS, *_READS)))


T = TypeVar("T")
# Most sets of a route are empty, or what many have, and so are the actions of its checks: one
# object for all of them, where each would take 216 bytes, and be far from the processor's cache
# when it is looked at.


@lru_cache(maxsize=4_096)
def _shared(items: frozenset[Hashable]) -> frozenset[Hashable]:
    return items


def _set(items: Iterable[T]) -> frozenset[T]:
    """Return the set of some items, the same object for the same items."""
    return cast("frozenset[T]", _shared(frozenset(items)))


_shared_uses: Final = lru_cache(maxsize=4_096)(Uses)


@lru_cache(maxsize=4_096)
def _shared_actions(items: tuple[tuple[str, Template], ...]) -> Mapping[str, Template]:
    return dict(items)


def compile_rules(documents: Iterable[Document]) -> RouteTable:
    """Return the table of all routes of the documents; raises RulesError with every problem.

    Of the documents no value is kept: where they come one by one, there is never more than one.
    """
    problems: list[Problem] = []
    routes: list[Route] = []
    order: dict[str, int] = {}
    schema = load_schema("authorizer.routing", "rules.schema.json")
    for document in documents:
        order.setdefault(document.name, len(order))
        found = [] if is_well_formed(document.value) else schema.problems(document)
        problems += found
        if not found:
            routes += _routes(document, problems)
        del document  # before the next is read
    routes.sort(key=lambda route: route.id)
    table = tabulate(routes, problems)
    if problems:
        raise RulesError(
            sorted(
                dict.fromkeys(problems),
                key=lambda problem: (order[problem.source], problem.line, problem.column),
            )
        )
    return table


def _routes(document: Document, problems: list[Problem]) -> Iterator[Route]:
    value: Any = document.value
    defaults = value.get("defaults", {})
    everywhere = Reporter(document, ("defaults",))
    hosts = _hosts(defaults, everywhere)
    problems += everywhere.problems
    for number, raw in enumerate(value["routes"]):
        report = Reporter(document, ("routes", number))
        route = _route(raw, number, defaults, hosts, report)
        problems += report.problems
        # Routes whose hosts are not known would tie with others by mistake.
        if route is not None and ("hosts" in raw["match"] or not everywhere.problems):
            yield route


def _route(
    raw: Mapping[str, Any],
    number: int,
    defaults: Mapping[str, Any],
    hosts: tuple[HostPattern, ...],
    report: Reporter,
) -> Route | None:
    match = raw["match"]
    try:
        path = parse_path(detached(match["path"]))
    except PatternError as error:
        report.add(("match", "path"), str(error), offset=error.offset)
        return None
    settings = {**defaults, **raw, **match}
    hosts = _hosts(match, report, "match") or hosts
    redact = _set(raw.get("redact", ()))
    for item, name in enumerate(raw.get("redact", ())):
        if name not in path.names:
            report.add(("redact", item), f"the path has no capture `{name}`")
    checks = tuple(_hidden(check, redact) for check in _checks(raw, path, report))
    methods = _methods(raw, report)
    conditions = _conditions(match, report)
    response_headers = _response_headers(raw, path, report)
    if raw.get("cache") and _asks(raw) not in (["resource"], ["checks"]):
        report.add(("cache",), "`cache` keeps what the PDP answers, and no PDP is asked")
    if report.problems:
        return None
    reading = [f"{key}: {settings[key]}" for key in _READING_KEYS if key in settings]
    return Route(
        id=detached(raw["id"]),
        places=report.document.places,
        number=number,
        hosts=hosts or _ANYWHERE,
        path=path,
        methods=methods,
        conditions=conditions,
        permits=_set(_PERMITS[item] for item in reading if item in _PERMITS),
        reads=_set(_READS[item] for item in reading if item in _READS),
        preflight=settings.get("preflight") == "allow",
        effect=Effect(raw["effect"]) if "effect" in raw else None,
        checks=checks,
        require=Require(raw.get("require", "all")),
        observe=settings.get("mode") == "observe",
        profiles=_set(settings.get("profiles", ())),
        uses=_uses(checks),
        redact=redact,
        response_headers=response_headers,
        description=detached(raw.get("description", "")),
        cache=seconds(cache["ttl"]) if checks and (cache := settings.get("cache")) else None,
    )


def _hosts(raw: Mapping[str, Any], report: Reporter, *where: str | int) -> tuple[HostPattern, ...]:
    hosts = []
    for number, text in enumerate(raw.get("hosts", ())):
        try:
            hosts.append(parse_host(text))
        except PatternError as error:
            report.add((*where, "hosts", number), str(error))
    return tuple(hosts)


def _methods(raw: Mapping[str, Any], report: Reporter) -> frozenset[str]:
    listed = raw["match"].get("methods")
    mapped = [
        _set(check["actions"]) for check in (raw, *raw.get("checks", ())) if "actions" in check
    ]
    if listed is not None:
        if "actions" in raw:
            report.add(("match", "methods"), "`actions` says the methods already; drop one of them")
        for actions in mapped:
            if "actions" not in raw and actions != frozenset(listed):
                report.add(("checks",), "`actions` and `methods` must name the same methods")
        return _set(listed)
    if not mapped:
        if raw.get("preflight") == "allow" and _asks(raw) == []:
            return frozenset()
        report.add(
            ("match",), "no methods", 'name them in `methods`, or write methods: ["*"] for all'
        )
        return frozenset()
    if any(actions != mapped[0] for actions in mapped):
        report.add(("checks",), "each check's `actions` must name the same methods")
    return mapped[0]


def _conditions(match: Mapping[str, Any], report: Reporter) -> frozenset[Condition]:
    conditions: dict[tuple[Part, str], Condition] = {}
    for part in Part:
        for name, wanted in match.get(part.value, {}).items():
            known = name.lower() if part is Part.HEADERS else name
            if (part, known) in conditions:
                report.add(("match", part.value, name), "this header is there twice")
            value = None if wanted == "*" else wanted
            conditions[part, known] = Condition(part, known, value)
    return _set(conditions.values())


def _response_headers(
    raw: Mapping[str, Any], path: PathPattern, report: Reporter
) -> Mapping[str, Template]:
    if "response_headers" not in raw:
        return _NO_HEADERS
    compiler = Compiler(path, report, ANSWER)
    templates: dict[str, Template] = {}
    seen: set[str] = set()
    for name, text in raw["response_headers"].items():
        where = ("response_headers", name)
        if name.lower() in seen:
            report.add(where, "this header is there twice")
        elif name.lower() in RESERVED_HEADERS:
            report.add(where, "this header is the authorizer's own, or HTTP's; choose another name")
        seen.add(name.lower())
        templates[name] = compiler.template(text, where)
    return templates


def _hidden(check: CheckTemplate, redact: frozenset[str]) -> CheckTemplate:
    """Mark what a log must not have of a check: a redacted capture, a trait, a claim, a header."""

    def hides(reference: Reference) -> bool:
        match reference.name:
            case "path":
                return bool(redact) and (not reference.keys or reference.keys[0] in redact)
            case "request":
                return bool(redact) and reference.keys[:1] in ((), ("path",))
            case "principal":
                return reference.keys[:1] not in (("id",), ("roles",))
            case name:
                return name in _UNLOGGED

    def shows(*templates: Template) -> bool:
        return any(hides(reference) for _, _, reference in references(iter(templates)))

    hidden = {
        name
        for name, templates in (
            ("kind", (check.resource.kind,)),
            ("id", (check.resource.id,)),
            ("action", tuple(check.actions.values())),
        )
        if shows(*templates)
    }
    return replace(check, hidden=_set(hidden))


def _asks(raw: Mapping[str, Any]) -> list[str]:
    return [key for key in ("resource", "checks", "effect") if key in raw]


def _checks(
    raw: Mapping[str, Any], path: PathPattern, report: Reporter
) -> tuple[CheckTemplate, ...]:
    asks = _asks(raw)
    if len(asks) > 1:
        report.add((asks[1],), f"`{asks[0]}` and `{asks[1]}` exclude each other; keep one")
        return ()
    if not asks:
        if raw.get("preflight") != "allow":
            report.add((), "nothing to decide with", "give it `resource`, `checks` or `effect`")
        return ()
    if "require" in raw and asks != ["checks"]:
        report.add(("require",), "`require` is about several `checks`, and there are none")
    if asks == ["resource"]:
        return _check(raw, (), path, report)
    for key in ("action", "actions"):
        if key in raw:
            where = "each of `checks` has its own" if asks == ["checks"] else "no PDP is asked"
            report.add((key,), f"`{key}` without `resource`: {where}")
    if asks == ["effect"]:
        return ()
    return tuple(
        check
        for number, item in enumerate(raw["checks"])
        for check in _check(item, ("checks", number), path, report)
    )


def _check(
    raw: Mapping[str, Any], where: tuple[str | int, ...], path: PathPattern, report: Reporter
) -> tuple[CheckTemplate, ...]:
    compiler = Compiler(path, report)
    if ("action" in raw) == ("actions" in raw):
        report.add(where, "give it either `action` or `actions`")
        return ()
    written = {"": raw["action"]} if "action" in raw else raw["actions"]
    actions = {
        method: compiler.field(
            "action", text, (*where, "action") if method == "" else (*where, "actions", method)
        )
        for method, text in written.items()
    }
    resource = raw["resource"]
    inside = (*where, "resource")
    templates = {key: compiler.field(key, resource[key], (*inside, key)) for key in ("kind", "id")}
    options = {}
    for key in ("policy_version", "scope"):
        if key in raw and key in resource:
            report.add((*where, key), f"`{key}` stands in the check and in its resource; keep one")
        elif key in raw:
            options[key] = compiler.field(key, raw[key], (*where, key))
        elif key in resource:
            options[key] = compiler.field(key, resource[key], (*inside, key))
    attr = {
        name: compile_value(value, (*inside, "attr", name), compiler.text)
        for name, value in resource.get("attr", {}).items()
    }
    shared = _shared_actions(tuple(actions.items()))
    return (CheckTemplate(ResourceTemplate(attr=attr, **templates, **options), shared),)


def _templates(check: CheckTemplate) -> Iterator[Template]:
    resource = check.resource
    yield from check.actions.values()
    yield resource.kind
    yield resource.id
    for option in (resource.policy_version, resource.scope):
        if option is not None:
            yield option
    for value in resource.attr.values():
        yield from value.templates()


def _uses(checks: Iterable[CheckTemplate]) -> Uses:
    read: dict[str, set[str]] = defaultdict(set)
    names: set[str] = set()
    for check in checks:
        for _, _, reference in references(_templates(check)):
            names.add(reference.name)
            if reference.keys:
                read[reference.name].add(reference.keys[0])
    return _shared_uses(
        query=_set(read["query"]),
        query_all=_set(read["query_all"]),
        headers=_set(read["headers"]),
        names=_set(names),
    )
