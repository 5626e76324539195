"""The nouns. Everything else is a verb on them.

All are immutable; none of them knows HTTP, YAML, gRPC or a clock. What is made for each decision
and not by hand is a Struct of msgspec: a frozen dataclass sets its fields by `object.__setattr__`,
and takes 2.0 us to make a record and 3.2 us to replace one field, where a Struct takes 0.2 and 0.1.
The collector does not look at most of them (`gc=False`): nothing that they hold refers back.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    # What JSON can say. Integers and floats stay apart, as the caller wrote them.
    JsonValue: TypeAlias = (
        bool | int | float | str | Sequence["JsonValue"] | Mapping[str, "JsonValue"] | None
    )

_NOTHING: Final[Mapping[str, JsonValue]] = {}


class Reason(enum.StrEnum):
    """Why an outcome is what it is. The values are part of the interface."""

    # allow
    POLICY_ALLOW = "policy_allow"
    ROUTE_ALLOW = "route_allow"
    OBSERVED = "observed"
    # deny
    POLICY_DENY = "policy_deny"
    ROUTE_DENY = "route_deny"
    NO_ROUTE = "no_route"
    METHOD_NOT_MAPPED = "method_not_mapped"
    CONDITION_NOT_MAPPED = "condition_not_mapped"
    AMBIGUOUS_URL = "ambiguous_url"
    MAPPING_FAILED = "mapping_failed"
    PROFILE_MISMATCH = "profile_mismatch"
    PRINCIPAL_REJECTED = "principal_rejected"
    # refused: the question itself was not one
    MALFORMED_REQUEST = "malformed_request"
    REQUEST_TIMEOUT = "request_timeout"
    REQUEST_TOO_LARGE = "request_too_large"
    BAD_SHARED_SECRET = "bad_shared_secret"  # noqa: S105 - a reason's name, not a secret
    # indeterminate: nobody could decide
    PDP_UNAVAILABLE = "pdp_unavailable"
    PDP_DEADLINE = "pdp_deadline"
    PDP_REJECTED = "pdp_rejected"
    OVERLOADED = "overloaded"
    INTERNAL_ERROR = "internal_error"


class _Outcome(msgspec.Struct, frozen=True, gc=False):
    reason: Reason
    # One sentence for a person; names rules, keys and expressions, never a caller's values.
    detail: str = ""

    def __bool__(self) -> NoReturn:
        # `if outcome:` would read a Deny as a yes.
        msg = "an outcome has no truth value; match on its class"
        raise TypeError(msg)


class Allow(_Outcome, frozen=True, gc=False):
    """The request may pass."""


class Deny(_Outcome, frozen=True, gc=False):
    """The request may not pass; the rules, the identity or a policy said so."""


class Refused(_Outcome, frozen=True, gc=False):
    """The question was not one that can be answered; the asker erred."""


class Indeterminate(_Outcome, frozen=True, gc=False):
    """Nobody could decide; the request does not pass."""


if TYPE_CHECKING:
    Outcome: TypeAlias = Allow | Deny | Refused | Indeterminate


class AccessRequest(msgspec.Struct, frozen=True, gc=False):  # noqa: PLW1641 - `extra` has no hash
    """What Oathkeeper asks: may this subject do this?

    `profiles` are the names that the payload gave (empty: it gave none).
    `extra` is what the authenticator knows of the subject: an object, or None.
    `headers` hold only what the payload chose to pass on, names in lower case;
    a header that the caller did not send is absent.
    `forwarded_uri` holds every value of X-Forwarded-Uri; None where the payload has none.
    `authorization` holds every value of that header, of the HTTP request that brought the body:
    Oathkeeper passes on the caller's own. Like `headers` it may hold a token, and no repr shows it.
    `extra_bytes` is the JSON text that `extra` was read from, or b"" where it is not at hand:
    equal bytes are equal objects, so that what was built from them may be kept. `text` is that of
    all but `authorization`, or b"".
    """

    subject: str
    method: str
    url: str
    profiles: tuple[str, ...] = ()
    extra: Mapping[str, JsonValue] | None = None
    raw_path: str = ""
    headers: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    forwarded_uri: tuple[str, ...] | None = None
    authorization: tuple[str, ...] = ()
    extra_bytes: bytes = b""
    text: bytes = b""

    def __eq__(self, other: object) -> bool:
        """Compare what is asked, and not the bytes that it was read from."""
        if type(other) is not AccessRequest:
            return NotImplemented
        return msgspec.structs.astuple(self)[:-2] == msgspec.structs.astuple(other)[:-2]

    def __repr__(self) -> str:
        """Return it without what may hold a token."""
        return (
            f"AccessRequest(subject={self.subject!r}, method={self.method!r}, url={self.url!r}, "
            f"profiles={self.profiles!r}, extra={self.extra!r}, raw_path={self.raw_path!r}, "
            f"forwarded_uri={self.forwarded_uri!r})"
        )

    @property
    def request_id(self) -> str:
        """The caller's own X-Request-Id, or "" where there is not exactly one."""
        values = self.headers.get("x-request-id", ())
        return values[0] if len(values) == 1 else ""


