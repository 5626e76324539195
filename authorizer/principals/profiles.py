"""Profiles: how an identity becomes a Cerbos principal. Data, compiled once.

The shape of `extra` is code, as a mistake there is a hole; what is made of it is YAML.
"""

from __future__ import annotations

import enum
import functools
import importlib.resources
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from authorizer.errors import ConfigError, ExpressionError, MissingKey
from authorizer.expressions.cel import Bindings, Expression, Type, Vocabulary
from authorizer.expressions.clarity import is_clear
from authorizer.expressions.template import (
    Template,
    TemplateSyntaxError,
    ValueTemplate,
    compile_template,
    compile_value,
)
from authorizer.model import Deny, Principal, Reason
from authorizer.principals import claims, introspection, session, token
from authorizer.principals.aux_data import AUTHORIZATION, JwtSource
from authorizer.principals.identity import Identity, Rejected
from authorizer.source.schema import did_you_mean, load_schema
from authorizer.source.yaml import load_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from authorizer.errors import Problem
    from authorizer.model import AccessRequest
    from authorizer.principals.identity import Lifetime
    from authorizer.source.schema import Located

_VOCABULARY: Final = Vocabulary({"subject": Type.STRING, "extra": Type.ANY, "holder": Type.ANY})
_AUTH: Final = "auth"
_ANONYMOUS: Final = "anonymous"
# The role of a person who is here themselves. A token says that only by its issuer: most are
# narrow ones, which a third party holds.
_USER: Final = "user"


class Shape(enum.StrEnum):
    """What an authenticator's `extra` may look like."""

    SESSION = "session"
    INTROSPECTION = "introspection"
    CLAIMS = "claims"
    CLIENT = "client"
    ANONYMOUS = "anonymous"


# By far the most are; Python 3.11 takes 0.2 us to find a member of an enum.
_SESSION: Final = Shape.SESSION
_NAMELESS: Final = frozenset({Shape.SESSION, Shape.ANONYMOUS})
_TOKENS: Final = frozenset({Shape.INTROSPECTION, Shape.CLAIMS, Shape.CLIENT})
# Who comes by a secret, or by nothing, has no token that could be passed on.
_WITHOUT_TOKEN: Final = frozenset({Shape.CLIENT, Shape.ANONYMOUS})


@dataclass(frozen=True, slots=True)
class Roles:
    """Where a principal's roles come from."""

    always: tuple[str, ...] = ()
    sources: tuple[Template, ...] = ()
    mapping: Mapping[str, str] | None = None


