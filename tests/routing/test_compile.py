"""Rules compile into a table, or every problem of every file is told in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from routing.rulebook import answer, compiled, refused

from authorizer.errors import RulesError
from authorizer.model import Effect
from authorizer.routing.compile import compile_rules
from authorizer.routing.reading import Loosening
from authorizer.routing.route import Reads, Require
from authorizer.source.schema import load_schema
from authorizer.source.yaml import load_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SCHEMA = load_schema("authorizer.routing", "rules.schema.json").definition

# The example of the language's reference, as far as the language goes today.
EXAMPLE = """
version: 1
defaults:
  hosts: [api.acme.test]
routes:
  - id: documents.collection
    match: {path: "/orgs/{org}/documents"}
    resource: {kind: document, id: "*", attr: {organization: "${path.org}"}}
    actions: {GET: list, POST: create}
  - id: documents.item
    match: {path: "/orgs/{org}/documents/{id}"}
    resource:
      kind: document
      id: "${path.id}"
      scope: "${path.org}"
      attr: {organization: "${path.org}", tenant: "${headers['x-tenant']}"}
    actions: {GET: view, PATCH: edit, DELETE: delete}
  - id: documents.move
    match: {path: "/orgs/{org}/documents/{id}:move", methods: [POST]}
    require: all
    checks:
      - {resource: {kind: document, id: "${path.id}"}, action: move}
      - {resource: {kind: folder, id: "${query.to}"}, action: add, scope: "a.b"}
  - id: files.download
    match: {path: "/files/{name...}", methods: [GET], encoded_slash: keep}
    resource: {kind: file, id: "${path.name}"}
    action: download
  - id: public.health
    match: {path: /healthz, methods: [GET]}
    effect: allow
  - id: reports
    match: {path: "/reports/{id:int}", methods: [GET]}
    mode: observe
    resource: {kind: report, id: "${path.id}"}
    action: view
