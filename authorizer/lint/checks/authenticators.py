"""Authenticators: does what they give fit the profiles that their payload names?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authorizer.lint.codes import Code
from authorizer.lint.finding import Finding
from authorizer.principals.profiles import Shape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authorizer.lint.access_rules import AccessRule, Effective, Handler
    from authorizer.lint.chain import Chain
    from authorizer.principals.profiles import Profile
    from authorizer.source.document import Place

# Which shape each authenticator gives; those that can give any are left out.
_GIVES: Final = {
    "cookie_session": Shape.SESSION,
    "bearer_token": Shape.SESSION,
    "oauth2_introspection": Shape.INTROSPECTION,
    "jwt": Shape.CLAIMS,
    "oauth2_client_credentials": Shape.CLIENT,
    "anonymous": Shape.ANONYMOUS,
    "noop": Shape.ANONYMOUS,
}
_SESSIONS: Final = tuple(name for name, shape in _GIVES.items() if shape is Shape.SESSION)
_GROUP: Final = "authenticators"
_JWT: Final = "jwt"
_TRUSTED: Final = "trusted_issuers"
_WHOLE: Final = "@this"
# Oathkeeper's own default (spec/config.schema.json).
_ANONYMOUS: Final = "anonymous"


def unnamed_profiles(chain: Chain) -> Iterator[Finding]:
    """Yield authenticators whose subjects fit none of the named profiles: all are denied."""
    for rule, profiles in _named(chain):
        shapes = {profile.shape for profile in profiles}
        for handler in rule.authenticators:
            shape = _GIVES.get(handler.name)
            if shape is not None and shape not in shapes:
                names = ", ".join(f"`{profile.name}`" for profile in profiles)
                message = f"what `{handler.name}` gives does not fit the payload's profile {names}"
                fitting = _of_shape(chain, shape)
                help_ = f'name {fitting} in the payload\'s "profile", a list if there are several'
                yield Finding(Code.UNNAMED_PROFILE, handler.place, message, help_)


def _of_shape(chain: Chain, shape: Shape) -> str:
    profiles = chain.profiles.by_name.values() if chain.profiles is not None else ()
    names = [f"`{profile.name}`" for profile in profiles if profile.shape is shape]
    return " or ".join(names) or f"a profile of the shape `{shape}`"


def _named(chain: Chain) -> Iterator[tuple[AccessRule, tuple[Profile, ...]]]:
    """Yield each access rule with the profiles that its payload names, if all of them are known."""
    if chain.profiles is None:
        return
    known = chain.profiles.by_name
    for payload in chain.payloads:
        if payload.content is None:
            continue
        names = payload.profiles or (chain.profiles.default,)
        if all(name in known for name in names):
            for rule in payload.rules:
                yield rule, tuple(known[name] for name in names)


def sessions(chain: Chain) -> Iterator[Finding]:
    """Yield session authenticators that do not give the whole session, or ask Kratos oddly."""
    for config, place in _session_configs(chain):
        extra = config.get("extra_from")
        if extra is not None and extra.value != _WHOLE:
            message = "`extra_from` is a part of the session; the profile wants all of it"
            help_ = f'write extra_from: "{_WHOLE}"'
            yield Finding(Code.SESSION_WITHOUT_EXTRA, extra.place, message, help_)
        elif extra is None and config.knows_defaults:
            message = "without `extra_from` there is a subject and no session"
            help_ = f'add extra_from: "{_WHOLE}"'
            yield Finding(Code.SESSION_WITHOUT_EXTRA, place, message, help_)
        query = config.get("preserve_query")
        if query is not None and query.value is False:
            message = "`preserve_query: false` sends the caller's query string on to Kratos"
            yield Finding(Code.QUERY_TO_KRATOS, query.place, message, "write preserve_query: true")


def _session_configs(chain: Chain) -> Iterator[tuple[Effective, Place]]:
    """Yield the configuration of session authenticators, and the place that stands for it."""
    # Whatever profile is named: a session without `extra` looks like a client by its secret.
    for rule in chain.asking:
        for handler in rule.authenticators:
            if handler.name in _SESSIONS:
                # Oathkeeper's own file, where the cause is one for several access rules.
                place = chain.oathkeeper.place(_GROUP, handler.name) or handler.place
                yield handler.config, place
    view = chain.oathkeeper.view
    if chain.access_rules is None and view is not None:
        for name in _SESSIONS:
            place_of = chain.oathkeeper.place(_GROUP, name)
            enabled = view.get(_GROUP, name, "enabled")
            if place_of is not None and enabled is not None and enabled.value is True:
                yield chain.oathkeeper.handler(_GROUP, name, None), place_of


def anonymous_subjects(chain: Chain) -> Iterator[Finding]:
    """Yield names for nobody in particular that no profile of that shape takes."""
    for rule, profiles in _named(chain):
        taken = [profile for profile in profiles if profile.shape is Shape.ANONYMOUS]
        for handler in rule.authenticators:
            written = handler.config.get("subject")
            if handler.name != "anonymous" or not taken:
                continue
            if written is None and not handler.config.knows_defaults:
                continue
            subject = written.value if written is not None else _ANONYMOUS
            if not any(subject in ("", *profile.subjects) for profile in taken):
                names = ", ".join(f"`{profile.name}`" for profile in taken)
                message = f"the anonymous subject `{subject}` is none that {names} takes"
                help_ = "add it to the profile's `subjects`"
                place = written.place if written is not None else handler.place
                yield Finding(Code.ANONYMOUS_SUBJECT, place, message, help_)


def issuers(chain: Chain) -> Iterator[Finding]:
    """Yield issuers that only one of the two trusts: Oathkeeper, or the profiles of a payload."""
    for rule, profiles in _named(chain):
        taking = [profile for profile in profiles if profile.shape is Shape.CLAIMS]
        for handler in rule.authenticators:
            if handler.name == _JWT and taking:
                yield from _untrusted(chain, handler, taking)


def _untrusted(chain: Chain, handler: Handler, taking: list[Profile]) -> Iterator[Finding]:
    written = handler.config.get(_TRUSTED)
    if written is None and not handler.config.knows_defaults:
        return
    trusted = {item.value: item for item in written.items()} if written is not None else {}
    place = written.place if written is not None else handler.place
    names = ", ".join(f"`{profile.name}`" for profile in taking)
    if all(profile.issuers for profile in taking):
        taken = frozenset[str]().union(*(profile.issuers for profile in taking))
        for issuer, item in trusted.items():
            if issuer not in taken:
                message = f"Oathkeeper trusts an issuer that no profile of {names} takes"
                help_ = "add it to the profile's `issuers`, to the letter"
                yield Finding(Code.UNTRUSTED_ISSUER, item.place, message, help_)
        if not trusted:
            message = f"Oathkeeper takes a token of any issuer, and {names} only of some"
            help_ = f"name the profile's `issuers` in `{_TRUSTED}`"
            yield Finding(Code.UNTRUSTED_ISSUER, place, message, help_)
    for profile in taking if trusted else ():
        for issuer in sorted(profile.issuers - set(trusted)):
            message = f"`{profile.name}` takes an issuer that Oathkeeper does not trust here"
            help_ = f"add it to `{_TRUSTED}`, to the letter"
            where = chain.profile_place(profile.name, issuer) or place
            yield Finding(Code.UNTRUSTED_ISSUER, where, message, help_)