class Built(msgspec.Struct, frozen=True, gc=False):
    """What one session or token makes of a subject: good for each request of it, in its lifetime.

    `jwt` says where a request has the token that goes with the principal; None where none does.
    """

    principal: Principal
    lifetime: Lifetime
    jwt: JwtSource | None = None

    def principal_of(self, request: AccessRequest, now: float) -> Principal | Deny:
        """Return the principal of one request, at `now` (Unix time in seconds)."""
        if objection := self.lifetime.objection(now):
            return Deny(Reason.PRINCIPAL_REJECTED, objection)
        if self.jwt is None:
            return self.principal
        aux_data = self.jwt.read(request)
        if isinstance(aux_data, Rejected):
            detail = f"profile {self.principal.profile}: {aux_data.detail}"
            return Deny(Reason.PRINCIPAL_REJECTED, detail)
        return self.principal.with_aux_data(aux_data)


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile, compiled."""

    name: str
    shape: Shape
    roles: Roles
    id: Template | None = None
    subjects: frozenset[str] = frozenset()
    issuers: frozenset[str] = frozenset()
    attr: tuple[tuple[str, ValueTemplate], ...] = ()
    require: tuple[Template, ...] = ()
    jwt: JwtSource | None = None

    def fits(self, request: AccessRequest) -> bool:
        """Say whether the request's subject and `extra` have this profile's shape."""
        if self.shape is _SESSION:
            return session.fits(request.extra)
        match self.shape:
            case Shape.INTROSPECTION:
                return introspection.fits(request.extra)
            case Shape.CLAIMS:
                return claims.fits(request.extra) and self.trusts_issuer(request)
            case Shape.CLIENT:
                return not request.extra and request.subject != ""
            case Shape.ANONYMOUS:
                return not request.extra and request.subject in ("", *self.subjects)

    def trusts_issuer(self, request: AccessRequest) -> bool:
        """Say whether the profile names the issuer of the request's token, or names none."""
        return not self.issuers or (request.extra or {}).get("iss") in self.issuers

    def build(self, request: AccessRequest, now: float) -> Built | Deny:
        """Return the principal without what only this one request has beside it.

        The request fits, and the principal is good at `now`, Unix time in seconds.
        """
        identity = self._identity(request, now)
        if isinstance(identity, Rejected):
            return Deny(Reason.PRINCIPAL_REJECTED, identity.detail)
        if not is_clear(identity.id):
            # Two people whose names are not UTF-8 might become one.
            detail = "the subject has a control character, or one that was replaced on the way"
            return Deny(Reason.PRINCIPAL_REJECTED, detail)
        holder = [identity.holder] if identity.holder else []
        names = {"subject": request.subject, "extra": request.extra, "holder": holder}
        bindings = Bindings(names)
        try:
            for condition in self.require:
                if condition.evaluate(bindings) is not True:
                    detail = f"profile {self.name} requires {condition.text}"
                    return Deny(Reason.PRINCIPAL_REJECTED, detail)
            principal = Principal(
                id=identity.id if self.id is None else _id(self.id, bindings),
                roles=tuple(self._roles(bindings)),
                attr={
                    **identity.attr,
                    **{name: value.evaluate(bindings) for name, value in self.attr},
                    _AUTH: {**identity.auth, "profile": self.name},
                },
                profile=self.name,
            )
            return Built(principal, identity.lifetime, self.jwt)
        except ExpressionError as error:
            return Deny(Reason.PRINCIPAL_REJECTED, f"profile {self.name}: {error}")

    def _identity(self, request: AccessRequest, now: float) -> Identity | Rejected:
        extra = request.extra or {}
        if self.shape is _SESSION:
            return session.identify(request.subject, extra, now)
        match self.shape:
            case Shape.INTROSPECTION:
                return introspection.identify(request.subject, extra)
            case Shape.CLAIMS:
                return claims.identify(request.subject, extra, now)
            case Shape.CLIENT:
                return token.bearer(request.subject, {}, request.subject, (), {})
            case Shape.ANONYMOUS:
                return Identity(_ANONYMOUS, {}, {})

    def _roles(self, bindings: Bindings) -> Iterator[str]:
        """Yield the roles, each once, in the order of the profile."""
        mapping = self.roles.mapping
        found = dict.fromkeys(self.roles.always)
        for source in self.roles.sources:
            for role in _role_list(source, bindings):
                known = role if mapping is None else mapping.get(role)
                if known is not None:
                    found[known] = None
        if not found:
            raise ExpressionError("roles", "they are none, and a principal needs one")
        if _USER in found and self.shape in _TOKENS and not self.issuers:
            raise ExpressionError("roles", f"a token gives `{_USER}` only with `issuers`")
        yield from found


def _id(template: Template, bindings: Bindings) -> str:
    value = template.evaluate(bindings)
    if isinstance(value, str) and value and is_clear(value):
        return value
    raise ExpressionError(template.text, "expected a text that is an id: not empty, and readable")


def _role_list(source: Template, bindings: Bindings) -> Sequence[str]:
    try:
        value = source.evaluate(bindings)
    except MissingKey:
        return ()
    if value is None:
        return ()
    # Not ignored when it is malformed: a policy may deny by role, too.
    if isinstance(value, list) and all(isinstance(role, str) and role for role in value):
        return value
    raise ExpressionError(source.text, "expected a list of role names")


@dataclass(frozen=True, slots=True)
class Profiles:
    """All profiles by name, and the one for a payload that names none."""

    by_name: Mapping[str, Profile]
    default: str

    def identify(self, request: AccessRequest, now: float) -> Principal | Deny:
        """Return the request's principal, or why there is none. `now` is Unix time in seconds."""
        built = self.build(request, now)
        return built if isinstance(built, Deny) else built.principal_of(request, now)

    def build(self, request: AccessRequest, now: float) -> Built | Deny:
        """Return what makes the request's principal, or why there is none.

        Of the request, nothing but its profiles, its subject and its `extra` is looked at: by
        those, what was built may be kept.

        The payload names the profiles that its access rule's authenticators can give; the shape of
        `extra` chooses only among those.
        """
        names = request.profiles or (self.default,)
        if len(names) == 1 and (only := self.by_name.get(names[0])) and only.fits(request):
            return only.build(request, now)  # as below, without its lists (1 us)
        unknown = [name for name in names if name not in self.by_name]
        if unknown:
            known = ", ".join(sorted(self.by_name))
            detail = f"the payload names a profile that is not configured; there is {known}"
            return Deny(Reason.PROFILE_MISMATCH, detail)
        named = [self.by_name[name] for name in dict.fromkeys(names)]
        fitting = [profile for profile in named if _fits_among(profile, named, request)]
        if len(fitting) != 1:
            return Deny(Reason.PROFILE_MISMATCH, _mismatch(request, named, len(fitting)))
        return fitting[0].build(request, now)


