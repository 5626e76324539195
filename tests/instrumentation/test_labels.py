"""Logs and metrics have one word for each kind of outcome."""

from __future__ import annotations

from authorizer.instrumentation.labels import label
from authorizer.model import Allow, Deny, Indeterminate, Reason, Refused


def test_every_kind_of_outcome_has_a_label() -> None:
    assert [label(kind(Reason.NO_ROUTE)) for kind in (Allow, Deny, Refused, Indeterminate)] == [
        "allow",
        "deny",
        "refused",
        "indeterminate",
    ]
