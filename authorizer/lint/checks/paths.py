"""Rules against access rules: who reaches what, and whether both mean the same path and host."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Final

from authorizer.lint.codes import Code
from authorizer.lint.finding import Finding
from authorizer.routing.reading import Loosening

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from authorizer.lint.access_rules import AccessRule
    from authorizer.lint.chain import Chain
    from authorizer.lint.urlpattern import UrlPattern
    from authorizer.lint.view import View
    from authorizer.routing.route import Route

_PROBE: Final = "attacker.example"
# A glob's `*` stops at a dot.
_UNDOTTED: Final = "attacker"
_ORIGIN: Final = re.compile(r"(https?://)([^/:]*)(:\d+)?")
_PATH: Final = re.compile(r"https?://[^/]+/+(?=[^/])")


def unchecked_patterns(chain: Chain) -> Iterator[Finding]:
    """Yield patterns that could not be read, so that nothing is said about what they match."""
    for rule in chain.asking:
        if rule.problem:
            message = f"this pattern could not be checked: {rule.problem}"
            help_ = (
                "patterns that only .NET's regexes have are not read here; for globs, give "
                "--oathkeeper-config, which says so (access_rules.matching_strategy)"
            )
            yield Finding(Code.UNCHECKED_PATTERN, rule.url.place, message, help_)
        elif rule.pattern is not None and not rule.pattern.urls and rule.view.get("match", "url"):
            message = "this pattern could not be checked: no URL was found that it matches"
            yield Finding(Code.UNCHECKED_PATTERN, rule.url.place, message)


def unreachable_routes(chain: Chain) -> Iterator[Finding]:
    """Yield routes, and methods of routes, that no access rule was seen to ask about."""
    reach, rules = chain.reach, chain.rules
    if reach is None or rules is None or any(rule.problem for rule in chain.asking):
        return
    for route in chain.routes:
        if not reach.rules[route.id]:
            message = f"no access rule asks about the route `{route.id}`"
            if reach.lacking[route.id] and not reach.passing[route.id]:
                message += ": the one for its path has other methods"
            place = rules.match_place(route)
            yield Finding(Code.UNREACHABLE_ROUTE, place, message, _instead(chain, route))
            continue
        for method in sorted(route.methods - {"*"} - reach.methods[route.id]):
            message = f"no access rule asks about `{route.id}` with {method}"
            help_ = f"{_adding(method, reach.rules[route.id])}, or drop it here"
            place = rules.method_place(route, method)
            yield Finding(Code.UNREACHABLE_METHOD, place, message, help_)
        if route.preflight and not reach.methods[route.id] & {"OPTIONS"} and not _has_cors(chain):
            message = f"no access rule asks about `{route.id}` with OPTIONS, as `preflight` wants"
            help_ = f"{_adding('OPTIONS', reach.rules[route.id])}, or drop it here"
            place = rules.key_place(route, "preflight")
            yield Finding(Code.UNREACHABLE_METHOD, place, message, help_)


def _has_cors(chain: Chain) -> bool:
    """Say whether Oathkeeper answers preflights itself, without asking anybody."""
    view = chain.oathkeeper.view
    found = view.get("serve", "proxy", "cors", "enabled") if view is not None else None
    return found is not None and found.value is True


def _instead(chain: Chain, route: Route) -> str:
    passing = chain.reach.passing[route.id] if chain.reach is not None else ()
    if passing:
        names = ", ".join(f"`{rule.id}`" for rule in passing)
        return f"its requests go by {names}, which does not ask a remote_json authorizer"
    lacking = chain.reach.lacking[route.id] if chain.reach is not None else ()
    if lacking:
        return _adding(", ".join(sorted(route.methods)), lacking)
    return "add an access rule for its path, methods and host, or drop the route"


def _adding(methods: str, rules: Iterable[AccessRule]) -> str:
    """Return what to add to the access rules that have the path and not these methods."""
    names = " or ".join(f"`{rule.id}` ({rule.methods_place})" for rule in rules)
    return f"add {methods} to the methods of the access rule {names}"


def uncovered_space(chain: Chain) -> Iterator[Finding]:
    """Yield access rules with paths that no route owns: all that they ask about is denied."""
    if chain.reach is None:
        return
    for rule, prefixes in chain.reach.uncovered.items():
        for prefix in prefixes:
            what = f"`{prefix.path}`" if prefix.whole else f"anything under `{prefix.path}`"
            message = f"no route covers {what}, which the access rule `{rule.id}` asks about"
            help_ = "add a route, or drop this part of the pattern"
            yield Finding(Code.UNCOVERED_SPACE, rule.url.place, message, help_)


def overlapping_access_rules(chain: Chain) -> Iterator[Finding]:
    """Yield pairs of access rules that match one request: Oathkeeper answers 500 to it."""
    for one, other in itertools.combinations(chain.access_rules or (), 2):
        methods = one.methods & other.methods
        url = _shared(one, other)
        if not methods or url is None:
            continue
        message = (
            f"the access rules `{one.id}` ({one.url.place}) and `{other.id}` both match "
            f"{min(methods)} {url}"
        )
        help_ = "Oathkeeper answers 500 then; keep one out by a look-ahead, <(?!…).*>"
        yield Finding(Code.OVERLAPPING_ACCESS_RULES, other.url.place, message, help_)


def _shared(one: AccessRule, other: AccessRule) -> str | None:
    """Return a URL that both match, or None where none was found."""
    if one.pattern is None or other.pattern is None:
        return None
    urls = (*one.pattern.urls, *other.pattern.urls)
    return next((u for u in urls if one.pattern.matches(u) and other.pattern.matches(u)), None)


def chosen_hosts(chain: Chain) -> Iterator[Finding]:
    """Yield access rules whose host a caller may choose: routes and policies could rely on it."""
    for rule in chain.asking:
        pattern = rule.pattern
        if pattern is None:
            continue
        if any(pattern.matches(url) for url in _with(pattern, _PROBE)):
            message = f"a caller may choose the host of the access rule `{rule.id}`"
            help_ = "spell the host out; Oathkeeper takes it from the request's Host header"
            yield Finding(Code.CHOSEN_HOST, rule.url.place, message, help_)
        elif found := next((url for url in _undotted(pattern) if pattern.matches(url)), None):
            host = _ORIGIN.match(found)
            message = f"the access rule `{rule.id}` also takes the host `{host[2] if host else ''}`"
            help_ = r"inside <…> a dot is any character; write it as `\.`"
            yield Finding(Code.CHOSEN_HOST, rule.url.place, message, help_)


def _with(pattern: UrlPattern, probe: str) -> Iterator[str]:
    """Yield the pattern's URLs on a host of somebody else's, also one that begins like ours."""
    for url in pattern.urls:
        found = _ORIGIN.match(url)
        if found is None:
            continue
        scheme, host, port = found.groups(default="")
        rest = url[found.end() :]
        for other in (probe, _UNDOTTED, f"{host}.{probe}", f"{probe}.{host}x"):
            yield f"{scheme}{other}{port}{rest}"
            yield f"{scheme}{other}{rest}"
        # Where what is open takes a slash too, our host may stand in the path of another.
        yield f"{scheme}{probe}/{host}{port}{rest}"


def _undotted(pattern: UrlPattern) -> Iterator[str]:
    """Yield the pattern's URLs with another character for each dot of the host."""
    for url in pattern.urls:
        found = _ORIGIN.match(url)
        if found is not None and "." in found[2]:
            yield f"{found[1]}{found[2].replace('.', 'x')}{found[3] or ''}{url[found.end() :]}"