@dataclass(frozen=True, slots=True)
class AuxData:
    """The caller's JWT, which the PDP verifies by the keys of `key_set` and lets policies read.

    `expires_at` is what it claims itself, in Unix time; None where it claims nothing.
    """

    key_set: str
    jwt: str = field(repr=False)
    expires_at: float | None = field(default=None, compare=False)


class Principal(msgspec.Struct, frozen=True, eq=False, weakref=True):
    """Who asks, in Cerbos's terms. Compared by identity, so that it can carry a built message.

    `aux_data` is of the one request: whoever keeps a principal for the next one keeps the `bare`
    one, which is the same without it.
    """

    id: str
    roles: tuple[str, ...]
    attr: Mapping[str, JsonValue]
    profile: str
    policy_version: str = ""
    scope: str = ""
    aux_data: AuxData | None = None
    _bare: Principal | None = None

    @property
    def bare(self) -> Principal:
        """The principal that this one was before it got its `aux_data`."""
        return self._bare or self

    def with_aux_data(self, aux_data: AuxData | None) -> Principal:
        """Return the same principal with this beside it."""
        if aux_data is None:
            return self.bare
        return msgspec.structs.replace(self, aux_data=aux_data, _bare=self.bare)


class Resource(msgspec.Struct, frozen=True, gc=False):
    """What is asked about, in Cerbos's terms."""

    kind: str
    id: str
    attr: Mapping[str, JsonValue] = msgspec.field(default_factory=dict)
    policy_version: str = ""
    scope: str = ""


class Check(msgspec.Struct, frozen=True, gc=False):
    """One question to the PDP: may the principal do `action` on `resource`?"""

    resource: Resource
    action: str


class Effect(enum.StrEnum):
    """What the PDP said to one check."""

    ALLOW = "allow"
    DENY = "deny"


class CheckResult(msgspec.Struct, frozen=True, gc=False):
    """The PDP's answer to one check.

    `outputs` maps the `src` of a Cerbos output to its value.
    `policy` and `matched_scope` are known only where the caller asked to explain.
    """

    effect: Effect
    outputs: Mapping[str, JsonValue] = msgspec.field(default_factory=dict)
    validation_errors: tuple[str, ...] = ()
    policy: str = ""
    matched_scope: str = ""
    derived_roles: tuple[str, ...] = ()


class PdpAnswer(msgspec.Struct, frozen=True, gc=False):
    """Answers to a list of checks, in its order.

    `call_id` is the PDP's name for the call. `request_id` is ours, where that is not the one that
    the question came with: the call was about several questions.
    """

    call_id: str
    results: tuple[CheckResult, ...]
    request_id: str = ""


class CheckRecord(msgspec.Struct, frozen=True, gc=False):
    """A check as it is logged: no attributes, and "" where the PDP gave no effect."""

    kind: str
    id: str
    action: str
    effect: str = ""


class DecisionRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that is said about one decision, to logs, metrics and the answer's headers.

    Holds no trait, no body and no header but the caller's request id.
    Times are in seconds. `would_be` is the outcome that observing replaced, or None.
    `cerbos_request_id` is the PDP's name for the request where that is not `decision_id`: the call
    was about several decisions, or about one that was asked by several. `cached_seconds` is how old
    the PDP's answer is where it was kept from another decision: then these name that one's call.
    """

    decision_id: str
    outcome: Outcome
    request_id: str = ""
    route: str = ""
    subject: str = ""
    profile: str = ""
    method: str = ""
    host: str = ""
    path: str = ""
    checks: tuple[CheckRecord, ...] = ()
    cerbos_call_id: str = ""
    cerbos_request_id: str = ""
    would_be: Outcome | None = None
    response_headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    total_seconds: float = 0.0
    pdp_seconds: float | None = None
    cached_seconds: float | None = None
