"""Identity schemas, as a test writes them."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from authorizer.kratos.identity_schema import read_identity_schema

if TYPE_CHECKING:
    from authorizer.kratos.identity_schema import IdentitySchema


def written(traits: Any, **beside: Any) -> str:  # noqa: ANN401 - JSON
    """Return an identity schema as JSON; `beside` stands at its top, beside `properties`."""
    return json.dumps({**beside, "properties": {"traits": traits}})


def schema_of(traits: Any, number: int = 1, **beside: Any) -> IdentitySchema:  # noqa: ANN401 - JSON
    """Return an identity schema whose traits have the schema `traits`."""
    text = base64.b64encode(written(traits, **beside).encode()).decode()
    return read_identity_schema(f"base64://{text}", number)


def with_traits(
    number: int = 1,
    *,
    required: tuple[str, ...] = (),
    **traits: Any,  # noqa: ANN401 - JSON
) -> IdentitySchema:
    """Return an identity schema with these traits."""
    return schema_of({"type": "object", "properties": traits, "required": [*required]}, number)