def rewritten_paths(chain: Chain) -> Iterator[Finding]:
    """Yield access rules that rewrite the path, where that changes what a route means."""
    if chain.reach is None:
        return
    keeping: dict[AccessRule, list[Route]] = {}
    for route in chain.routes:
        if Loosening.KEEP_SLASH in route.permits:
            for rule in chain.reach.rules[route.id]:
                keeping.setdefault(rule, []).append(route)
    for rule in chain.asking:
        for what, view in _rewrites(rule):
            routes = keeping.get(rule, [])
            if routes:
                names = ", ".join(f"`{route.id}`" for route in routes)
                message = f"{what} decodes an encoded slash, which {names} keeps in its segment"
                help_ = "the upstream would read another path than was decided about; drop one"
                yield Finding(Code.REWRITTEN_PATH, view.place, message, help_)
            elif what == _UPSTREAM:
                message = "the upstream is asked for another path than was decided about"
                help_ = "write the routes for the path that the caller sends"
                yield Finding(Code.UPSTREAM_PATH, view.place, message, help_)


_UPSTREAM: Final = "a path in `upstream.url`"


def _rewrites(rule: AccessRule) -> Iterator[tuple[str, View]]:
    if rule.strip_path is not None:
        yield "`strip_path`", rule.strip_path
    url = rule.upstream_url
    if url is not None and isinstance(url.value, str) and _PATH.match(url.value):
        yield _UPSTREAM, url