"""


def test_the_example_compiles_into_what_it_says() -> None:
    table = compiled(EXAMPLE)
    assert answer(table, "/orgs/acme/documents/7", "HEAD") == "documents.item"
    assert answer(table, "/healthz", host="http://other.test") == "no_route"
    item, move = table.by_id["documents.item"], table.by_id["documents.move"]
    assert item.methods == {"GET", "PATCH", "DELETE"}
    assert set(item.uses.headers) == {"x-tenant"}
    assert not item.uses.reads_query
    assert (move.require, len(move.checks)) == (Require.ALL, 2)
    assert (set(move.uses.query), move.uses.reads_query) == ({"to"}, True)
    assert table.by_id["files.download"].permits == {Loosening.KEEP_SLASH}
    assert table.by_id["public.health"].effect is Effect.ALLOW
    assert table.by_id["reports"].observe


def test_defaults_apply_where_a_route_says_nothing_else() -> None:
    table = compiled("""
    version: 1
    defaults:
      hosts: [a.test]
      mode: observe
      profiles: [kratos]
      case: strict
      suffix: strict
      trailing_slash: ignore
      encoded_slash: split
      empty_segments: allow
      matrix_parameters: keep
    routes:
      - {id: all, match: {path: /a, methods: [GET]}, effect: deny}
      - id: own
        match: {path: /b, methods: [GET], hosts: ["*.b.test"], trailing_slash: strict,
                encoded_slash: keep}
        mode: enforce
        profiles: [hydra, jwt]
        effect: deny
    """)
    all_, own = table.by_id["all"], table.by_id["own"]
    assert [host.text for host in all_.hosts] == ["a.test"]
    assert (all_.observe, set(all_.profiles)) == (True, {"kratos"})
    assert all_.reads == {Reads.CASE_STRICT, Reads.SUFFIX_STRICT, Reads.SLASH_IGNORED}
    assert all_.permits == {
        Loosening.SPLIT_SLASH, Loosening.EMPTY_SEGMENTS, Loosening.MATRIX_PARAMETERS
    }  # fmt: skip
    assert [host.text for host in own.hosts] == [".b.test"]
    assert (own.observe, set(own.profiles)) == (False, {"hydra", "jwt"})
    assert Reads.SLASH_STRICT in own.reads
    assert Reads.SLASH_IGNORED not in own.reads
    assert Loosening.KEEP_SLASH in own.permits
    assert Loosening.SPLIT_SLASH not in own.permits


def test_defaults_are_one_files_own() -> None:
    table = compiled(
        "version: 1\ndefaults: {mode: observe}\nroutes: []",
        "version: 1\nroutes: [{id: a, match: {path: /a, methods: [GET]}, effect: deny}]",
    )
    assert not table.by_id["a"].observe


HEAD = "version: 1\nroutes:\n  - id: a\n    "
GET = "match: {path: /a, methods: [GET]}\n    "
DOC = "{kind: k, id: i}"
PUTS, GETS = (f"{{resource: {DOC}, actions: {{{method}: b}}}}" for method in ("PUT", "GET"))


@pytest.mark.parametrize(
    ("route", "line", "column", "message", "remedy"),
    [
        # the path
        ("match: {path: a, methods: [GET]}\n    effect: deny", 4, 19, "begins with `/`", ""),
        ("match: {path: /a/%41, methods: [GET]}\n    effect: deny", 4, 22, "decoded text", ""),
        ("match: {path: '/a/{x', methods: [GET]}\n    effect: deny", 4, 22, "without its `}`", ""),
        ("match: {path: '/{x}/{x}', methods: [GET]}\n    effect: deny", 4, 24, "twice", ""),
        # hosts
        (f"{GET[:-6]}, hosts: [ok.test, 'http://x']}}\n    effect: deny", 4, 56, "a host name", ""),
        # methods
        ("match: {path: /a}\n    effect: deny", 4, 12, "no methods", 'methods: ["*"]'),
        (f"match: {{path: /a}}\n    resource: {DOC}\n    action: b", 4, 12, "no methods", "all"),
        ("match: {path: /a, methods: [get]}\n    effect: deny", 4, 33, "in capitals", ""),
        ("match: {path: /a, methods: [GET, GET]}\n    effect: deny", 4, 32, "twice", ""),
        (f"{GET}resource: {DOC}\n    actions: {{GET: b}}", 4, 32, "drop one of them", ""),
        (f"{GET}checks: [{{resource: {DOC}, actions: {{PUT: b}}}}]", 5, 13, "the same methods", ""),
        (f"match: {{path: /a}}\n    checks: [{PUTS}, {GETS}]", 5, 13, "the same methods", ""),
        # what is decided with
        (GET, 3, 5, "nothing to decide with", "give it `resource`"),
        (f"{GET}effect: deny\n    resource: {DOC}\n    action: b", 5, 13, "exclude each other", ""),
        (f"{GET}effect: deny\n    action: b", 6, 13, "no PDP is asked", ""),
        (
            f"{GET}checks: [{{resource: {DOC}, action: c}}]\n    action: b",
            6, 13, "each of `checks` has its own", "",
        ),
        (f"{GET}resource: {DOC}", 3, 5, "either `action` or `actions`", ""),
        (
            f"match: {{path: /a}}\n    resource: {DOC}\n    action: b\n    actions: {{GET: b}}",
            3, 5, "either `action` or `actions`", "",
        ),
        (f"{GET}checks: [{{resource: {DOC}}}]", 5, 14, "either `action` or `actions`", ""),
        (
            f"{GET}checks: [{{resource: {DOC[:-1]}, scope: a}}, scope: b, action: c}}]",
            5, 60, "keep one", "",
        ),
        # keys
        (f"{GET}efect: deny", 5, 5, "unknown key `efect`", "did you mean `effect`?"),
        (f"{GET}effect: alow", 5, 13, "expected `allow` or `deny`", "did you mean `allow`?"),
        ("match: {methods: [GET]}\n    effect: deny", 4, 5, "`path` is missing", ""),
        (f"{GET[:-6]}, encoded_slash: allow}}\n    effect: deny", 4, 54, "`keep` or `split`", ""),
        (f"{GET}resource: {{kind: k}}\n    action: b", 5, 5, "`id` is missing", ""),
        (f"{GET}effect: deny\n    profiles: []", 6, 15, "at least 1 item", ""),
        # a value on a line of its own
        (f"{GET}action: b\n    resource:\n      kind: k\n      id: x${{nope}}", 8, 14, "nope", ""),
        (f'{GET}action: "a\\nb"\n    resource: {DOC}', 5, 13, "control character", ""),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_its_place_with_a_remedy(
    route: str, line: int, column: int, message: str, remedy: str
) -> None:
    (problem,) = refused(HEAD + route)
    assert message in problem.message
    assert remedy in problem.hint
    assert (problem.source, problem.line, problem.column) == ("0.yaml", line, column)


@pytest.mark.parametrize(
    ("keys", "column", "message"),
    [
        ("id: '${path.y}'", 24, "there is no `path.y`; there is `path.x`, `path['x-y']`"),
        ("id: '${has(path.y) ? path.x : subject}'", 24, "there is no `path.y`"),
        ("id: 'x${nope}'", 27, "the names are extra, headers, headers_all"),
        ("id: '${subject'", 24, "is not closed"),
        ("id: '${subject + 1}'", 34, "no matching overload"),
        ("id: '${request.port}'", 24, "`request.method`"),
        ("id: '${principal.name}'", 24, "`principal.id`"),
        ("id: \"${headers['X-T']}\"", 24, "in lower case here: `headers['x-t']`"),
        ("id: \"${headers_all['X-T'][0]}\"", 24, "in lower case"),
        ("id: '${headers[subject]}'", 24, "write out which of `headers`"),
        ("id: '${[query].map(q, q.a)[0]}'", 24, "write out which of `query`"),
        ("id: i, attr: {l: ['${extra.map(query, .query[subject])}']}", 38, "write out which"),
        ("id: i, attr: {x: {z: [1, '${nope}']}}", 47, "undeclared reference"),
        ("id: i, attr: {x: \"${b'x'}\"}", 39, "gives a bytes"),
        # what a check is made of must be a string that Cerbos takes
        ("id: ''", 24, "must not be empty"),
        ("id: '${size(subject)}'", 24, "use string(…)"),
        ("id: '${{}}'", 24, "use string(…)"),
        ("id: i, scope: a b", 34, "what Cerbos takes"),
        ("id: i, policy_version: v-1", 43, "what Cerbos takes"),
    ],
)
def test_a_mistake_in_a_resource_is_told_in_its_place(keys: str, column: int, message: str) -> None:
    """… right to one column: that a value stands in quotes is not known any more."""
    match = "match: {path: '/{x}/{x-y}', methods: [GET]}\n    action: b\n    "
    (problem,) = refused(f"{HEAD}{match}resource: {{kind: k,\n{' ' * 19}{keys}}}")
    assert message in problem.message
    assert (problem.line, problem.column) == (7, column)


@pytest.mark.parametrize("name", ["a b", "", "é", "-a", "a\n", "a" * 129, "a/b"])
def test_an_id_is_what_a_header_and_a_metric_can_carry(name: str) -> None:
    text = (
        f"version: 1\nroutes: [{{id: {name!r}, match: {{path: /a, methods: [GET]}}, effect: deny}}]"
    )
    (problem,) = refused(text.replace("'a\\n'", '"a\\n"'))
    assert "at most 128" in problem.message or "must not be empty" in problem.message


def test_all_problems_of_all_files_are_told_at_once_in_the_order_of_the_files() -> None:
    route = "  - {{id: {}, match: {{path: '{}', methods: [GET]}}, effect: deny}}\n"
    start = "version: 1\nroutes:\n"
    files = (
        start + route.format("b", "/b") + route.format("c", "c"),
        "version: 2\nrouts: []\n",
        start + route.format("b", "/d") + route.format("e", "/b") + route.format("f", "/f/{"),
    )
    places = [(problem.source, problem.line) for problem in refused(*files)]
    assert places == sorted(places)
    assert {source for source, _ in places} == {"0.yaml", "1.yaml", "2.yaml"}
    assert {("0.yaml", 4), ("1.yaml", 1), ("2.yaml", 3), ("2.yaml", 4), ("2.yaml", 5)} <= {*places}


def test_a_default_that_is_wrong_is_told_once_whoever_uses_it() -> None:
    route = "{id: %s, match: {path: /%s, methods: [GET]%s}, effect: deny}"
    used = ", ".join(route % (name, name, "") for name in "abc")
    (problem,) = refused(f"version: 1\ndefaults: {{hosts: ['x:80']}}\nroutes: [{used}]")
    assert (problem.line, problem.column) == (2, 20)
    unused = route % ("a", "a", ", hosts: [ok.test]")
    assert len(refused(f"version: 1\ndefaults: {{hosts: ['x:80']}}\nroutes: [{unused}]")) == 1


def test_a_wrong_default_host_does_not_make_its_routes_tie_with_others() -> None:
    route = "version: 1\n%sroutes: [{id: %s, match: {path: /a, methods: [GET]}, effect: deny}]"
    (problem,) = refused(route % ("defaults: {hosts: ['!']}\n", "a"), route % ("", "b"))
    assert "host" in problem.message


@pytest.mark.parametrize(
    "text", ["", "version: 1", "routes: []", "[]", "1", "version: '1'\nroutes: []",
             "version: 1\nroutes: {}", "version: 1\nroutes: [1]"]
)  # fmt: skip
def test_what_is_no_rule_file_is_refused(text: str) -> None:
    assert refused(text)


def test_every_problem_is_printed() -> None:
    with pytest.raises(RulesError) as error:
        compile_rules([load_yaml("version: 2\nroutes: 5", "rules/a.yaml")])
    assert str(error.value).splitlines() == [str(problem) for problem in error.value.problems]
    assert len(error.value.problems) == 2


def test_a_caller_named_twice_is_known_for_every_spelling() -> None:
    table = compiled("""
    version: 1
    routes:
      - id: a
        match: {path: "/a/{x}", methods: [GET]}
        action: "${has(query.b) ? query['c'] : 'd'}"
        resource:
          kind: "k${headers['x-kind']}"
          id: "${extra.l.exists(headers, .headers['x-id'] == headers.b) ? 'a' : path['x']}"
          scope: "${query_all.q[0]}"
          attr: {deep: [{er: "${headers_all['x-all']}"}, "${query.e.size()}"]}
    """)
    uses = table.by_id["a"].uses
    assert uses.query == {"b", "c", "e"}
    assert uses.headers == {"x-kind", "x-id"}
    assert uses.reads_query


def test_a_route_that_reads_no_query_is_not_failed_by_one() -> None:
    table = compiled(EXAMPLE)
    assert not table.by_id["files.download"].uses.reads_query


# ---------------------------------------------------------------- the schema


def objects(node: Any, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:  # noqa: ANN401 - JSON
    if isinstance(node, dict):
        if "properties" in node:
            yield path, node
        for name, inner in node.items():
            yield from objects(inner, f"{path}/{name}")


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(("path", "node"), [*objects(SCHEMA)], ids=lambda value: str(value)[:40])
def test_every_key_is_closed_and_described(path: str, node: Mapping[str, Any]) -> None:
    assert node["additionalProperties"] is False, path
    for name, inner in node["properties"].items():
        definition = inner
        while "description" not in definition and "$ref" in definition:
            definition = SCHEMA["$defs"][definition["$ref"].removeprefix("#/$defs/")]
        assert definition["description"].rstrip(".") != "", f"{path}/{name}"


def test_every_key_about_reading_has_a_meaning() -> None:
    said = {member.value for kind in (Loosening, Reads) for member in kind}
    keys = {key.partition(":")[0] for key in said}
    for key in keys:
        values = {f"{key}: {value}" for value in SCHEMA["$defs"][key]["enum"]}
        assert values == {text for text in said if text.startswith(f"{key}:")}
        for place in ("match", "defaults"):
            node = SCHEMA["$defs"].get(place, SCHEMA["properties"].get(place))
            assert key in node["properties"]


def test_an_expression_is_not_evaluated_at_load() -> None:
    assert not refused(
        f"{HEAD}{GET}action: b\n    resource: {{kind: k, id: '${{extra.nobody.is.here}}'}}"
    )
