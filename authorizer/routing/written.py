"""A check as the rule language writes one, for people to read and for suites to compare with."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from authorizer.model import Check, JsonValue

    # {"resource": {"kind": …, "id": …}, "action": …}
    WrittenCheck: TypeAlias = dict[str, JsonValue]


def written(check: Check) -> WrittenCheck:
    """Return a check as plain data; what is empty is left out."""
    resource = check.resource
    data: dict[str, JsonValue] = {"kind": resource.kind, "id": resource.id}
    if resource.attr:
        data["attr"] = resource.attr
    if resource.policy_version:
        data["policy_version"] = resource.policy_version
    if resource.scope:
        data["scope"] = resource.scope
    return {"resource": data, "action": check.action}
