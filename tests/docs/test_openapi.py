"""The description of the service in docs/openapi.yaml, and a running service, say the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import jsonschema
import pytest
import yaml
from docpages import DOCS
from served import Served, body, prepare

from authorizer.contract.outcome import TABLE
from authorizer.model import Reason
from authorizer.pdp.interface import PdpState
from authorizer.server import shared_secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from served import Answer

PAGE: Final = DOCS / "openapi.yaml"
API: Final[Any] = yaml.safe_load(PAGE.read_text("utf-8"))
SCHEMAS: Final = API["components"]["schemas"]


def _responses(path: str, method: str = "get") -> Mapping[str, Any]:
    responses: Mapping[str, Any] = API["paths"][path][method]["responses"]
    return responses


def _statuses_of_reasons() -> Iterator[tuple[str, str, int]]:
    """Yield what the page says: a reason, its outcome, a status."""
    for status, response in _responses("/authorize", "post").items():
        name = response["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        says = SCHEMAS[name]["properties"]
        for reason in says["reason"]["enum"]:
            yield reason, says["outcome"]["const"], int(status)


def _statuses_in_force() -> Iterator[tuple[str, str, int]]:
    for reason, (outcome, status) in TABLE.items():
        for each in (501, 503) if status is None else (status,):
            yield reason.value, outcome.__name__.lower(), each


def test_the_page_has_every_reason_with_its_outcome_and_status_as_the_table_has() -> None:
    assert sorted(_statuses_of_reasons()) == sorted(_statuses_in_force())
    assert SCHEMAS["Reason"]["enum"] == [reason.value for reason in Reason]
    states = SCHEMAS["Detail"]["properties"]["pdp"]["items"]["properties"]["state"]["enum"]
    assert states == [state.value for state in PdpState]


def test_the_secret_goes_where_the_service_looks_for_it() -> None:
    (scheme,) = API["components"]["securitySchemes"].values()
    assert (scheme["in"], scheme["name"]) == ("header", shared_secret.HEADER)


def test_the_question_is_the_schema_that_the_package_ships_and_the_example_fits_it() -> None:
    content = API["paths"]["/authorize"]["post"]["requestBody"]["content"]["application/json"]
    schema = json.loads((PAGE.parent / content["schema"]["$ref"]).read_text("utf-8"))
    jsonschema.validate(content["example"], schema, cls=jsonschema.Draft202012Validator)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    running = Served(prepare(tmp_path_factory.mktemp("openapi")))
    running.start()
    try:
        yield running
    finally:
        running.end()


@pytest.mark.integration
def test_there_are_these_paths_and_methods_alone(served: Served) -> None:
    told = served.get("/nowhere").json["error"]["message"]
    assert told == f"no such path; there are {', '.join(API['paths'])}"
    for path, methods in API["paths"].items():
        allowed = {method.upper() for method in methods}
        wrong = served._answer("DELETE", path)
        assert wrong.status == 405
        assert set(wrong.headers["Allow"].split(", ")) - {"HEAD"} == allowed


@pytest.mark.integration
@pytest.mark.parametrize("path", [path for path in API["paths"] if path != "/authorize"])
def test_what_operators_ask_is_answered_as_the_page_says(served: Served, path: str) -> None:
    fits(served.get(path), _responses(path))


@pytest.mark.integration
@pytest.mark.parametrize(
    ("question", "status"),
    [
        pytest.param(body(), 200, id="a policy allows"),
        pytest.param(body("/open"), 200, id="a route allows"),
        pytest.param(body("/orgs/globex/documents/1"), 403, id="a policy denies"),
        pytest.param(body("/nowhere"), 403, id="no route"),
        pytest.param(body(method=1), 400, id="a wrong type"),
        pytest.param(b"[", 400, id="no JSON"),
        pytest.param(b" " * (1 << 20), 413, id="too large"),
    ],
)
def test_what_oathkeeper_asks_is_answered_as_the_page_says(
    served: Served, question: bytes, status: int
) -> None:
    answer = served.ask(question)
    assert answer.status == status
    fits(answer, _responses("/authorize", "post"))


def fits(answer: Answer, responses: Mapping[str, Any]) -> None:
    """Hold an answer to the page: status, kind, body, headers."""
    response = responses[str(answer.status)]
    if "$ref" in response:
        response = API["components"]["responses"][response["$ref"].rpartition("/")[2]]
    assert answer.headers["Content-Type"] == "application/json"
    _valid(answer.json, response["content"]["application/json"]["schema"])
    for name, header in response.get("headers", {}).items():
        shape = API["components"]["headers"][name] if "$ref" in header else header
        _valid(answer.headers[name], shape["schema"])


def _valid(value: object, schema: Mapping[str, Any]) -> None:
    whole = {**schema, "components": API["components"]}
    jsonschema.validate(value, whole, cls=jsonschema.Draft202012Validator)