# A claim may be named by an address or a token: what looks like a name in a schema is named. Ory's
# tokens are longer.
_KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,30}")
_MAX_KEYS: Final = 20


def _fits_among(profile: Profile, named: Sequence[Profile], request: AccessRequest) -> bool:
    """Say whether a profile fits, of those that the payload names."""
    if not profile.fits(request):
        return False
    # A subject and nothing else is also what a session without `extra_from` and an anonymous
    # caller are known by, and the latter may have any name in Oathkeeper's configuration.
    return profile.shape is not Shape.CLIENT or not any(
        other.shape in _NAMELESS or other.fits(request) for other in named if other is not profile
    )


def _mismatch(request: AccessRequest, named: Sequence[Profile], fitting: int) -> str:
    wanted = " or ".join(profile.name for profile in named)
    if fitting:
        return f"subject and extra have the shape of more than one profile of {wanted}"
    if not request.extra:
        if request.subject:
            return (
                f"there is a subject but no extra, so it is not {wanted}; is `extra_from` "
                "missing in the authenticator's configuration, or the name of the anonymous "
                "subject in the profile's `subjects`?"
            )
        return f"there is neither a subject nor extra, so it is not {wanted}"
    keys = [key for key in sorted(request.extra) if _KEY.fullmatch(key)]
    seen = ", ".join(keys[:_MAX_KEYS])
    lacking = "".join(_lacking(profile, request) for profile in named)
    return f"extra does not have the shape of {wanted}; its keys are {seen}{lacking}" + _hint(
        request, named
    )


def _lacking(profile: Profile, request: AccessRequest) -> str:
    """Return which keys of `extra` there would have to be for a profile, or not to be."""
    match profile.shape:
        case Shape.SESSION:
            missing = [*session.missing(request.extra)]
        case Shape.INTROSPECTION:
            missing = introspection.missing(request.extra)
        case Shape.CLAIMS:
            missing = claims.missing(request.extra)
        case _:
            return f"; {profile.name} has no extra"
    if missing:
        return f"; missing for {profile.name}, or of another type: {', '.join(missing)}"
    if profile.shape is Shape.SESSION:
        return f"; {profile.name} never has {', '.join(session.foreign(request.extra))}"
    return ""


def _hint(request: AccessRequest, named: Sequence[Profile]) -> str:
    """Return what is known of the reason why a token fits no profile."""
    if introspection.is_introspected(request.extra) and not introspection.fits(request.extra):
        claimed = ", ".join(name for name in token.REGISTERED if name in (request.extra or {}))
        return (
            "; an introspected token cannot be told from a JWT where its `ext` has a claim that is "
            f"a JWT's own ({claimed}), or the JWT has {', '.join(token.INTROSPECTED)} as claims"
        )
    if claims.fits(request.extra):
        strict = [profile.name for profile in named if not profile.trusts_issuer(request)]
        if strict:
            return f"; the token's issuer is none of the `issuers` of {' or '.join(strict)}"
    return ""


def compile_profiles(configured: Located, default: Located) -> Profiles:
    """Return the built-in profiles and the configured ones, which win.

    `configured` is the mapping under `principals.profiles`, with its places; `default` the name
    for a payload without one. Raises ConfigError with every problem.
    """
    name = str(default.value)
    by_name = dict(_builtin())
    problems = load_schema("authorizer.principals", "profiles.schema.json").problems(configured)
    if not problems:
        raw: Any = configured.value
        for key, profile in raw.items():
            by_name[key] = _Compiler(key, configured, problems).profile(profile)
    if name not in by_name and not problems:
        message = f"the default profile `{name}` is not there"
        problems.append(default.problem((), message, did_you_mean(name, by_name)))
    if problems:
        raise ConfigError(problems)
    return Profiles(by_name, name)


@functools.cache
def _builtin() -> Mapping[str, Profile]:
    resource = importlib.resources.files("authorizer.principals") / "builtin.yaml"
    document = load_yaml(resource.read_bytes(), "built-in profiles")
    raw: Any = document.value
    return {name: _Compiler(name, document, []).profile(value) for name, value in raw.items()}


