"""From suite files to cases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from authorizer.errors import MalformedRequest, SourceError
from authorizer.source.schema import did_you_mean, load_schema
from authorizer.source.yaml import read_yaml
from authorizer.suites.case import Case
from authorizer.suites.identities import NOBODY, Identity, make_identity
from authorizer.suites.question import DEFAULT_HOST, pose

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from authorizer.errors import Problem
    from authorizer.routing.table import RouteTable
    from authorizer.source.document import Document


def read_suites(
    files: Sequence[Path], identities: Mapping[str, Identity], routes: RouteTable
) -> list[Case]:
    """Return all cases, in the order of the files; raises SourceError with every problem.

    A route that is expected and that no rule has is one: it would never be reached.
    """
    schema = load_schema("authorizer.suites", "tests.schema.json")
    problems: list[Problem] = []
    cases: list[Case] = []
    for file in files:
        try:
            document = read_yaml(file)
            schema.check(document)
        except SourceError as error:
            problems += error.problems
        else:
            cases += _Reader(document, identities, routes, problems).cases()
    if problems:
        raise SourceError(problems)
    return cases


class _Reader:
    """Reads the cases of one suite, which fits the schema, and collects what is wrong."""

    def __init__(
        self,
        document: Document,
        identities: Mapping[str, Identity],
        routes: RouteTable,
        problems: list[Problem],
    ) -> None:
        self.document = document
        self.identities = identities
        self.routes = routes
        self.problems = problems

    def cases(self) -> Iterator[Case]:
        """Yield the cases that could be read."""
        suite: Any = self.document.value
        defaults = suite.get("defaults", {})
        for number, raw in enumerate(suite["cases"]):
            case = self._case(raw, ("cases", number), defaults)
            if case is not None:
                yield case

    def _case(
        self, raw: Mapping[str, Any], path: tuple[str | int, ...], defaults: Mapping[str, Any]
    ) -> Case | None:
        request, expected = raw["request"], raw["expect"]
        where = (*path, "as") if "as" in raw else ("defaults", "as")
        identity = self._identity(raw.get("as", defaults.get("as")), where)
        self._look_at_route(expected.get("route"), (*path, "expect", "route"))
        try:
            asked = pose(
                identity,
                request["method"],
                request["url"],
                host=defaults.get("host", DEFAULT_HOST),
                headers=request.get("headers"),
                more={key: request[key] for key in ("raw_path", "forwarded_uri") if key in request},
            )
        except MalformedRequest as error:
            inside = [token for token in error.pointer.split("/") if token]
            message = f"the server would refuse this as malformed: {error}"
            self.problems.append(self.document.problem((*path, "request", *inside), message))
            return None
        return Case(
            name=raw.get("name", f"{asked.method} {request['url']}"),
            place=self.document.place(path),
            request=asked,
            expected=expected,
        )

    def _identity(
        self, named: str | Mapping[str, Any] | None, path: Sequence[str | int]
    ) -> Identity:
        if named is None:
            return NOBODY
        if not isinstance(named, str):
            return make_identity(named)
        if named not in self.identities:
            message = f"there is no identity `{named}`"
            hint = did_you_mean(named, self.identities) or "write it into identities.yaml"
            self._complain(path, message, hint)
        return self.identities.get(named, NOBODY)

    def _look_at_route(self, expected: str | None, path: Sequence[str | int]) -> None:
        if expected is not None and expected not in self.routes.by_id:
            message = f"there is no route `{expected}`"
            self._complain(path, message, did_you_mean(expected, self.routes.by_id))

    def _complain(self, path: Sequence[str | int], message: str, hint: str) -> None:
        problem = self.document.problem(path, message, hint)
        # What stands under `defaults` is looked at for every case.
        if problem not in self.problems:
            self.problems.append(problem)
