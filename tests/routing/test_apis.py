"""Real APIs, written as rules as they are: each of their operations reaches its own route.

`apis/` has the 1,589 operations of four, nothing of them but method and path: paths that share long
beginnings, with `{id}:verb`, `{a}.{b}` and `{id}.json` beside `{id}`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from routing.rulebook import ask, compiled, refused
from served import FREE_PORTS, Served, body, prepare

from authorizer.routing.table import Matched

if TYPE_CHECKING:
    import http.client
    from collections.abc import Iterator

APIS: Final = sorted((Path(__file__).parent / "apis").glob("*.txt"))
# No route asks it, so that nobody has to answer there.
NO_PDP: Final = FREE_PORTS + "pdp: {endpoints: ['127.0.0.1:9'], insecure_plaintext: true}\n"
# What the language cannot say as the API does: `current.{format}` and `{user_id}.{format}` tie, as
# both are text and captures, and `current.json` fits both. With each format written out, the
# first is a literal, and wins.
TIES: Final = {
    "/projects/{project_id}/wiki/index.{format}",
    "/users/current.{format}",
}
FORMATS: Final = ("json", "xml")


@dataclass(frozen=True)
class Operation:
    """One operation of an API, as a rule has it."""

    id: str
    method: str
    path: str

    @property
    def values(self) -> dict[str, str]:
        """A value for each capture, different ones for different captures."""
        names = re.findall(r"\{([^}]*)\}", self.path)
        return {name: "json" if name == "format" else f"{name}-7" for name in names}

    @property
    def url_path(self) -> str:
        return self.path.format(**self.values)


def operations(file: Path) -> list[Operation]:
    lines = [line.split() for line in file.read_text().splitlines() if not line.startswith("#")]
    written = [
        (method, path.replace("{format}", text))
        for method, path in lines
        for text in (FORMATS if path in TIES else ("{format}",))
    ]
    return [
        Operation(f"{method.lower()}.{number}", method, path)
        for number, (method, path) in enumerate(written)
    ]


def rules(chosen: list[Operation]) -> str:
    routes = [
        {"id": one.id, "match": {"path": one.path, "methods": [one.method]}, "effect": "allow"}
        for one in chosen
    ]
    return json.dumps({"version": 1, "routes": routes})


@pytest.fixture(params=APIS, ids=lambda file: file.stem)
def api(request: pytest.FixtureRequest) -> list[Operation]:
    return operations(request.param)


@pytest.fixture
def served(api: list[Operation], tmp_path: Path) -> Iterator[Served]:
    prepare(tmp_path, NO_PDP)
    (tmp_path / "rules" / "a.yaml").write_text(rules(api))
    it = Served(tmp_path)
    it.start()
    try:
        yield it
    finally:
        it.end()


def replayed(connection: http.client.HTTPConnection, operation: Operation) -> tuple[int, str]:
    """Return the status and the route that the authorizer answers an operation with."""
    content = body(operation.url_path, method=operation.method)
    connection.request("POST", "/authorize", content, {"Content-Type": "application/json"})
    response = connection.getresponse()
    response.read()
    return response.status, response.headers["X-Authorizer-Route"]


def test_each_operation_of_a_real_api_reaches_its_own_route_through_serve(
    api: list[Operation], served: Served
) -> None:
    connection = served.connection()
    try:
        answers = {operation: replayed(connection, operation) for operation in api}
    finally:
        connection.close()
    assert answers == {operation: (200, operation.id) for operation in api}


def test_each_capture_of_an_operation_is_what_its_path_says_there(api: list[Operation]) -> None:
    table = compiled(rules(api))
    for operation in api:
        found = ask(table, operation.url_path, operation.method)
        assert isinstance(found, Matched), operation
        assert (found.route.id, found.path) == (operation.id, operation.values)


def test_the_apis_have_what_is_hard() -> None:
    paths = [operation.path for file in APIS for operation in operations(file)]
    assert len(paths) > 1_500
    assert sum(re.search(r"\}:\w+$", path) is not None for path in paths) > 400
    assert sum(re.search(r"\}\.\{", path) is not None for path in paths) > 40
    assert sum(re.search(r"\}\.json$", path) is not None for path in paths) > 90
    assert max(path.count("/") for path in paths) > 15


def test_what_is_written_otherwise_than_in_the_api_could_not_be_loaded_as_it_is() -> None:
    (redmine,) = [file for file in APIS if file.stem == "redmine"]
    lines = [line.split() for line in redmine.read_text().splitlines()[1:]]
    written = [Operation(f"r{n}", method, path) for n, (method, path) in enumerate(lines)]
    ties = refused(rules(written))
    assert len(ties) == len(TIES)
    assert all("a segment may fit both" in problem.message for problem in ties)
    assert refused(rules([one for one in written if one.path not in TIES])) == []
