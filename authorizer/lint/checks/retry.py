"""How Oathkeeper asks us: its patience, and the headers of ours that it passes on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from authorizer.contract.outcome import answer
from authorizer.lint.access_rules import REMOTE_JSON
from authorizer.lint.codes import Code
from authorizer.lint.finding import Finding
from authorizer.model import Allow, DecisionRecord, Reason
from authorizer.source.schema import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authorizer.lint.access_rules import AccessRule, Effective
    from authorizer.lint.chain import Chain
    from authorizer.source.document import Place

_GROUP: Final = "authorizers"
_FORWARD: Final = "forward_response_headers_to_upstream"
_DURATION: Final = re.compile(r"([0-9]+)(ns|us|ms|s|m|h)")
_SECONDS: Final = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
# Retries within this time are felt by nobody.
_PATIENCE: Final = 0.1
# Oathkeeper multiplies max_delay by a million (pipeline/authz/remote_json.go, Config).
_FACTOR: Final = 1e6
_LONGEST: Final = 10.0


def settings(chain: Chain) -> Iterator[Finding]:
    """Yield retry settings that make callers wait when we cannot be reached."""
    for config, place in _configs(chain):
        patience = config.get("retry", "give_up_after")
        if patience is None:
            if config.knows_defaults:
                message = "without `retry.give_up_after` a caller waits four seconds for a 500"
                yield Finding(Code.STALLING_RETRY, place, message, "add give_up_after: 10ms")
        elif (_seconds(patience.value) or 0) > _PATIENCE:
            message = "so long a `give_up_after` makes callers wait when nobody answers"
            yield Finding(Code.STALLING_RETRY, patience.place, message, "write 10ms")
        delay = config.get("retry", "max_delay")
        if delay is not None and (_seconds(delay.value) or 0) * _FACTOR > _LONGEST:
            message = "`max_delay` is multiplied by a million by Oathkeeper, so it limits nothing"
            help_ = "leave it out, or write nanoseconds: 500ns are 500 ms"
            yield Finding(Code.MAX_DELAY, delay.place, message, help_)


def _seconds(written: object) -> float | None:
    found = _DURATION.fullmatch(str(written))
    return int(found[1]) * _SECONDS[found[2]] if found else None


def _configs(chain: Chain) -> Iterator[tuple[Effective, Place]]:
    """Yield how we are asked, and the place that stands for it: Oathkeeper's own, if it says."""
    shared = chain.oathkeeper.place(_GROUP, REMOTE_JSON)
    for rule in chain.asking:
        if rule.authorizer is not None:
            yield rule.authorizer.config, shared or rule.authorizer.place
    if chain.access_rules is None and shared is not None:
        yield chain.oathkeeper.handler(_GROUP, REMOTE_JSON, None), shared


def forwarded_headers(chain: Chain) -> Iterator[Finding]:
    """Yield headers that Oathkeeper takes from our answer and that we never send."""
    if chain.rules is None:
        return
    sent = _sent(chain)
    known = {name.lower() for name in sent}
    for config, _ in _configs(chain):
        forwarded = config.get(_FORWARD)
        for item in forwarded.items() if forwarded is not None else ():
            if isinstance(item.value, str) and item.value.lower() not in known:
                message = f"the authorizer never sends the header `{item.value}`"
                help_ = did_you_mean(item.value, sorted(sent))
                yield Finding(Code.UNSENT_HEADER, item.place, message, help_)


def _sent(chain: Chain) -> set[str]:
    """Return the headers of a 200 of ours."""
    record = DecisionRecord(decision_id="", outcome=Allow(Reason.ROUTE_ALLOW))
    ours = set(answer(record, unavailable_status=501).headers) - {"Content-Type"}
    return ours.union(*(route.response_headers for route in chain.routes))


def unforwarded_headers(chain: Chain) -> Iterator[Finding]:
    """Yield headers that a route sends and that no access rule of its passes on to the upstream."""
    if chain.rules is None or chain.reach is None:
        return
    for route in chain.routes:
        lists = [_forwarded(rule) for rule in chain.reach.rules[route.id]]
        if not lists or None in lists:
            continue
        passed = {name.lower() for names in lists for name in names or ()}
        for name in sorted(route.response_headers):
            if name.lower() not in passed:
                message = f"no access rule passes the header `{name}` on to the upstream"
                help_ = "name it in forward_response_headers_to_upstream"
                place = chain.rules.key_place(route, name, "response_headers")
                yield Finding(Code.UNFORWARDED_HEADER, place, message, help_)


def _forwarded(rule: AccessRule) -> list[str] | None:
    """Return the headers that an access rule passes on, None where that is not known."""
    config = rule.authorizer.config if rule.authorizer is not None else None
    found = config.get(_FORWARD) if config is not None else None
    if config is None or (found is None and not config.knows_defaults):
        return None
    items = found.items() if found is not None else ()
    return [item.value for item in items if isinstance(item.value, str)]
