"""What Oathkeeper says of a subject reaches a Cerbos policy with its types."""

from __future__ import annotations

import asyncio
import json
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pdpquestions import document
from polling import PATIENCE
from sessions import NOW, session

from authorizer.contract.decode import decode
from authorizer.model import Principal
from authorizer.pdp.cerbos import CerbosPdp
from authorizer.pdp.embedded import EmbeddedPdp
from authorizer.pdp.interface import Deadline
from authorizer.principals.profiles import compile_profiles
from authorizer.source.yaml import load_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.integration

ECHO = """
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  version: default
  resource: document
  rules:
    - name: echo
      actions: [view]
      effect: EFFECT_ALLOW
      roles: [user]
      output:
        when:
          ruleActivated: P.attr
    - name: types
      actions: [view]
      effect: EFFECT_ALLOW
      roles: [user]
      output:
        when:
          ruleActivated: |-
            {
              "bool": P.attr.filter(k, type(P.attr[k]) == bool),
              "number": P.attr.filter(k, type(P.attr[k]) == double),
              "string": P.attr.filter(k, type(P.attr[k]) == string),
              "null": P.attr.filter(k, type(P.attr[k]) == null_type),
              "list": P.attr.filter(k, type(P.attr[k]) == list),
              "object": P.attr.filter(k, type(P.attr[k]) == map),
            }
"""
EXACT = 2**53
PROFILES = compile_profiles(load_yaml(b"{}", "profiles"), load_yaml(b"kratos", "default"))

TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-EXACT, EXACT)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)
# `auth` is ours, and a trait without a name is none.
TRAITS = st.dictionaries(TEXTS.filter(lambda name: name not in ("", "auth")), JSON, max_size=6)


@pytest.fixture(scope="module")
def echo(cerbos: Path) -> Iterator[Callable[[dict[str, Any]], dict[str, Any]]]:
    """Return what gives the outputs of the policies above for the traits of a session."""
    with tempfile.TemporaryDirectory(prefix="pdp-") as name, asyncio.Runner() as runner:
        (Path(name) / "document.yaml").write_text(ECHO)
        stack = AsyncExitStack()

        async def connect() -> CerbosPdp:
            embedded = await stack.enter_async_context(EmbeddedPdp(Path(name), cerbos=cerbos))
            return await stack.enter_async_context(CerbosPdp(embedded.target))

        pdp = runner.run(connect())

        def ask(traits: dict[str, Any]) -> dict[str, Any]:
            answer = runner.run(
                pdp.check(
                    _principal(traits),
                    [document()],
                    deadline=Deadline.after(PATIENCE),
                    request_id="request-1",
                )
            )
            said = answer.results[0].outputs
            return {source.rpartition("#")[2]: value for source, value in said.items()}

        try:
            yield ask
        finally:
            runner.run(stack.aclose())


def _principal(traits: dict[str, Any]) -> Principal:
    """Return who asks, by the way that a request goes: from the bytes of its body."""
    body = {"subject": "ann", "method": "GET", "url": "http://a/", "extra": session(traits)}
    found = PROFILES.identify(decode(json.dumps(body).encode()), NOW)
    assert isinstance(found, Principal), found
    return found


def exactly(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return the value so that only the same one of the same type is equal to it.

    Cerbos's numbers are doubles, as JSON's are to most who read them: 1 and 1.0 are one number.
    """
    match value:
        case bool() | None | str():
            return type(value).__name__, value
        case int() | float():
            return "number", float(value)
        case list():
            return [exactly(item) for item in value]
        case _:
            return {name: exactly(item) for name, item in value.items()}


@settings(max_examples=150)
@given(traits=TRAITS)
@example({"n": 0, "t": True, "f": False, "z": None, "s": "", "l": [], "o": {}})
@example({"one": 1, "text": "1", "true": "true", "null": "null", "nested": {"auth": {"a": [None]}}})
@example({"most": EXACT, "least": -EXACT, "tiny": 5e-324, "huge": 1.7976931348623157e308})
@example({"nul": "a\0b", "replaced": "\N{REPLACEMENT CHARACTER}", "astral": "\N{PILE OF POO}"})
def test_a_trait_reaches_a_policy_as_it_is(
    echo: Callable[[dict[str, Any]], dict[str, Any]], traits: dict[str, Any]
) -> None:
    said = dict(echo(traits)["echo"])
    auth = said.pop("auth")
    assert exactly(said) == exactly(traits)
    assert exactly(auth["identity"]["traits"]) == exactly(traits)


def test_a_policy_can_tell_each_type_from_the_others(
    echo: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    traits = {"b": True, "n": 1, "m": 1.5, "s": "1", "z": None, "l": [1], "o": {"a": 1}}
    assert {kind: sorted(names) for kind, names in echo(traits)["types"].items()} == {
        "bool": ["b"],
        "number": ["m", "n"],
        "string": ["s"],
        "null": ["z"],
        "list": ["l"],
        "object": ["auth", "o"],
    }


def test_two_integers_beyond_2_to_the_53_are_one_number_to_a_policy(
    echo: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    """A double has no room for them: an identifier belongs in a text."""
    said = echo({"even": EXACT, "odd": EXACT + 1})["echo"]
    assert said["even"] == said["odd"] == EXACT
