"""All checks, in one list. A check is a function from the chain to findings; each file has a topic.

To add one: a code in codes.py, a function in a file here, a line in CHECKS, a section in
docs/lint.md, and a case in tests/lint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authorizer.lint.checks import (
    attributes,
    authenticators,
    authority,
    caching,
    confusion,
    foreign_templates,
    handlers,
    names,
    paths,
    payload,
    policies,
    profiles,
    rejections,
    resources,
    retry,
    roles,
    strictness,
    traits,
)

if TYPE_CHECKING:
    from authorizer.lint.chain import Check

CHECKS: Final[tuple[Check, ...]] = (
    policies.unknown_kinds_and_actions,
    policies.unknown_derived_roles,
    names.undefined_derived_roles,
    names.undefined_variables,
    names.unasked,
    resources.unpassed,
    resources.refused,
    confusion.confused_conditions,
    caching.time_on_cached_routes,
    profiles.unknown_in_routes,
    profiles.unnamed_in_routes,
    profiles.unknown_in_payloads,
    roles.misspelled,
    foreign_templates.in_routes,
    traits.unknown_in_routes,
    traits.unknown_in_profiles,
    attributes.unreadable,
    attributes.unknown_in_policies,
    attributes.mistyped,
    attributes.rounded,
    attributes.rounded_in_routes,
    attributes.rounded_in_profiles,
    strictness.unguarded,
    rejections.unguarded_in_profiles,
    authority.in_policies,
    authority.in_profiles,
    authority.in_routes,
    authority.open_traits,
    paths.unchecked_patterns,
    paths.unreachable_routes,
    paths.uncovered_space,
    paths.chosen_hosts,
    paths.overlapping_access_rules,
    paths.rewritten_paths,
    payload.templates,
    payload.contents,
    payload.headers,
    authenticators.unnamed_profiles,
    authenticators.sessions,
    authenticators.anonymous_subjects,
    authenticators.issuers,
    handlers.unusable,
    handlers.remotes,
    retry.settings,
    retry.forwarded_headers,
    retry.unforwarded_headers,
)
