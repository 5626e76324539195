"""Access rules' handlers against Oathkeeper: are they there, and is the remote one ours?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from authorizer.lint.codes import Code
from authorizer.lint.finding import Finding
from authorizer.source.schema import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authorizer.lint.access_rules import AccessRule
    from authorizer.lint.chain import Chain
    from authorizer.lint.view import View

# ory/oathkeeper v0.40: driver/registry_memory.go.
_KNOWN: Final = {
    "authenticators": (
        *("anonymous", "bearer_token", "cookie_session", "jwt", "noop"),
        *("oauth2_client_credentials", "oauth2_introspection", "unauthorized"),
    ),
    "authorizers": ("allow", "deny", "keto_engine_acp_ory", "remote", "remote_json"),
    "mutators": ("cookie", "header", "hydrator", "id_token", "noop"),
}
_PATH: Final = "/authorize"


def unusable(chain: Chain) -> Iterator[Finding]:
    """Yield handlers that Oathkeeper does not know or has not enabled: it answers 500 then."""
    own = chain.oathkeeper.view
    for rule in chain.access_rules or ():
        for group, view in _handlers(rule):
            name = view.text("handler")
            known = _KNOWN[group]
            place = (view.get("handler") or view).place
            if name not in known:
                message = f"Oathkeeper has no {group.removesuffix('s')} `{name}`"
                help_ = did_you_mean(name, known)
                yield Finding(Code.UNUSABLE_HANDLER, place, message, help_)
            elif own is not None and not _is_enabled(own, group, name):
                message = f"`{name}` is not enabled, so that Oathkeeper answers 500 to each request"
                help_ = f"set {group}.{name}.enabled: true in Oathkeeper's configuration"
                yield Finding(Code.UNUSABLE_HANDLER, place, message, help_)


def _handlers(rule: AccessRule) -> Iterator[tuple[str, View]]:
    for group in ("authenticators", "mutators"):
        for view in rule.view.items(group):
            yield group, view
    if rule.authorizer is not None:
        yield "authorizers", rule.authorizer.view


def _is_enabled(own: View, group: str, name: str) -> bool:
    found = own.get(group, name, "enabled")
    return found is not None and found.value is True


def remotes(chain: Chain) -> Iterator[Finding]:
    """Yield URLs of remote authorizers that are not where this one answers."""
    for rule in chain.asking:
        remote = rule.authorizer.config.get("remote") if rule.authorizer is not None else None
        if remote is None or not isinstance(remote.value, str):
            continue
        try:
            path = urlsplit(remote.value).path
        except ValueError:
            path = ""
        if not path.endswith(_PATH):
            message = f"this is not where the authorizer answers, which is `{_PATH}`"
            help_ = f"what answers 200 there lets everybody in; write http://…:8080{_PATH}"
            yield Finding(Code.REMOTE_ELSEWHERE, remote.place, message, help_)