def _jwt_source(raw: Mapping[str, Any] | None) -> JwtSource | None:
    """Return what `aux_data` says, which fits the schema."""
    if raw is None:
        return None
    jwt = raw["jwt"]
    return JwtSource(jwt.get("header", AUTHORIZATION).lower(), jwt["key_set"])


class _Compiler:
    """Compiles one profile, and collects what is wrong with its templates."""

    def __init__(self, name: str, source: Located, problems: list[Problem]) -> None:
        self.name = name
        self.source = source
        self.problems = problems

    def profile(self, raw: Mapping[str, Any]) -> Profile:
        """Return the profile; `raw` fits the schema."""
        roles = raw["roles"]
        shape = Shape(raw["shape"])
        if "subjects" in raw and shape is not Shape.ANONYMOUS:
            self._add(
                ("subjects",),
                f"`subjects` says nothing about the shape `{shape}`",
                "to let in only some, use require: [\"${subject in ['a', 'b']}\"]",
                key=True,
            )
        if "issuers" in raw and shape is not Shape.CLAIMS:
            hint = f"only the shape `{Shape.CLAIMS}` knows its token's issuer"
            message = f"`issuers` says nothing about the shape `{shape}`"
            self._add(("issuers",), message, hint, key=True)
        elif shape in _TOKENS and "issuers" not in raw:
            self._refuse_user(roles)
        if "aux_data" in raw and shape in _WITHOUT_TOKEN:
            message = f"`aux_data` says nothing about the shape `{shape}`, which has no token"
            self._add(("aux_data",), message, key=True)
        return Profile(
            name=self.name,
            shape=shape,
            id=self._id(raw["id"], shape) if "id" in raw else None,
            roles=Roles(
                always=tuple(roles.get("always", ())),
                sources=self._expressions(roles, "list", "roles", "from"),
                mapping=roles.get("map"),
            ),
            subjects=frozenset(raw.get("subjects", ())),
            issuers=frozenset(raw.get("issuers", ())),
            attr=tuple(
                (key, compile_value(value, ("attr", key), self._template))
                for key, value in raw.get("attr", {}).items()
            ),
            require=self._expressions(raw, "bool", "require"),
            jwt=_jwt_source(raw.get("aux_data")),
        )

    def _id(self, text: str, shape: Shape) -> Template:
        template = self._template(("id",), text)
        # One that is wrong, which is told already, has no parts.
        is_constant = template.constant is not None and template.parts
        if is_constant and shape is not Shape.ANONYMOUS:
            hint = "use an expression, such as ${subject}"
            self._add(("id",), "everybody of this profile would be one and the same", hint)
        return template

    def _refuse_user(self, roles: Mapping[str, Any]) -> None:
        """Report the role of people themselves, where any issuer's token would have it."""
        message = f"a token has the role `{_USER}` only by its issuer"
        hint = f"use the shape `{Shape.CLAIMS}`, and name the trusted ones under `issuers`"
        for number, role in enumerate(roles.get("always", ())):
            if role == _USER:
                self._add(("roles", "always", number), message, hint)
        for theirs, role in roles.get("map", {}).items():
            if role == _USER:
                self._add(("roles", "map", theirs), message, hint)

    def _expressions(self, raw: Mapping[str, Any], kind: str, *path: str) -> tuple[Template, ...]:
        """Return the templates under the last of `path`: each one `${…}` that can give a `kind`."""
        return tuple(
            self._expression((*path, number), text, kind)
            for number, text in enumerate(raw.get(path[-1], ()))
        )

    def _expression(self, path: tuple[str | int, ...], text: str, kind: str) -> Template:
        template = self._template(path, text)
        match template.parts:
            case () | (Expression(type_name="DYN"),):
                pass  # reported already, or known only when there is an identity
            case (Expression(type_name=name),):
                found = name.partition("<")[0].lower()
                if found != kind:
                    self._add(path, f"expected an expression that gives a {kind}, not a {found}")
            case _:
                self._add(path, "expected one ${…}, and nothing beside it")
        return template

    def _template(self, path: tuple[str | int, ...], text: str) -> Template:
        try:
            return compile_template(text, _VOCABULARY)
        except TemplateSyntaxError as error:
            self._add(path, error.reason)
            return Template(text, ())

    def _add(
        self, path: tuple[str | int, ...], message: str, hint: str = "", *, key: bool = False
    ) -> None:
        self.problems.append(self.source.problem((self.name, *path), message, hint, key=key))
