"""A rule that can err for want of an attribute is found, and one that cannot is left alone."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authorizer.errors import ExpressionError
from authorizer.expressions.cel import Bindings, Type, Vocabulary
from authorizer.lint.attributes import Attributes
from authorizer.lint.celtree import parse
from authorizer.lint.conditions import Condition, Expression, Scope
from authorizer.lint.foreign import load_foreign
from authorizer.lint.strict import World
from authorizer.lint.view import whole
from authorizer.principals.profiles import Profile, Roles, Shape
from authorizer.source.document import Place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lintfolder import Folder

SCHEMA = {
    "properties": {
        "traits": {
            "properties": {
                "org": {"type": "string"},
                "level": {"type": "integer"},
                "other": {"type": "integer"},
                "home": {"type": "object", "properties": {"city": {"type": "string"}}},
                "tags": {"type": "array", "items": {"type": "string"}},
                "zip-code": {"type": "string"},
                "nick": {"type": ["string", "null"]},
                "teams": {"type": ["array", "null"], "items": {"type": "string"}},
                "boss": {"type": ["object", "null"], "properties": {"id": {"type": "string"}}},
            },
            "required": ["org", "nick", "teams", "boss"],
            "additionalProperties": False,
        }
    }
}
VARIABLES = {
    "is_cleared": "P.attr.level > 2",
    "has_level": "has(P.attr.level)",
    "is_safe": "has(P.attr.level) && P.attr.level > 2",
    "level": "P.attr.level",
    "nick": "P.attr.nick",
}
E = dict[str, str]


def expr(text: str) -> E:
    return {"expr": text}


def tree(kind: str, *texts: str) -> dict[str, object]:
    return {kind: {"of": [expr(text) for text in texts]}}


# A condition, and whether it errs for a person who has no optional trait, and else null where that
# may be: `org` is the only one with a value.
CONDITIONS: list[tuple[Mapping[str, object], bool]] = [
    (expr("P.attr.level > 2"), True),
    (expr("P.attr.org == 'a'"), False),
    (expr("has(P.attr.level) && P.attr.level > 2"), False),
    # The order is nothing to CEL.
    (expr("P.attr.level > 2 && has(P.attr.level)"), False),
    (expr("'level' in P.attr && P.attr.level > 2"), False),
    (expr("!has(P.attr.level) || P.attr.level > 2"), False),
    (expr("!(has(P.attr.level) && P.attr.level > 2)"), False),
    (expr("has(P.attr.level) || P.attr.level > 2"), True),
    (expr("has(P.attr.other) && P.attr.level > 2"), False),
    (expr("has(P.attr.level) ? P.attr.level > 2 : false"), False),
    (expr("has(P.attr.level) ? true : P.attr.level > 2"), True),
    (expr("P.attr.level > 2 || true"), False),
    (expr("P.attr.level > 2 && false"), False),
    (expr("P.attr.level > 2 && true"), True),
    (expr("R.attr.open == true && P.attr.level > 2"), True),
    (expr("R.attr.open != true && P.attr.level > 2"), False),
    (expr("P.attr.?level.orValue(0) > 2"), False),
    (expr("has(P.attr.home.city)"), True),
    (expr("has(P.attr.home) && has(P.attr.home.city) && P.attr.home.city == 'a'"), False),
    (expr("P.attr.tags.exists(t, t == 'a')"), True),
    (expr("has(P.attr.tags) && P.attr.tags.exists(t, t == 'a')"), False),
    (expr("[1].exists(n, P.attr.level > n)"), True),
    (expr("[1].all(n, has(P.attr.level) && P.attr.level > n)"), False),
    (expr("'zip-code' in P.attr && P.attr['zip-code'] == '1'"), False),
    (expr("P.attr['zip-code'] == '1'"), True),
    (expr("has(P.attr.level) && V.is_cleared"), False),
    (expr("V.has_level && V.is_cleared"), False),
    (expr("V.has_level && V.level > 2"), False),
    (expr("V.is_cleared"), True),
    (expr("V.is_safe"), False),
    (expr("cel.bind(level, P.attr.level, level > 2)"), True),
    (expr("'admin' in P.roles && P.attr.level > 2"), False),
    (expr("'user' in P.roles && P.attr.level > 2"), True),
    (expr("P.attr.auth.profile == 'hydra' && P.attr.level > 2"), False),
    (expr("P.attr.auth.profile in ['kratos'] && P.attr.level > 2"), True),
    (expr("P.attr.auth.profile != 'kratos' && P.attr.level > 2"), False),
    (tree("all", "has(P.attr.level)", "P.attr.level > 2"), False),
    (tree("all", "P.attr.level > 2", "has(P.attr.level)"), True),
    (tree("any", "!has(P.attr.level)", "P.attr.level > 2"), False),
    (tree("any", "P.attr.level > 2", "!has(P.attr.level)"), True),
    (tree("none", "!has(P.attr.level)", "P.attr.level > 2"), False),
    (tree("none", "has(P.attr.level)", "P.attr.level > 2"), True),
    ({"all": {"of": [tree("any", "has(P.attr.level)"), expr("P.attr.level > 2")]}}, False),
    (expr("P.attr.nick == 'a' || P.attr.nick != 'a' || P.attr.nick in ['a']"), False),
    (expr("P.attr.nick == P.attr.org"), False),
    (expr("P.attr.nick > 'a'"), True),
    (expr("P.attr.nick.startsWith('a')"), True),
    (expr("P.attr.nick.lowerAscii() == 'a'"), True),
    (expr("P.attr.nick.size() > 1"), True),
    (expr("size(P.attr.nick) > 1"), True),
    (expr("P.attr.nick + 'a' == 'a'"), True),
    (expr("timestamp(P.attr.nick) < now()"), True),
    (expr("duration(P.attr.nick) < duration('1h')"), True),
    (expr("int(P.attr.nick) == 1"), True),
    (expr("has(P.attr.nick) && P.attr.nick.startsWith('a')"), True),
    (expr("P.attr.nick != null && P.attr.nick.startsWith('a')"), False),
    (expr("null != P.attr.nick && P.attr.nick.startsWith('a')"), False),
    (expr("P.attr.nick == null || P.attr.nick.startsWith('a')"), False),
    (expr("P.attr.nick == null ? true : P.attr.nick.startsWith('a')"), False),
    (expr("P.attr.nick == 'a' && P.attr.nick.startsWith('a')"), False),
    (expr("P.attr.nick != 'a' && P.attr.nick.startsWith('a')"), True),
    (expr("V.nick.startsWith('a')"), True),
    (expr("V.nick != null && V.nick.startsWith('a')"), False),
    (expr("'a' in P.attr.teams"), True),
    (expr("P.attr.teams != null && 'a' in P.attr.teams"), False),
    (expr("hasIntersection(P.attr.teams, ['a'])"), True),
    (expr("P.attr.teams.exists(t, t == 'a')"), True),
    (expr("P.attr.boss.id == 'a'"), True),
    (expr("has(P.attr.boss.id)"), False),
    (expr("P.attr.boss != null && has(P.attr.boss.id) && P.attr.boss.id == 'a'"), False),
    (tree("all", "P.attr.nick != null", "P.attr.nick.startsWith('a')"), False),
]
# What depends on more than the one attribute is told though this person is spared.
SPARED = [
    {"expr": "has(P.attr.other) && P.attr.level > 2"},
    {"expr": "R.attr.open != true && P.attr.level > 2"},
    {"expr": "'admin' in P.roles && P.attr.level > 2"},
]


def document(
    match: Mapping[str, object], action: str = "view", **more: object
) -> dict[str, object]:
    allow = {"actions": [action], "effect": "EFFECT_ALLOW", "roles": ["user"]}
    return {
        "resource": "document",
        "version": "default",
        "variables": {"local": VARIABLES},
        "rules": [allow, {**allow, "condition": {"match": match}, **more}],
    }


def unguarded(folder: Folder) -> list[tuple[str, str]]:
    folder.write("identity.json", json.dumps(SCHEMA))
    return [
        (finding.message.partition(", and a rule")[0], finding.help)
        for finding in folder.lint()
        if finding.code == "unguarded-attribute"
    ]


@pytest.mark.parametrize(("match", "errs"), CONDITIONS, ids=str)
def test_a_condition_that_can_err_is_found(
    folder: Folder, match: Mapping[str, object], *, errs: bool
) -> None:
    folder.policy("document.json", resourcePolicy=document(match))
    folder.asks()
    assert bool(unguarded(folder)) is (errs or match in SPARED)


@pytest.mark.integration
def test_a_strict_pdp_errs_where_lint_says_so(tmp_path: Path) -> None:
    own = Path(__file__).parents[2] / ".tools" / "bin" / "cerbos"
    cerbos = str(own) if own.exists() else shutil.which("cerbos")
    assert cerbos is not None, "run `make setup`: cerbos is not installed"
    tests, resources = [], {}
    for number, (match, errs) in enumerate(CONDITIONS):
        kind = f"kind{number}"
        # An action for each: Cerbos 0.55 takes `all` for `any` elsewhere (test_confusion.py).
        action = f"view{number}"
        policy = document(match, action) | {"resource": kind}
        (tmp_path / f"{kind}.json").write_text(
            json.dumps({"apiVersion": "api.cerbos.dev/v1", "resourcePolicy": policy})
        )
        resources[kind] = {"kind": kind, "id": "1", "attr": {"open": True}}
        expected = {
            "principal": "ada",
            "resource": kind,
            # The first rule allows everybody: only an error denies.
            "actions": {action: "EFFECT_DENY" if errs else "EFFECT_ALLOW"},
        }
        asked = {"principals": ["ada"], "resources": [kind], "actions": [action]}
        tests.append({"name": f"{match}", "input": asked, "expected": [expected]})
    attr = {"org": "a", "nick": None, "teams": None, "boss": None, "auth": {"profile": "kratos"}}
    ada = {"id": "ada", "roles": ["user"], "attr": attr}
    suite = {"name": "s", "principals": {"ada": ada}, "resources": resources, "tests": tests}
    (tmp_path / "strict_test.json").write_text(json.dumps(suite))
    done = subprocess.run(
        [cerbos, "compile", "--strict-evaluation", "--output=json", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["summary"]["testsCount"] == len(CONDITIONS)


ATOMS = st.sampled_from(
    [
        "has(P.attr.level)",
        "'level' in P.attr",
        "P.attr.level > 2",
        "P.attr.level == R.attr.open",
        "R.attr.open",
        "has(R.attr.open)",
        "P.attr.auth.profile == 'kratos'",
        "P.attr.auth.profile in ['hydra']",
        "'user' in P.roles",
        "[1, 2].exists(n, P.attr.level == n)",
        "true",
        "false",
    ]
)
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: (
        st.builds("({} && {})".format, inner, inner)
        | st.builds("({} || {})".format, inner, inner)
        | st.builds("!({})".format, inner)
        | st.builds("({} ? {} : {})".format, inner, inner, inner)
    ),
    max_leaves=8,
)
PLACE = Place("policy.yaml", 1, 1)
PERSON = Profile("kratos", Shape.SESSION, Roles(always=("user",)))
PEOPLE = World(Attributes(None), PERSON, ("level",))


def read_expression(text: str) -> Expression:
    [document] = load_foreign(json.dumps(text), "policy.yaml")
    return Expression(text, whole(document), parse(text))


CEL = Vocabulary({"P": Type.ANY, "R": Type.ANY})


@given(EXPRESSIONS)
def test_whatever_errs_for_someone_without_the_trait_is_found(text: str) -> None:
    """The judge is CEL itself, for a person without `level` and any resource."""
    expression = CEL.compile(text)
    person = {"roles": ["user"], "attr": {"org": "a", "auth": {"profile": "kratos"}}}
    errs = False
    for is_open in (True, False):
        names = {"P": person, "R": {"attr": {"open": is_open}}}
        try:
            expression.evaluate(Bindings(names))
        except ExpressionError:
            errs = True
    condition = Condition("expr", PLACE, expression=read_expression(text))
    found = PEOPLE.outcome(condition, Scope())
    assert bool(found.errors) or not errs
    # What never errs by the letter is never told: where nothing of the resource is asked.
    if "R.attr.open" not in text:
        assert bool(found.errors) is errs


def derived(match: Mapping[str, object], *parents: str) -> dict[str, object]:
    role = {"name": "member", "parentRoles": list(parents), "condition": {"match": match}}
    return {"name": "d", "definitions": [role]}


def test_a_derived_role_guards_the_rules_that_it_is_for(folder: Folder) -> None:
    rule = document(expr("P.attr.level > 2"), roles=[], derivedRoles=["member"])
    folder.policy("document.json", resourcePolicy=rule | {"importDerivedRoles": ["d"]})
    folder.policy("d.json", derivedRoles=derived(expr("has(P.attr.level)"), "user"))
    folder.asks()
    assert unguarded(folder) == []
    folder.policy("d.json", derivedRoles=derived(expr("has(P.attr.other)"), "user"))
    assert [message for message, _ in unguarded(folder)] == ["`P.attr.level` is not always there"]


def test_a_derived_role_that_errs_is_found(folder: Folder) -> None:
    rule = document(expr("true"), roles=[], derivedRoles=["member"])
    folder.policy("document.json", resourcePolicy=rule | {"importDerivedRoles": ["d"]})
    folder.policy("d.json", derivedRoles=derived(expr("P.attr.level > 2"), "user"))
    folder.asks()
    assert len(unguarded(folder)) == 1
    folder.policy("d.json", derivedRoles=derived(expr("P.attr.level > 2"), "nobody-has-this"))
    assert len(unguarded(folder)) == 1, "an administrator may write any role"


@pytest.mark.parametrize(
    ("roles", "expression", "message"),
    [
        # Tokens and nobody have no traits, and some say nothing of a session.
        (["user", "anonymous"], "P.attr.org == 'a'", "`P.attr.org` is never there for `anonymous`"),
        (
            ["client"],
            "P.attr.org == 'a'",
            "`P.attr.org` is never there for `hydra`, `jwt`, `client`",
        ),
        (["user"], "P.attr.org == 'a'", None),
        (["*"], "P.attr.auth.profile == 'kratos' && P.attr.org == 'a'", None),
        (["user"], "P.attr.auth.session.aal == 'aal2'", None),
        (
            ["delegate"],
            "'a' in P.attr.auth.scopes",
            None,
        ),
        (["anonymous"], "P.attr.auth.profile == 'hydra' && 'a' in P.attr.auth.scopes", None),
        (["delegate"], "has(P.attr.auth.scopes) && 'a' in P.attr.auth.scopes", None),
        (
            ["delegate"],
            "has(P.attr.auth.claims) && P.attr.auth.claims.org == 'a'",
            "`P.attr.auth.claims.org` is not always there",
        ),
        (
            ["user"],
            "P.attr.auth.identity.metadata_public.level == 2",
            "`P.attr.auth.identity.metadata_public.level` is not always there",
        ),
    ],
)
def test_who_has_the_roles_of_a_rule_decides_what_is_there(
    folder: Folder, roles: list[str], expression: str, message: str | None
) -> None:
    folder.policy("document.json", resourcePolicy=document(expr(expression), roles=roles))
    folder.asks()
    assert [text for text, _ in unguarded(folder)] == ([message] if message else [])


def test_what_may_be_null_is_told_with_what_to_ask(folder: Folder) -> None:
    """A recent login, as one would write it first: Kratos may not say when it was."""
    at = "P.attr.auth.session.authenticated_at"
    text = f"timestamp({at}) > now() - duration('15m')"
    folder.policy("document.json", resourcePolicy=document(expr(text)))
    folder.asks()
    assert unguarded(folder) == [(f"`{at}` may be null", f"ask first: {at} != null && …")]
    guarded = document(expr(f"{at} != null && {text}"))
    folder.policy("document.json", resourcePolicy=guarded)
    assert unguarded(folder) == []


@pytest.mark.parametrize(
    ("roles", "expression", "guards"),
    [
        (
            ["user", "client"],
            "P.attr.auth.session.aal == 'aal2'",
            "has(P.attr.auth.session) && has(P.attr.auth.session.aal)",
        ),
        (
            ["user", "delegate"],
            "P.attr.auth.claims.org == 'a'",
            "has(P.attr.auth.claims) && has(P.attr.auth.claims.org)",
        ),
        (["user"], "P.attr.home.city == 'a'", "has(P.attr.home) && has(P.attr.home.city)"),
        (["user"], "P.attr.level > 2", "has(P.attr.level)"),
        (["user"], "P.attr['zip-code'] == '1'", '"zip-code" in P.attr'),
        (["user"], "has(P.attr.home.city) && R.attr.open", "has(P.attr.home)"),
    ],
)
def test_the_help_is_all_that_it_takes(
    folder: Folder, roles: list[str], expression: str, guards: str
) -> None:
    """What is put in front of the condition once need not be followed by a second guard."""
    folder.policy("document.json", resourcePolicy=document(expr(expression), roles=roles))
    folder.asks()
    assert {help_ for _, help_ in unguarded(folder)} == {
        f"ask first whether it is there: {guards} && …"
    }
    guarded = expr(f"{guards} && {expression}")
    folder.policy("document.json", resourcePolicy=document(guarded, roles=roles))
    assert unguarded(folder) == []


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("P.attr.nick.startsWith('a')", "nick"),
        ("P.attr.teams.exists(t, t == 'a')", "teams"),
        ("P.attr.boss.id == 'a'", "boss"),
    ],
)
def test_it_is_the_null_itself_that_is_asked_for(
    folder: Folder, expression: str, name: str
) -> None:
    folder.policy("document.json", resourcePolicy=document(expr(expression)))
    folder.asks()
    nulls = [pair for pair in unguarded(folder) if "null" in pair[0]]
    assert nulls == (
        []
        if name == "boss"  # its member may be missing too, and that is told first
        else [(f"`P.attr.{name}` may be null", f"ask first: P.attr.{name} != null && …")]
    )


def test_only_profiles_that_payloads_name_are_thought_of(folder: Folder) -> None:
    rule = document(expr("P.attr.org == 'a'"), roles=["*"])
    folder.policy("document.json", resourcePolicy=rule)
    folder.asks()
    assert [text for text, _ in unguarded(folder)] == [
        "`P.attr.org` is never there for `hydra`, `jwt`, `client`, `anonymous`"
    ]
    folder.access_rule("https://api.test/documents/<[a-z]+>")
    assert unguarded(folder) == []


def test_what_a_profile_adds_is_there_for_it_alone(folder: Folder) -> None:
    folder.write(
        "authorizer.yaml",
        """\
        principals:
          profiles:
            kratos: {shape: session, roles: {always: [user]}, attr: {region: "${extra.id}"}}
            staff: {shape: session, roles: {always: [staff]}}
        """,
    )
    folder.policy("d.json", resourcePolicy=document(expr("P.attr.region == 'a'")))
    folder.asks()
    assert unguarded(folder) == []


@pytest.mark.parametrize(
    ("expression", "help_"),
    [
        ("P.attr.level > 2", "ask first whether it is there: has(P.attr.level) && …"),
        ("P.attr['zip-code'] == ''", 'ask first whether it is there: "zip-code" in P.attr && …'),
    ],
)
def test_the_remedy_can_be_copied(folder: Folder, expression: str, help_: str) -> None:
    folder.policy("document.json", resourcePolicy=document(expr(expression)))
    folder.asks()
    assert [text for _, text in unguarded(folder)] == [help_]


def test_an_output_that_errs_denies_nobody(folder: Folder) -> None:
    rule = document(expr("true"), output={"when": {"ruleActivated": "P.attr.level"}})
    folder.policy("document.json", resourcePolicy=rule)
    folder.asks()
    assert unguarded(folder) == []
