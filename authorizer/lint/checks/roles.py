"""Roles in Cerbos policies against those that profiles give.

Roles may come from anywhere (`metadata_public`, a claim), so a name that is not known is no
mistake; one that is a slip away from a known one probably is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from authorizer.lint.codes import Code
from authorizer.lint.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authorizer.lint.chain import Chain
    from authorizer.principals.profiles import Profile

# What the built-in profiles give (docs/principals.md).
_BUILT_IN: Final = ("user", "client", "delegate", "anonymous")
_TEXT: Final = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_ANY: Final = "*"


def misspelled(chain: Chain) -> Iterator[Finding]:
    """Yield roles that nobody is known to have, and that are nearly one that somebody has."""
    policies = chain.policies
    if policies is None or chain.profiles is None:
        return
    known = {*_BUILT_IN}
    for profile in chain.profiles.by_name.values():
        known |= _given(profile)
    for role in policies.roles:
        if role.name in known or role.name == _ANY:
            continue
        if role.name in policies.defined_roles and not role.is_parent:
            message = f"`{role.name}` is a derived role, which no principal comes with"
            help_ = "name it under `derivedRoles`"
            yield Finding(Code.UNKNOWN_ROLE, role.place, message, help_)
            continue
        meant = next((name for name in sorted(known) if _is_slip(role.name, name)), None)
        if meant is not None:
            message = f"no profile is seen to give the role `{role.name}`"
            yield Finding(Code.UNKNOWN_ROLE, role.place, message, f"did you mean `{meant}`?")


def _given(profile: Profile) -> set[str]:
    """Return the roles that a profile names."""
    roles = profile.roles
    mapped = (roles.mapping or {}).values()
    texts = (
        one or other for template in roles.sources for one, other in _TEXT.findall(template.text)
    )
    return {*roles.always, *mapped, *(text for text in texts if text)}


def _is_slip(written: str, meant: str) -> bool:
    """Say whether one letter too many, too few, another or two swapped make the one the other."""
    one, other = sorted((written.casefold(), meant.casefold()), key=len)
    if len(other) - len(one) > 1:
        return False
    at = next((n for n, letter in enumerate(one) if letter != other[n]), len(one))
    if len(one) < len(other):
        return one[at:] == other[at + 1 :]
    swapped = one[at : at + 2] == other[at : at + 2][::-1] and one[at + 2 :] == other[at + 2 :]
    return one[at + 1 :] == other[at + 1 :] or swapped
