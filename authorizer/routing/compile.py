"""From rule files to a route table. `serve`, `lint`, `explain` and `test` all go through here."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from authorizer.errors import RulesError
from authorizer.expressions.cel import Expression
from authorizer.expressions.template import (
    Template,
    TemplateSyntaxError,
    compile_template,
    compile_value,
    references,
)
from authorizer.model import Effect
from authorizer.routing.constraints import objection
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
from authorizer.routing.tabulate import tabulate
from authorizer.routing.vocabulary import VOCABULARY, objection_to
from authorizer.source.schema import load_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from authorizer.errors import Problem
    from authorizer.routing.table import RouteTable
    from authorizer.source.document import Document

_PERMITS: Final = {
    f"{key}: {value}": loosening
    for loosening in Loosening
    for key, value in (loosening.value.split(": "),)
}
_READS: Final = {reads.value: reads for reads in Reads}
# CEL types that may give a string.
_TEXT_TYPES: Final = ("STRING", "DYN")
_READING_KEYS: Final = tuple(dict.fromkeys(key.split(": ")[0] for key in (*_PERMITS, *_READS)))


def compile_rules(documents: Sequence[Document]) -> RouteTable:
    """Return the table of all routes of the documents; raises RulesError with every problem."""
    problems: list[Problem] = []
    routes: list[Route] = []
    order = {document.name: number for number, document in enumerate(documents)}
    schema = load_schema("authorizer.routing", "rules.schema.json")
    for document in documents:
        found = schema.problems(document)
        problems += found
        if not found:
            routes += _routes(document, problems)
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


class _Reporter:
    """Collects what is wrong with one route, by the path of the value in its document."""

    def __init__(self, document: Document, base: tuple[str | int, ...]) -> None:
        self.document = document
        self.base = base
        self.problems: list[Problem] = []

    def add(self, path: Sequence[str | int], message: str, hint: str = "", offset: int = 0) -> None:
        """Report a problem; `offset` counts characters into a value that stands on one line."""
        problem = self.document.problem((*self.base, *path), message, hint)
        if offset:
            # A quoted scalar starts with its quote; being one off there is better than nothing.
            problem = type(problem)(
                problem.source, problem.line, problem.column + offset, message, hint
            )
        self.problems.append(problem)


def _routes(document: Document, problems: list[Problem]) -> Iterator[Route]:
    value: Any = document.value
    defaults = value.get("defaults", {})
    everywhere = _Reporter(document, ("defaults",))
    hosts = _hosts(defaults, everywhere)
    problems += everywhere.problems
    for number, raw in enumerate(value["routes"]):
        report = _Reporter(document, ("routes", number))
        route = _route(raw, defaults, hosts, report)
        problems += report.problems
        # Routes whose hosts are not known would tie with others by mistake.
        if route is not None and ("hosts" in raw["match"] or not everywhere.problems):
            yield route


def _route(
    raw: Mapping[str, Any],
    defaults: Mapping[str, Any],
    hosts: tuple[HostPattern, ...],
    report: _Reporter,
) -> Route | None:
    match = raw["match"]
    try:
        path = parse_path(match["path"])
    except PatternError as error:
        report.add(("match", "path"), str(error), offset=error.offset)
        return None
    settings = {**defaults, **raw, **match}
    hosts = _hosts(match, report, "match") or hosts
    checks = _checks(raw, path, report)
    methods = _methods(raw, report)
    if report.problems:
        return None
    reading = [f"{key}: {settings[key]}" for key in _READING_KEYS if key in settings]
    return Route(
        id=raw["id"],
        place=report.document.place((*report.base, "id")),
        hosts=hosts or (ANY_HOST,),
        path=path,
        methods=methods,
        permits=frozenset(_PERMITS[item] for item in reading if item in _PERMITS),
        reads=frozenset(_READS[item] for item in reading if item in _READS),
        preflight=settings.get("preflight") == "allow",
        effect=Effect(raw["effect"]) if "effect" in raw else None,
        checks=checks,
        require=Require(raw.get("require", "all")),
        observe=settings.get("mode") == "observe",
        profiles=frozenset(settings.get("profiles", ())),
        uses=_uses(checks),
        description=raw.get("description", ""),
    )


def _hosts(raw: Mapping[str, Any], report: _Reporter, *where: str | int) -> tuple[HostPattern, ...]:
    hosts = []
    for number, text in enumerate(raw.get("hosts", ())):
        try:
            hosts.append(parse_host(text))
        except PatternError as error:
            report.add((*where, "hosts", number), str(error))
    return tuple(hosts)


def _methods(raw: Mapping[str, Any], report: _Reporter) -> frozenset[str]:
    listed = raw["match"].get("methods")
    mapped = [
        frozenset(check["actions"]) for check in (raw, *raw.get("checks", ())) if "actions" in check
    ]
    if listed is not None:
        if "actions" in raw:
            report.add(("match", "methods"), "`actions` says the methods already; drop one of them")
        for actions in mapped:
            if "actions" not in raw and actions != frozenset(listed):
                report.add(("checks",), "`actions` and `methods` must name the same methods")
        return frozenset(listed)
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


def _asks(raw: Mapping[str, Any]) -> list[str]:
    return [key for key in ("resource", "checks", "effect") if key in raw]


def _checks(
    raw: Mapping[str, Any], path: PathPattern, report: _Reporter
) -> tuple[CheckTemplate, ...]:
    asks = _asks(raw)
    if len(asks) > 1:
        report.add((asks[1],), f"`{asks[0]}` and `{asks[1]}` exclude each other; keep one")
        return ()
    if not asks:
        if raw.get("preflight") != "allow":
            report.add((), "nothing to decide with", "give it `resource`, `checks` or `effect`")
        return ()
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
    raw: Mapping[str, Any], where: tuple[str | int, ...], path: PathPattern, report: _Reporter
) -> tuple[CheckTemplate, ...]:
    compiler = _Compiler(path, report)
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
    return (CheckTemplate(ResourceTemplate(attr=attr, **templates, **options), actions),)


class _Compiler:
    """Compiles the templates of one route, and holds their names to what the route offers."""

    def __init__(self, path: PathPattern, report: _Reporter) -> None:
        self.captures = path.names
        self.report = report

    def field(self, key: str, text: str, where: Sequence[str | int]) -> Template:
        """Return a template that gives a check's `key`; what is wrong with it is reported."""
        template = self.template(text, where)
        problem = ""
        match template.parts:
            case (str(constant),):
                problem = objection(key, constant)
            case (Expression() as expression,) if expression.type_name not in _TEXT_TYPES:
                problem = "it must give a string; use string(…)"
        if problem:
            self.report.add(where, f"`{text}`: {problem}")
        return template

    def template(self, text: str, where: Sequence[str | int]) -> Template:
        """Return a template; what is wrong with it is reported."""
        try:
            template = compile_template(text, VOCABULARY)
        except TemplateSyntaxError as error:
            self.report.add(where, error.reason, offset=error.offset)
            return Template(text, ())
        for _, expression, reference in references(iter((template,))):
            if problem := objection_to(reference, self.captures):
                self.report.add(where, f"`{expression.text}`: {problem}")
        return template

    def text(self, where: tuple[str | int, ...], text: str) -> Template:
        """Return a template in an attribute; what is wrong with it is reported."""
        return self.template(text, where)


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
    return Uses(
        query=frozenset(read["query"]),
        headers=frozenset(read["headers"]),
        reads_query="query" in names or "query_all" in names,
    )
