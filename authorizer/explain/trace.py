"""One request's way through the engine, with everything that the engine does not keep."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import msgspec

from authorizer.engine import ask, translate
from authorizer.errors import MalformedRequest
from authorizer.model import DecisionRecord, Principal
from authorizer.pdp.explaining import ExplainingPdp
from authorizer.pdp.interface import Deadline
from authorizer.routing.asked import Asked
from authorizer.routing.candidates import candidates
from authorizer.routing.reading import Address, Ambiguous, locate, read
from authorizer.routing.table import Matched

if TYPE_CHECKING:
    from authorizer.model import AccessRequest, Check, CheckResult, Deny
    from authorizer.pdp.interface import Pdp
    from authorizer.principals.aux_data import JwtSource
    from authorizer.routing.candidates import Candidate
    from authorizer.routing.reading import Reading
    from authorizer.snapshot import Snapshot

# What a person waits for gladly; a service's own deadline says nothing about rules.
PATIENCE: Final = 10.0
_DECISION_ID: Final = "explain"
_HIDDEN: Final = "(a token)"


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that is known of one decision.

    `request` has no token: a header that a profile takes one from has another value here.
    `address` is None where the URL is not one at all. `readings` are empty where there is none.
    `matched` is None where no route owns the request, `principal` where nobody had to be
    identified. `jwt` says which token goes beside the principal, None where none does: there is
    seldom one to explain with. `results` are the PDP's answers to `checks`, empty where none was
    asked. `record` is the decision, or None where it is the policies' to make and no PDP was asked.
    """

    request: AccessRequest
    address: Address | Ambiguous | None
    readings: tuple[Reading, ...] | Ambiguous
    candidates: tuple[Candidate, ...]
    matched: Matched | None
    principal: Principal | Deny | None = None
    jwt: JwtSource | None = None
    checks: tuple[Check, ...] = ()
    results: tuple[CheckResult, ...] = ()
    record: DecisionRecord | None = None


async def explain(
    request: AccessRequest, snapshot: Snapshot, pdp: Pdp | None, *, now: float
) -> Explanation:
    """Return why a request is decided as it is; `now` is Unix time in seconds.

    The decision is the engine's own, by the steps of `decide`. The rest asks the same pure
    functions once more.
    """
    address = _located(request)
    way = _way(request, snapshot, address) if isinstance(address, Address) else _Way()
    question = translate(request, snapshot, decision_id=_DECISION_ID, now=now)
    shown = _without_tokens(request, snapshot)
    explanation = Explanation(shown, address, way.readings, way.candidates, way.matched)
    if isinstance(question, DecisionRecord):
        principal = snapshot.profiles.identify(request, now) if way.identifies else None
        jwt = _jwt_of(principal, snapshot)
        return replace(explanation, principal=principal, jwt=jwt, record=question)
    explanation = replace(
        explanation,
        principal=question.principal,
        jwt=_jwt_of(question.principal, snapshot),
        checks=question.checks,
    )
    if pdp is None:
        return explanation
    witness = ExplainingPdp(pdp)
    record = await ask(question, snapshot, witness, deadline=Deadline.after(PATIENCE))
    return replace(explanation, results=witness.results, record=record)


def _jwt_of(principal: Principal | Deny | None, snapshot: Snapshot) -> JwtSource | None:
    if not isinstance(principal, Principal):
        return None
    return snapshot.profiles.by_name[principal.profile].jwt


def _without_tokens(request: AccessRequest, snapshot: Snapshot) -> AccessRequest:
    sources = {profile.jwt.header for profile in snapshot.profiles.by_name.values() if profile.jwt}
    headers = {
        name: (_HIDDEN,) * len(values) if name in sources else values
        for name, values in request.headers.items()
    }
    return msgspec.structs.replace(request, headers=headers)


def _located(request: AccessRequest) -> Address | Ambiguous | None:
    try:
        return locate(request.url, request.raw_path, request.forwarded_uri)
    except MalformedRequest:
        return None


@dataclass(frozen=True, slots=True)
class _Way:
    """How an address finds its route."""

    readings: tuple[Reading, ...] | Ambiguous = ()
    candidates: tuple[Candidate, ...] = ()
    matched: Matched | None = None

    @property
    def identifies(self) -> bool:
        """Whether the route wants to know who asks: a static effect for everybody does not."""
        matched = self.matched
        if matched is None or matched.preflight:
            return False
        return matched.route.effect is None or bool(matched.route.profiles)


def _way(request: AccessRequest, snapshot: Snapshot, address: Address) -> _Way:
    asked = Asked(request.method, address.query, request.headers)
    found = snapshot.routes.match(address, request.method, request.headers)
    return _Way(
        readings=read(address.path),
        candidates=candidates(snapshot.routes, address, asked, found),
        matched=found if isinstance(found, Matched) else None,
    )
