"""Names of profiles, where routes and payloads say them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authorizer.lint.codes import Code
from authorizer.lint.finding import Finding
from authorizer.source.schema import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authorizer.lint.chain import Chain


def unknown_in_routes(chain: Chain) -> Iterator[Finding]:
    """Yield profiles that a route lets in and that nobody has configured."""
    if chain.rules is None or chain.profiles is None:
        return
    for route in chain.routes:
        for name in sorted(route.profiles - set(chain.profiles.by_name)):
            message = f"there is no profile `{name}`"
            place = chain.rules.place(route, name, under="profiles")
            help_ = did_you_mean(name, sorted(chain.profiles.by_name))
            yield Finding(Code.UNKNOWN_PROFILE, place, message, help_)


def unnamed_in_routes(chain: Chain) -> Iterator[Finding]:
    """Yield profiles that a route lets in and that no payload of its access rules names."""
    if chain.rules is None or chain.profiles is None or chain.reach is None:
        return
    by_rule = {rule: payload for payload in chain.payloads for rule in payload.rules}
    for route in chain.routes:
        payloads = [by_rule.get(rule) for rule in chain.reach.rules[route.id]]
        if not payloads or any(payload is None or payload.content is None for payload in payloads):
            continue
        named = {
            name
            for payload in payloads
            if payload is not None
            for name in payload.profiles or (chain.profiles.default,)
        }
        for name in sorted(route.profiles & set(chain.profiles.by_name) - named):
            message = f"no payload of the route's access rules names the profile `{name}`"
            place = chain.rules.place(route, name, under="profiles")
            help_ = 'name it in the payload\'s "profile", or drop it here'
            yield Finding(Code.UNNAMED_PROFILE, place, message, help_)


def unknown_in_payloads(chain: Chain) -> Iterator[Finding]:
    """Yield profiles that a payload names and that nobody has configured: all its requests fail."""
    if chain.profiles is None:
        return
    for payload in chain.payloads:
        for name in payload.profiles:
            if name not in chain.profiles.by_name:
                message = f"there is no profile `{name}`"
                help_ = did_you_mean(name, sorted(chain.profiles.by_name))
                yield Finding(Code.UNKNOWN_PROFILE, payload.place_of(f'"{name}"'), message, help_)
