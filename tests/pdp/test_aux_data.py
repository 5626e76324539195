"""A JWT that goes with a question: the PDP verifies it, and policies read its claims."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from httpstub import Handler, serving
from jwts import Issuer
from pdpquestions import document
from polling import PATIENCE

from authorizer.errors import PdpRejected
from authorizer.model import AuxData, Effect, Principal
from authorizer.pdp.cerbos import CerbosPdp
from authorizer.pdp.embedded import EmbeddedPdp
from authorizer.pdp.interface import Deadline

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from authorizer.model import CheckResult

pytestmark = pytest.mark.integration

POLICY = """
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  version: default
  resource: document
  rules:
    - name: claims
      actions: [view]
      effect: EFFECT_ALLOW
      roles: [delegate]
      condition:
        match:
          expr: request.auxData.jwt.ext.org == R.attr.organization
      output:
        when:
          ruleActivated: request.auxData.jwt
"""
ISSUER = Issuer()


@pytest.fixture
def policies(folder: Path) -> Path:
    directory = folder / "policies"
    directory.mkdir()
    (directory / "document.yaml").write_text(POLICY)
    return directory


@pytest.fixture
def log() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as entries:
        yield entries


@pytest.fixture
async def pdp(cerbos: Path, folder: Path, policies: Path) -> AsyncIterator[CerbosPdp]:
    """Run our own PDP with the issuer's keys as the key set `hydra`, and another's as `other`."""
    key_sets = {}
    for name, issuer in (("hydra", ISSUER), ("other", Issuer())):
        path = folder / f"{name}.json"
        path.write_text(issuer.jwks)
        key_sets[name] = str(path)
    async with (
        EmbeddedPdp(policies, cerbos=cerbos, key_sets=key_sets) as embedded,
        CerbosPdp(embedded.target) as pdp,
    ):
        yield pdp


def claims(**changed: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    now = int(time.time())
    return {
        "iss": "https://hydra.acme.test/",
        "sub": "ann",
        "aud": ["api"],
        "nbf": now,
        "exp": now + 300,
        "scp": ["documents.read"],
        "ext": {"org": "acme", "level": 3, "beta": False, "none": None, "tags": [1, "a", {}]},
        **changed,
    }


async def ask(pdp: CerbosPdp, token: str | None, key_set: str = "hydra") -> CheckResult:
    aux_data = None if token is None else AuxData(key_set, token)
    answer = await pdp.check(
        Principal("ann", ("delegate",), {}, "jwt", aux_data=aux_data),
        [document()],
        deadline=Deadline.after(PATIENCE),
        request_id="request-1",
    )
    return answer.results[0]


async def test_a_policy_reads_the_claims_of_the_callers_jwt(pdp: CerbosPdp) -> None:
    """With their types; but a time is a text there, as Cerbos has it."""
    result = await ask(pdp, ISSUER.sign(**claims()))
    assert result.effect is Effect.ALLOW
    said: Any = result.outputs["resource.document.vdefault#claims"]
    sent = claims()
    for name in ("sub", "aud", "scp", "ext"):
        assert said[name] == sent[name]
    assert said["ext"]["beta"] is False
    assert said["exp"].endswith("Z")


async def test_what_a_claim_says_decides(pdp: CerbosPdp) -> None:
    assert (await ask(pdp, ISSUER.sign(**claims(ext={"org": "other"})))).effect is Effect.DENY


async def test_without_a_token_a_condition_on_its_claims_denies(pdp: CerbosPdp) -> None:
    assert (await ask(pdp, None)).effect is Effect.DENY


async def test_questions_of_one_principal_carry_each_their_own_token(pdp: CerbosPdp) -> None:
    wanted, other = claims(), claims(ext={"org": "other"})
    tokens = [ISSUER.sign(**(wanted if number % 2 else other)) for number in range(10)]
    results = await asyncio.gather(*[ask(pdp, token) for token in tokens])
    assert [result.effect is Effect.ALLOW for result in results] == [False, True] * 5


async def test_the_issuers_clock_may_be_a_little_ahead(pdp: CerbosPdp) -> None:
    now = int(time.time())
    assert (await ask(pdp, ISSUER.sign(**claims(nbf=now + 3, iat=now + 3)))).effect is Effect.ALLOW


NOW = int(time.time())
REFUSED = {
    "expired": (claims(exp=NOW - 60), ISSUER, "hydra"),
    "not valid yet": (claims(nbf=NOW + 600), ISSUER, "hydra"),
    "signed by another": (claims(), Issuer(), "hydra"),
    "of another key set": (claims(), ISSUER, "other"),
    "of no key set": (claims(), ISSUER, "unknown"),
    "of a key set without a name": (claims(), ISSUER, ""),
}


@pytest.mark.parametrize(("said", "issuer", "key_set"), REFUSED.values(), ids=list(REFUSED))
async def test_a_token_that_the_pdp_refuses_is_an_indeterminate_that_does_not_quote_it(
    pdp: CerbosPdp, log: list[Any], said: dict[str, Any], issuer: Issuer, key_set: str
) -> None:
    token = issuer.sign(**said)
    with pytest.raises(PdpRejected) as refused:
        await ask(pdp, token, key_set)
    assert "INVALID_ARGUMENT: it refused the JWT of `aux_data`" in str(refused.value)
    for part in token.split("."):
        assert part not in f"{refused.value!r} {refused.value.__cause__!r} {log!r}"


async def test_a_pdp_without_key_sets_verifies_all_the_same(cerbos: Path, policies: Path) -> None:
    """Nobody gets claims believed because a key set was forgotten."""
    async with (
        EmbeddedPdp(policies, cerbos=cerbos) as embedded,
        CerbosPdp(embedded.target) as pdp,
    ):
        with pytest.raises(PdpRejected):
            await ask(pdp, ISSUER.sign(**claims()))


class _Keys(Handler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(ISSUER.jwks.encode())


@pytest.fixture
def jwks_url() -> Iterator[str]:
    with serving(_Keys) as address:
        yield f"http://{address}/.well-known/jwks.json"


async def test_keys_may_come_from_a_url(cerbos: Path, policies: Path, jwks_url: str) -> None:
    async with (
        EmbeddedPdp(policies, cerbos=cerbos, key_sets={"hydra": jwks_url}) as embedded,
        CerbosPdp(embedded.target) as pdp,
    ):
        assert (await ask(pdp, ISSUER.sign(**claims()))).effect is Effect.ALLOW
