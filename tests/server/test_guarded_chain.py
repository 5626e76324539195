"""A real Oathkeeper and `authorizer serve`, with TLS and a secret between them, as the docs say."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import oathkeepers
import pytest
import trustme
import yaml
from polling import until
from served import EMBEDDED, Served, prepare
from server.credentials import save_pair, save_private

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oathkeepers import Oathkeeper

pytestmark = pytest.mark.integration

DOCS: Final = Path(__file__).parents[2] / "docs" / "oathkeeper.md"
SECRETS: Final = ["1" * 64, "2" * 64]
PAYLOAD: Final = json.dumps(
    {
        "profile": "anonymous",
        "subject": "guest",
        "method": "GET",
        "url": "http://api.acme.test/open",
    }
)


def documented_headers() -> dict[str, str]:
    """Return the headers that docs/oathkeeper.md gives Oathkeeper for the secret."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", DOCS.read_text(), re.DOTALL | re.MULTILINE)
    configurations = [yaml.safe_load(block) for block in blocks]
    (headers,) = [
        found
        for one in configurations
        if isinstance(one, dict) and (found := remote_json(one).get("headers"))
    ]
    return dict(headers)


def remote_json(configuration: dict[str, Any]) -> dict[str, Any]:
    config = configuration.get("authorizers", {}).get("remote_json", {}).get("config", {})
    return dict(config)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA) -> Iterator[Served]:
    folder = prepare(tmp_path_factory.mktemp("guarded"))
    tls = save_pair(folder, authority)
    save_private(folder / "secret", f"{SECRETS[0]}\n".encode())
    (folder / "authorizer.yaml").write_text(
        EMBEDDED.replace("0'}", f"0', shared_secret: secret, tls: {json.dumps(tls)}}}", 1)
    )
    served = Served(folder)
    served.start()
    yield served
    served.end()


@pytest.fixture(scope="module")
def oathkeeper(
    tmp_path_factory: pytest.TempPathFactory, service: Served, authority: trustme.CA
) -> Iterator[Oathkeeper]:
    folder = tmp_path_factory.mktemp("oathkeeper")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    remote = f"https://{service.ready['listen']}/authorize"
    settings = {"remote": remote, "payload": "{}", "headers": documented_headers()}
    config = {
        "authenticators": {"anonymous": {"enabled": True, "config": {"subject": "guest"}}},
        "authorizers": {"remote_json": {"enabled": True, "config": settings}},
    }
    rule = {
        "authenticators": [{"handler": "anonymous"}],
        "authorizer": {"handler": "remote_json", "config": {"payload": PAYLOAD}},
        "upstream": {"url": remote},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "AUTHORIZER_SECRET", SECRETS[0])
        patch.setitem(os.environ, "SSL_CERT_FILE", str(folder / "ca.pem"))
        with oathkeepers.running(folder, config, rule) as running:
            yield running


def statuses(service: Served, content: str, oathkeeper: Oathkeeper) -> int:
    """Save the file of the secret, and return what a caller gets once that counts."""
    before = len(service.events("credentials.reloaded"))
    save_private(service.folder / "secret", content.encode())
    until(lambda: len(service.events("credentials.reloaded")) > before)
    return oathkeeper.decide("/x", {}).status


def test_the_caller_of_an_oathkeeper_that_knows_the_secret_is_answered(
    oathkeeper: Oathkeeper,
) -> None:
    assert oathkeeper.decide("/x", {}).status == 200


def test_the_secret_is_exchanged_while_everybody_is_answered(
    service: Served, oathkeeper: Oathkeeper
) -> None:
    old, new = SECRETS
    assert statuses(service, f"{new}\n{old}\n", oathkeeper) == 200
    assert statuses(service, f"{new}\n", oathkeeper) == 500
    # What a caller sends himself does not get through.
    assert oathkeeper.decide("/x", {"X-Authorizer-Secret": new}).status == 500
    decisions = "authorization.decision"
    until(lambda: service.events(decisions)[-1]["reason"] == "bad_shared_secret")
    assert statuses(service, f"{old}\n", oathkeeper) == 200
    log = (service.folder / "out").read_text() + service.stderr
    assert not any(secret in log for secret in SECRETS)


def test_a_renewed_certificate_counts_and_nobody_is_refused_meanwhile(
    service: Served, oathkeeper: Oathkeeper, authority: trustme.CA
) -> None:
    before = len(service.events("credentials.reloaded"))
    save_pair(service.folder, authority)

    def is_renewed() -> bool:
        assert oathkeeper.decide("/x", {}).status == 200
        return len(service.events("credentials.reloaded")) > before

    until(is_renewed)
    assert oathkeeper.decide("/x", {}).status == 200
    assert service.metric('authorizer_credentials_last_reload_success{setting="server.tls"}') == 1
