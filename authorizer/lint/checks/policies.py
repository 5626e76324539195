"""Rules against Cerbos policies: does any policy know what a route asks about?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from authorizer.lint.codes import Code
from authorizer.lint.finding import Finding
from authorizer.lint.policies import DEFAULT_VERSION
from authorizer.source.schema import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authorizer.expressions.template import Template
    from authorizer.lint.chain import Chain
    from authorizer.lint.policies import Policies
    from authorizer.lint.ruleset import RuleSet
    from authorizer.routing.route import CheckTemplate, ResourceTemplate, Route


def unknown_kinds_and_actions(chain: Chain) -> Iterator[Finding]:
    """Yield what routes say outright and no policy knows: such a question is always denied."""
    if chain.rules is None or chain.policies is None:
        return
    for route in chain.routes:
        for check in route.checks:
            yield from _unknown(chain, chain.rules, chain.policies, route, check)


def _unknown(
    chain: Chain, rules: RuleSet, policies: Policies, route: Route, check: CheckTemplate
) -> Iterator[Finding]:
    resource = check.resource
    kind = resource.kind.constant
    if kind is None:
        return
    if not policies.knows_kind(kind):
        message = f"no Cerbos policy knows the resource kind `{kind}`"
        place = rules.place(route, kind, under="kind")
        yield Finding(Code.UNKNOWN_KIND, place, message, did_you_mean(kind, policies.kinds))
        return
    scope = _constant(resource.scope)
    if kind in policies.kinds:
        yield from _unknown_version(rules, policies, route, kind, resource.policy_version)
        if scope is None:
            yield from _varying(chain, rules, policies, route, resource)
        leniently = chain.searches_scopes_leniently
        if scope and not policies.knows_scope(kind, scope, leniently=leniently):
            message = f"no Cerbos policy of `{kind}` has the scope `{scope}`"
            known = sorted(policies.scopes(kind) - {""})
            place = rules.place(route, scope, under="scope")
            help_ = did_you_mean(scope, known) or "no policy of this kind has a scope"
            yield Finding(Code.UNKNOWN_SCOPE, place, message, help_)
            return
    for action in dict.fromkeys(template.constant for template in check.actions.values()):
        if action is None or policies.knows_action(kind, action, scope):
            continue
        known = sorted(name for name in policies.actions(kind, scope) if "*" not in name)
        message = f"no Cerbos policy of `{kind}` knows the action `{action}`"
        place = rules.place(route, action, under="actions" if "" not in check.actions else "action")
        yield Finding(Code.UNKNOWN_ACTION, place, message, did_you_mean(action, known))


def _varying(
    chain: Chain, rules: RuleSet, policies: Policies, route: Route, resource: ResourceTemplate
) -> Iterator[Finding]:
    """Yield a scope that requests decide, where the embedded PDP wants a policy for each."""
    kind, scope = resource.kind.constant, resource.scope
    embedded = chain.loaded.settings.pdp.embedded if chain.loaded is not None else None
    if kind is None or scope is None or embedded is None or embedded.lenient_scope_search:
        return
    help_ = "set pdp.embedded.lenient_scope_search, and a policy above it decides"
    place = rules.place(route, scope.text, under="scope")
    if policies.scopes(kind) <= {""}:
        message = f"no Cerbos policy of `{kind}` has a scope, so that any scope is denied"
        yield Finding(Code.UNKNOWN_SCOPE, place, message, help_)
    else:
        message = f"a scope that no Cerbos policy of `{kind}` has is denied"
        yield Finding(Code.VARYING_SCOPE, place, message, help_)


def _unknown_version(
    rules: RuleSet, policies: Policies, route: Route, kind: str, written: Template | None
) -> Iterator[Finding]:
    version = _constant(written)
    known = policies.versions(kind)
    if version is None or (version or DEFAULT_VERSION) in known:
        return
    if version:
        place = rules.place(route, version, under="policy_version")
        message = f"no Cerbos policy of `{kind}` has the version `{version}`"
        yield Finding(Code.UNKNOWN_POLICY_VERSION, place, message, did_you_mean(version, known))
    else:
        place = rules.place(route, kind, under="kind")
        message = f"no Cerbos policy of `{kind}` has the version `{DEFAULT_VERSION}`"
        versions = ", ".join(f"`{name}`" for name in sorted(known))
        help_ = f"give the resource a `policy_version`; there is {versions}"
        yield Finding(Code.UNKNOWN_POLICY_VERSION, place, message, help_)


def _constant(template: Template | None) -> str | None:
    """Return what a template always gives: "" where there is none, None where it varies."""
    return "" if template is None else template.constant


def unknown_derived_roles(chain: Chain) -> Iterator[Finding]:
    """Yield imports of derived roles that no file defines: such a policy does not compile."""
    policies = chain.policies
    if policies is None:
        return
    for imported in policies.imports:
        if imported.name not in policies.derived_roles:
            message = f"no file defines the derived roles `{imported.name}`"
            help_ = did_you_mean(imported.name, sorted(policies.derived_roles))
            yield Finding(Code.UNKNOWN_DERIVED_ROLES, imported.place, message, help_)
