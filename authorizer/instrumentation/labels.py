"""What logs and metrics call an outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authorizer.model import Allow, Deny, Indeterminate, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authorizer.model import Outcome

_LABELS: Final[Mapping[type[Outcome], str]] = {
    Allow: "allow",
    Deny: "deny",
    Refused: "refused",
    Indeterminate: "indeterminate",
}


def label(outcome: Outcome) -> str:
    """Return the label of the kind of `outcome`: allow, deny, refused or indeterminate."""
    return _LABELS[type(outcome)]
