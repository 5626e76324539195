"""docs/step-up.md and docs/ory-network.md show what a real Oathkeeper takes, and does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar, Final

import pytest
from docpages import blocks
from httpstub import Handler, serving
from oathkeepers import Oathkeeper, running

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

BROWSER: Final = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SESSION: Final = {"Cookie": "ory_kratos_session=ann"}


class _Everybody(Handler):
    """Stands for Kratos, for the authorizer, and for the application behind both."""

    answers: ClassVar = {"/orgs/acme/exports": 403, "/orgs/acme/down": 501}

    def do_GET(self) -> None:
        known = "ory_kratos_session=ann" in self.headers.get("Cookie", "")
        is_session = self.path == "/sessions/whoami"
        self._answer(401 if is_session and not known else 200, {"identity": {"id": "ann"}})

    def do_POST(self) -> None:
        if self.path != "/authorize":
            self._answer(200, {})
            return
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        path = asked["url"].split("/", 3)[3].partition("?")[0]
        self._answer(self.answers.get(f"/{path}", 200), {})

    def _answer(self, status: int, body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@pytest.fixture(scope="module")
def stub() -> Iterator[str]:
    with serving(_Everybody) as address:
        yield address


@pytest.fixture(scope="module")
def oathkeeper(stub: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oathkeeper]:
    """Run Oathkeeper with what both pages show."""
    (network,) = blocks("ory-network.md")
    handlers, entries = (block["errors"] for block in blocks("step-up.md") if "errors" in block)
    whoami = {"check_session_url": f"http://{stub}/sessions/whoami"}
    cookie = network["authenticators"]["cookie_session"]["config"] | whoami
    authorizer = {"remote": f"http://{stub}/authorize", "payload": "{}"}
    config = {
        "authenticators": network["authenticators"],
        "authorizers": {"remote_json": {"enabled": True, "config": authorizer}},
        "errors": handlers,
    }
    payload = '{"url": {{ .MatchContext.URL.String | toJson }}}'
    rule = {
        "authenticators": [
            {"handler": "cookie_session", "config": cookie | {"only": ["ory_kratos_session"]}}
        ],
        "authorizer": {"handler": "remote_json", "config": {"payload": payload}},
        "errors": entries,
        "upstream": {"url": f"http://{stub}"},
    }
    with running(tmp_path_factory.mktemp("oathkeeper"), config, rule) as found:
        yield found


LOGIN = "https://auth.acme.test/self-service/login/browser?return_to={}%2Forgs%2Facme%2F"
FORBIDDEN = "https://app.acme.test/forbidden?return_to={}%2Forgs%2Facme%2F"
JSON = {"Accept": "application/json"}
# how it asks for which path; the status, and where it is sent
SENT: list[tuple[str, dict[str, str], int, str]] = [
    ("/orgs/acme/plans?y=1", BROWSER, 302, f"{LOGIN}plans%3Fy%3D1"),
    ("/orgs/acme/exports", BROWSER | SESSION, 302, f"{FORBIDDEN}exports"),
    ("/orgs/acme/plans", BROWSER | SESSION, 200, ""),
    ("/orgs/acme/down", BROWSER | SESSION, 500, ""),
    ("/orgs/acme/plans", JSON, 401, ""),
    ("/orgs/acme/plans", {"Accept": "*/*"}, 401, ""),
    ("/orgs/acme/plans", {}, 401, ""),
    ("/orgs/acme/exports", JSON | SESSION, 403, ""),
]


@pytest.mark.parametrize(("target", "headers", "status", "location"), SENT)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_browsers_are_sent_on_and_programs_get_a_status(
    oathkeeper: Oathkeeper,
    method: str,
    target: str,
    headers: dict[str, str],
    status: int,
    location: str,
) -> None:
    host = f"http%3A%2F%2F127.0.0.1%3A{oathkeeper.proxy}"
    reply = oathkeeper.get(target, headers, method)
    assert (reply.status, reply.location) == (status, location.format(host))
    if status >= 400:
        assert json.loads(reply.body)["error"]["code"] == status
