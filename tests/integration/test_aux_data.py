"""The caller's JWT, from the caller by way of Oathkeeper to a Cerbos policy."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import served
from jwts import Issuer
from oathkeepers import Oathkeeper, running

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

ISSUER = Issuer()
HYDRA = "https://hydra.acme.test/"
POLICY = """
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  version: default
  resource: document
  rules:
    - actions: [view]
      effect: EFFECT_ALLOW
      roles: [delegate]
      condition:
        match:
          expr: request.auxData.jwt.ext.org == R.attr.organization
"""
PAYLOAD = """{
  "profile": "jwt", "subject": {{ .Subject | toJson }}, "extra": {{ .Extra | toJson }},
  "method": {{ .MatchContext.Method | toJson }}, "url": {{ .MatchContext.URL.String | toJson }}
}"""


class Chain(NamedTuple):
    oathkeeper: Oathkeeper
    authorizer: served.Served


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    """Run Oathkeeper and the authorizer, which verify by one file of keys."""
    with tempfile.TemporaryDirectory(prefix="aux-") as name:
        folder = Path(name)
        (folder / "keys.json").write_text(ISSUER.jwks)
        profile = {
            "shape": "claims",
            "roles": {"from": ["${holder}"]},
            "aux_data": {"jwt": {"key_set": "hydra"}},
        }
        served.prepare(
            folder,
            json.dumps(
                {
                    "server": {"listen": "127.0.0.1:0"},
                    "admin": {"listen": "127.0.0.1:0"},
                    "pdp": {
                        "embedded": {"policies": "policies", "key_sets": {"hydra": "keys.json"}}
                    },
                    "principals": {"profiles": {"jwt": profile}},
                    "log": {"level": "debug"},
                }
            ),
        )
        (folder / "policies" / "document.yaml").write_text(POLICY)
        authorizer = served.Served(folder)
        authorizer.start()
        at = f"http://{authorizer.ready['listen']}"
        jwt = {"jwks_urls": [f"file://{folder / 'keys.json'}"], "allowed_algorithms": ["ES256"]}
        remote = {"remote": f"{at}/authorize", "payload": PAYLOAD}
        config = {
            "authenticators": {"jwt": {"enabled": True, "config": jwt}},
            "authorizers": {"remote_json": {"enabled": True, "config": remote}},
        }
        rule = {
            "authenticators": [{"handler": "jwt"}],
            "authorizer": {"handler": "remote_json"},
            "upstream": {"url": at},
        }
        try:
            with running(folder, config, rule) as oathkeeper:
                yield Chain(oathkeeper, authorizer)
        finally:
            authorizer.end()


def token(org: str, **claims: Any) -> str:  # noqa: ANN401 - JSON
    now = int(time.time())
    said = {"iss": HYDRA, "sub": "ann", "jti": f"token-{org}", "exp": now + 300, "nbf": now}
    return ISSUER.sign(**{**said, "ext": {"org": org}, **claims})


# the status behind /decisions, and by the proxy: the upstream knows no such path
ASKED = [("acme", 200, 404), ("globex", 403, 403)]


@pytest.mark.parametrize(("org", "decided", "proxied"), ASKED)
def test_a_policy_reads_the_token_that_oathkeeper_verified(
    chain: Chain, org: str, decided: int, proxied: int
) -> None:
    headers = {"Authorization": f"Bearer {token(org)}"}
    assert chain.oathkeeper.decide("/orgs/acme/documents/1", headers).status == decided
    assert chain.oathkeeper.get("/orgs/acme/documents/1", headers).status == proxied


def test_a_token_of_another_issuer_is_stopped_by_oathkeeper(chain: Chain) -> None:
    forged = Issuer().sign(iss=HYDRA, sub="ann", ext={"org": "acme"})
    headers = {"Authorization": f"Bearer {forged}"}
    assert chain.oathkeeper.decide("/orgs/acme/documents/1", headers).status == 401


def test_the_token_is_in_no_log_of_ours(chain: Chain) -> None:
    """Whether the PDP takes it, or refuses it for an `iat` that lies ahead."""
    for sent, reason in (
        (token("acme"), "policy_allow"),
        (token("acme", iat=int(time.time()) + 60), "pdp_rejected"),
    ):
        body = served.body(
            profile="jwt",
            extra={"iss": HYDRA, "sub": "ann", "jti": "token-acme", "scp": []},
        )
        answer = chain.authorizer.ask(body, Authorization=f"Bearer {sent}")
        assert answer.reason == reason
        written = (chain.authorizer.folder / "out").read_text() + chain.authorizer.stderr
        for part in sent.split("."):
            assert part not in f"{written}{answer.headers}{answer.body!r}"
