"""What policies read of a principal is held to what principals are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from lintfolder import Folder

    from authorizer.lint.finding import Finding

TEAM = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "level": {"type": "integer"}},
    "required": ["name"],
}
TRAITS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "org": {"type": "string"},
        "clearance": {"type": "integer"},
        "admin": {"type": "boolean"},
        "nick": {"type": ["string", "null"]},
        "tier": {"enum": ["gold", "iron"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "teams": {"type": "array", "items": {"$ref": "#/definitions/team"}},
        "home": {"type": "object", "properties": {"city": {"type": "string"}}},
        "free": {"type": "object"},
        "account": {"type": "integer", "format": "int64"},
        "counter": {"type": "integer", "maximum": 2**53},
        "large": {"type": "integer", "maximum": 2**60},
        "zip-code": {"type": "string"},
    },
    "additionalProperties": False,
}
DOUBLE = "a number, for CEL a double"
EVERYTHING = sorted(TRAITS["properties"])


def schema(folder: Folder, *required: str, **more: Any) -> None:  # noqa: ANN401 - JSON
    traits = {**TRAITS, "required": list(required or EVERYTHING), **more}
    definitions = {"team": TEAM}
    text = json.dumps({"definitions": definitions, "properties": {"traits": traits}})
    folder.write("identity.json", text)


def rule(expression: object, *actions: str, **more: object) -> dict[str, object]:
    match = expression if isinstance(expression, dict) else {"expr": expression}
    return {
        "actions": list(actions) or ["view"],
        "effect": "EFFECT_ALLOW",
        "roles": ["user"],
        "condition": {"match": match},
    } | more


def policy(folder: Folder, *rules: dict[str, object], **more: object) -> None:
    content = {"resource": "document", "version": "default", "rules": list(rules)} | more
    folder.policy("document.json", resourcePolicy=content)
    folder.asks()


def found(folder: Folder, expression: str) -> list[tuple[str, str]]:
    schema(folder)
    policy(folder, rule(expression))
    return [(finding.code.value, finding.message) for finding in folder.lint()]


def text_at(folder: Folder, finding: Finding) -> str:
    lines = (folder.path / finding.place.source).read_text().splitlines()
    return lines[finding.place.line - 1][finding.place.column - 1 :].lstrip('"')


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("P.attr.ogr == 'a'", "ogr"),
        ("request.principal.attr.ogr == 'a'", "ogr"),
        ("P.attr['ogr'] == 'a'", "ogr"),
        ("has(P.attr.ogr) && true", "ogr"),
        ("P.attr.?ogr.orValue('a') == 'a'", "ogr"),
        ("P.attr.home.ctiy == 'a'", "home.ctiy"),
        ("P.attr.teams.exists(t, t.nmae == 'a')", "teams[].nmae"),
        ("P.attr.teams.exists(t, t.name == R.id && P.attr.ogr == 'a')", "ogr"),
        ("cel.bind(h, P.attr.home, h.ctiy == 'a')", "home.ctiy"),
        ("R.attr.list.map(x, P.attr.ogr).size() > 0", "ogr"),
        ("P.attr.auth.identity.traits.ogr == 'a'", "ogr"),
    ],
)
def test_a_trait_that_no_schema_has_is_found_wherever_it_is_read(
    folder: Folder, expression: str, name: str
) -> None:
    assert found(folder, expression) == [
        ("unknown-trait", f"no identity schema has the trait `{name}`")
    ]


@pytest.mark.parametrize(
    "expression",
    [
        "P.attr.org == R.attr.ogr",
        "R.attr.list.exists(P, P.ogr == 'a')",
        "P.attr.free.anything == 1 || true",
        "P.attr[R.attr.key] == 'a'",
        "P.attr.teams[0].name == 'a'",
        "P.attr.exists(k, k == 'ogr')",
        "P.attr.auth.claims.anything == 1 || true",
        "P.attr.auth.identity.metadata_public.anything == 1 || true",
        "P.id == 'a' && 'user' in P.roles",
        "P.attr.tags.exists(t, t.startsWith('a'))",
    ],
)
def test_what_is_there_or_could_be_is_passed_over(folder: Folder, expression: str) -> None:
    assert found(folder, expression) == []


@pytest.mark.parametrize(
    ("expression", "meant"),
    [
        ("P.attr.session.aal == 'aal2'", "P.attr.auth.session.aal"),
        ("P.attr.metadata_public.org == 'a'", "P.attr.auth.identity.metadata_public.org"),
        ("P.attr.client_id == 'a'", "P.attr.auth.client_id"),
        ("P.attr.aal == 'aal2'", "P.attr.auth.session.aal"),
        ("'a' in P.attr.roles", "P.roles"),
        ("P.attr.id == 'a'", "P.id"),
        ("P.attr.ogr == 'a'", "org"),
    ],
)
def test_what_is_sought_in_the_wrong_place_is_named_in_its_own(
    folder: Folder, expression: str, meant: str
) -> None:
    schema(folder)
    policy(folder, rule(expression))
    [finding] = folder.lint()
    assert (finding.code, finding.help) == ("unknown-trait", f"did you mean `{meant}`?")


def test_what_nobody_has_is_told_once(folder: Folder) -> None:
    schema(folder, "org")
    policy(folder, rule("P.attr.home.ctiy == 'a'"))
    assert folder.codes() == ["unknown-trait"]


@pytest.mark.parametrize("level", ["AAL2", "aal3"])
def test_an_assurance_level_that_kratos_does_not_have_is_found(folder: Folder, level: str) -> None:
    session = "has(P.attr.auth.session) && P.attr.auth.session.aal"
    assert found(folder, f"{session} == '{level}'") == [
        ("mistyped-attribute", f'`P.attr.auth.session.aal` is never "{level}"')
    ]
    assert found(folder, f"{session} in ['aal1', 'aal2']") == []


@pytest.mark.parametrize(
    ("expression", "member", "help_"),
    [
        ("P.attr.auth.sesion.aal == 'aal2'", "sesion", "session"),
        ("P.attr.auth.session.al == 'aal2'", "session.al", "aal"),
        ("'a' in P.attr.auth.scope", "scope", "scopes"),
        ("P.attr.auth.identity.metadata.a == 'a'", "identity.metadata", "metadata_public"),
    ],
)
def test_a_member_of_auth_that_the_authorizer_never_says_is_found(
    folder: Folder, expression: str, member: str, help_: str
) -> None:
    policy(folder, rule(expression))
    [finding] = folder.lint()
    assert finding.code == "unknown-auth-member"
    assert finding.message == f"the authorizer never says `P.attr.auth.{member}`"
    assert finding.help == f"did you mean `{help_}`?"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("P.attr.org == 3", "`P.attr.org` is a string, and never equals a number"),
        ("3 != P.attr.org", "`P.attr.org` is a string, and never equals a number"),
        ("P.attr.clearance == '3'", "`P.attr.clearance` is a number, and never equals a string"),
        ("P.attr.admin == 'true'", "`P.attr.admin` is a boolean, and never equals a string"),
        ("P.attr.tags == 'a'", "`P.attr.tags` is a list, and never equals a string"),
        ("P.attr.org == null", "`P.attr.org` is a string, and never null"),
        ("P.attr.org > 3", "`P.attr.org` is a string, and cannot be compared with a number"),
        ("P.attr.tags > 3", "`P.attr.tags` is a list, and not a boolean or a number or a string"),
        ("'a' in P.attr.org", "`P.attr.org` is a string, and not a list or an object"),
        ("3 in P.attr.tags", "`P.attr.tags` is a list of what is a string, and never has a number"),
        (
            "P.attr.clearance in ['1', '2']",
            "`P.attr.clearance` is a number, and never equals a string",
        ),
        (
            "P.attr.clearance + 1 > 2",
            f"`P.attr.clearance` is {DOUBLE}, and does not compute with an integer",
        ),
        (
            "P.attr.clearance % 2.0 == 0.0",
            "`P.attr.clearance` is a number, for CEL a double, which has no %",
        ),
        ("P.attr.org && true", "`P.attr.org` is a string, and not a boolean"),
        ("!P.attr.clearance", "`P.attr.clearance` is a number, and not a boolean"),
        ("P.attr.org ? true : false", "`P.attr.org` is a string, and not a boolean"),
        ("P.attr.clearance.startsWith('a')", "`P.attr.clearance` is a number, and not a string"),
        (
            "size(P.attr.admin) > 1",
            "`P.attr.admin` is a boolean, and not a list or a string or an object",
        ),
        ("hasIntersection(P.attr.org, ['a'])", "`P.attr.org` is a string, and not a list"),
        ("P.attr.org.exists(o, o == 'a')", "`P.attr.org` is a string, and not a list or an object"),
        (
            "P.attr.teams.exists(t, t.name == 1)",
            "`P.attr.teams[].name` is a string, and never equals a number",
        ),
        ("P.attr.org.id == 'a'", "`P.attr.org` is a string, and has no members"),
        ("P.attr.tier in ['gold', 'silver']", '`P.attr.tier` is never "silver"'),
        ("P.attr.auth.profile == 'krato'", '`P.attr.auth.profile` is never "krato"'),
        ("!(P.attr.auth.profile in ['krato'])", '`P.attr.auth.profile` is never "krato"'),
        ("P.attr.tier == 'silver'", '`P.attr.tier` is never "silver"'),
        (
            "P.attr.auth.scopes == 'a' || true",
            "`P.attr.auth.scopes` is a list, and never equals a string",
        ),
    ],
)
def test_types_that_never_fit_are_found(folder: Folder, expression: str, message: str) -> None:
    assert [pair for pair in found(folder, expression) if pair[0] != "unguarded-attribute"] == [
        ("mistyped-attribute", message)
    ]


@pytest.mark.parametrize(
    "expression",
    [
        "P.attr.org == 'a'",
        "P.attr.org == R.attr.org && P.attr.clearance >= R.attr.level",
        "P.attr.clearance >= 2 && P.attr.clearance == 2.0",
        "P.attr.clearance * 2.0 > 3.0 && int(P.attr.clearance) % 2 == 0",
        "P.attr.nick == null || P.attr.nick == 'a'",
        "P.attr.tags == ['a'] && 'a' in P.attr.tags && 'city' in P.attr.home",
        "P.attr.org in ['a', 'b'] && P.attr.org in R.attr.list && R.attr.one in P.attr.tags",
        "P.attr.admin && (P.attr.admin ? true : false)",
        "P.attr.org.lowerAscii() == 'a' && P.attr.tags.size() > 1 && size(P.attr.org) > 2",
        "timestamp(P.attr.org) < now()",
        "P.attr.teams.map(t, t.name) == ['a'] && P.attr.tier == 'gold'",
        "P.attr.free.x == 1 || P.attr.free.x == 'a' || true",
        "P.attr.auth.session.methods.exists(m, m == 'totp')",
        "timestamp(P.attr.auth.session.expires_at) - now() < duration('1h')",
        "timestamp(P.attr.org).getHours() > 8 && P.attr.org.size() == R.attr.length",
        "P.attr.org.lowerAscii() in P.attr.auth.identity.verified_addresses",
        "P.attr.auth.identity.verified_addresses.exists(a, a.endsWith('@' + P.attr.org))",
        "double(P.attr.clearance) + 1.0 > 2.0 && P.attr.clearance >= int(R.attr.level)",
        "has(P.attr.auth.claims) && has(P.attr.auth.claims.n) && P.attr.auth.claims.n > 1",
        "(P.attr.admin ? P.attr.org : 'a') == 'b' && !(P.attr.org in [])",
        "P.attr.tags.map(t, t + 'x').size() > 1 && P.attr.tags.filter(t, t != '') == []",
        "P.attr.tags.exists_one(t, t == 'a') && P.attr.tags[0] == 'a'",
        "'a' in P.attr.tags || hasIntersection(P.attr.tags, R.attr.tags)",
        "{'a': P.attr.org}.a == 'b' && [P.attr.clearance] == [1]",
    ],
)
def test_types_that_may_fit_are_passed_over(folder: Folder, expression: str) -> None:
    assert found(folder, expression) == []


def test_a_type_of_several_schemas_is_any_of_theirs(folder: Folder) -> None:
    either = {"level": {"anyOf": [{"type": "string"}, {"type": "integer"}]}, "any": {}}
    schema(folder, "level", "any", properties=either)
    policy(folder, rule("P.attr.level == 'a' || P.attr.level > 2 || P.attr.any == P.attr.level"))
    assert folder.codes() == []
    policy(folder, rule("P.attr.level == [1]"))
    assert folder.codes() == ["mistyped-attribute"]


@pytest.mark.parametrize(
    ("expression", "is_found"),
    [
        ("P.attr.account == R.attr.account", True),
        ("P.attr.large in [1, 2]", True),
        ("P.attr.counter > 3", False),
        ("P.attr.clearance > 3", False),
        ("has(P.attr.account)", False),
    ],
)
def test_an_integer_that_may_be_rounded_is_noted_where_it_is_compared(
    folder: Folder, expression: str, *, is_found: bool
) -> None:
    assert [code for code, _ in found(folder, expression)] == ["rounded-integer"] * is_found


EVERYWHERE: dict[str, dict[str, object]] = {
    "condition tree": {
        "rules": [
            rule({"all": {"of": [{"any": {"of": [{"none": {"of": [{"expr": "P.attr.ogr"}]}}]}}]}})
        ]
    },
    "local variable": {"variables": {"local": {"v": "P.attr.ogr == 'a'"}}},
    "output": {"rules": [rule("true", output={"expr": "P.attr.ogr"})]},
    "output when active": {
        "rules": [rule("true", output={"when": {"ruleActivated": "P.attr.ogr"}})]
    },
    "output when not met": {
        "rules": [rule("true", output={"when": {"conditionNotMet": "P.attr.ogr"}})]
    },
}


@pytest.mark.parametrize("where", EVERYWHERE)
def test_every_expression_in_a_resource_policy_is_read(folder: Folder, where: str) -> None:
    schema(folder)
    policy(folder, **{"rules": [rule("true")], **EVERYWHERE[where]})
    [finding] = [finding for finding in folder.lint() if finding.code == "unknown-trait"]
    assert text_at(folder, finding).startswith("P.attr.ogr")


OTHERS: dict[str, dict[str, object]] = {
    "derived role": {
        "derivedRoles": {
            "name": "d",
            "definitions": [
                {
                    "name": "x",
                    "parentRoles": ["user"],
                    "condition": {"match": {"expr": "P.attr.ogr == 'a'"}},
                }
            ],
        }
    },
    "derived role's variable": {
        "derivedRoles": {
            "name": "d",
            "variables": {"local": {"v": "P.attr.ogr"}},
            "definitions": [{"name": "x", "parentRoles": ["user"]}],
        }
    },
    "exported variable": {"exportVariables": {"name": "v", "definitions": {"v": "P.attr.ogr"}}},
    "deprecated variables": {
        "variables": {"v": "P.attr.ogr"},
        "resourcePolicy": {"resource": "x", "version": "default"},
    },
    "principal policy": {
        "principalPolicy": {
            "principal": "ada",
            "version": "default",
            "rules": [
                {
                    "resource": "x",
                    "actions": [
                        {
                            "action": "a",
                            "effect": "EFFECT_ALLOW",
                            "condition": {"match": {"expr": "P.attr.ogr"}},
                        }
                    ],
                }
            ],
        }
    },
    "role policy": {
        "rolePolicy": {
            "role": "user",
            "rules": [
                {
                    "resource": "x",
                    "allowActions": ["a"],
                    "condition": {"match": {"expr": "P.attr.ogr"}},
                }
            ],
        }
    },
}


@pytest.mark.parametrize("where", OTHERS)
def test_every_kind_of_policy_is_read(folder: Folder, where: str) -> None:
    schema(folder)
    policy(folder, rule("true"))
    folder.policy("other.json", **OTHERS[where])
    [finding] = [finding for finding in folder.lint() if finding.code == "unknown-trait"]
    assert finding.place.source.endswith("other.json")
    assert text_at(folder, finding).startswith("P.attr.ogr")


def test_a_variable_brings_its_type_and_its_members_along(folder: Folder) -> None:
    schema(folder)
    local = {"level": "P.attr.clearance", "home": "P.attr.home"}
    rules = [rule("V.level == '3'"), rule("variables.home.ctiy == 'a'", "edit")]
    exported = {"name": "session", "definitions": {"org": "P.attr.org"}}
    folder.policy("exported.json", exportVariables=exported)
    rules.append(rule("V.org > C.least", "delete"))
    policy(
        folder,
        *rules,
        variables={"import": ["session"], "local": local},
        constants={"local": {"least": 3}},
    )
    assert [finding.code.value for finding in folder.lint()] == [
        "mistyped-attribute",
        "unknown-trait",
        "mistyped-attribute",
    ]


def test_variables_in_a_circle_end(folder: Folder) -> None:
    schema(folder)
    policy(folder, rule("V.a == V.b"), variables={"local": {"a": "V.b", "b": "V.a"}})
    assert folder.codes() == []


def test_what_a_profile_adds_is_known(folder: Folder) -> None:
    schema(folder)
    folder.write(
        "authorizer.yaml",
        """\
        principals:
          profiles:
            kratos: {shape: session, roles: {always: [user]}, attr: {region: "${extra.id}"}}
        """,
    )
    policy(folder, rule("P.attr.region == 'eu' && P.attr.region.x == 1"))
    assert folder.codes() == []


def adds(folder: Folder, expression: str, *, also: str = "") -> None:
    """Write a profile `kratos` whose `attr` has the clearance that an expression gives."""
    attr = json.dumps({"clearance": expression})
    folder.write(
        "authorizer.yaml",
        f"""\
        principals:
          profiles:
            kratos: {{shape: session, roles: {{always: [user]}}, attr: {attr}}}
            {also}
        """,
    )


TRAIT = "extra.identity.traits.clearance"
METADATA = "extra.identity.metadata_public.clearance"


@pytest.mark.parametrize(
    "expression",
    [
        f"${{{TRAIT}}}",
        "${extra.identity.traits['clearance']}",
        f"${{has({TRAIT}) ? {TRAIT} : 0}}",
        "${5}",
        "${5.5}",
        "${size(extra.identity.traits)}",
        f"${{{TRAIT} + 1}}",
        "${'admin' in extra.identity.metadata_public.roles ? 1 : 0}",
    ],
)
def test_what_a_profile_adds_has_the_type_of_its_expression(
    folder: Folder, expression: str
) -> None:
    adds(folder, expression)
    assert found(folder, "P.attr.clearance >= '2'") == [
        (
            "mistyped-attribute",
            "`P.attr.clearance` is a number, and cannot be compared with a string",
        )
    ]
    assert found(folder, "P.attr.clearance >= 2") == []


@pytest.mark.parametrize(
    "expression",
    [
        f"${{{METADATA}}}",
        f"${{has({METADATA}) ? {METADATA} : 0}}",
        f"${{has({METADATA}) ? {TRAIT} : {METADATA}}}",
        "${has(extra.identity.traits.org) ? extra.identity.traits.org : 0}",
        "${extra.identity.traits[subject]}",
        "${has(extra.identity.traits.free.x) ? extra.identity.traits.free.x : 0}",
        f"${{[{TRAIT}][0]}}",
    ],
)
def test_what_may_fit_or_is_not_known_is_no_mistake(folder: Folder, expression: str) -> None:
    adds(folder, expression)
    assert found(folder, "P.attr.clearance >= '2'") == []


@pytest.mark.parametrize(
    ("expression", "policy_", "message"),
    [
        ("${true}", "P.attr.clearance > 3", "a boolean, and cannot be compared with a number"),
        ("${[]}", "P.attr.clearance == 'a'", "a list, and never equals a string"),
        ("${{}}", "P.attr.clearance == 'a'", "an object, and never equals a string"),
        ("high", "P.attr.clearance == 3", "a string, and never equals a number"),
        ("high", "P.attr.clearance.level == 3", "a string, and has no members"),
        ("${subject}", "P.attr.clearance > 3", "a string, and cannot be compared with a number"),
        ("n-${subject}", "P.attr.clearance == 3", "a string, and never equals a number"),
        (f"${{has({TRAIT})}}", "P.attr.clearance == 3", "a boolean, and never equals a number"),
        (
            "${extra.list.exists(x, x == 1)}",
            "P.attr.clearance == 3",
            "a boolean, and never equals a number",
        ),
        (
            "${extra.identity.traits.tags}",
            "3 in P.attr.clearance",
            "a list of what is a string, and never has a number",
        ),
        (
            "${has(extra.identity.traits.tags) ? extra.identity.traits.tags : []}",
            "3 in P.attr.clearance",
            "a list of what is a string, and never has a number",
        ),
    ],
)
def test_each_kind_of_expression_has_its_type(
    folder: Folder, expression: str, policy_: str, message: str
) -> None:
    adds(folder, expression)
    assert found(folder, policy_) == [("mistyped-attribute", f"`P.attr.clearance` is {message}")]


def test_texts_that_a_profile_chooses_from_are_all_that_the_attribute_can_be(
    folder: Folder,
) -> None:
    adds(folder, f"${{{TRAIT} > 2 ? 'high' : 'low'}}")
    assert found(folder, "P.attr.clearance == 'hihg'") == [
        ("mistyped-attribute", '`P.attr.clearance` is never "hihg"')
    ]
    assert found(folder, "P.attr.clearance == 'high'") == []


def test_another_profile_may_leave_the_trait_or_add_what_is_not_known(folder: Folder) -> None:
    adds(folder, "${'high'}", also="staff: {shape: session, roles: {always: [user]}}")
    assert found(folder, "P.attr.clearance == 'high' || P.attr.clearance > 2") == []
    adds(
        folder,
        f"${{{TRAIT}}}",
        also="jwt: {shape: claims, roles: {always: [delegate]}, attr: {clearance: '${extra.c}'}}",
    )
    assert found(folder, "P.attr.clearance == 'high'") == []


@pytest.mark.parametrize(
    ("expression", "is_found"),
    [
        ("R.attr.amount in P.attr.accounts", True),
        ("hasIntersection(P.attr.accounts, R.attr.accounts)", True),
        ("P.attr.accounts.exists(a, a == R.attr.account)", True),
        ("string(P.attr.account) == R.id", True),
        ("string(P.attr.counter) == R.id", False),
        ("P.attr.accounts.size() > 1", False),
        # without a `maximum` only where it tells one from another
        ("P.attr.clearance == R.attr.clearance", True),
        ("P.attr.clearance in R.attr.levels", True),
        ("P.attr.clearance == P.attr.other", True),
        ("P.attr.clearance == 3", False),
        ("P.attr.clearance in [1, 2]", False),
        ("P.attr.clearance >= R.attr.clearance", False),
        ("P.attr.counter == R.attr.counter", False),
        ("P.attr.small == R.attr.small", False),
    ],
)
def test_an_integer_that_may_be_rounded_is_noted_where_two_can_be_taken_for_one(
    folder: Folder, expression: str, *, is_found: bool
) -> None:
    more = {
        "accounts": {"type": "array", "items": {"type": ["integer", "null"], "format": "int64"}},
        "small": {"type": "integer", "format": "int32"},
        "other": {"type": "integer", "maximum": 3},
    }
    properties = TRAITS["properties"] | more
    schema(folder, *properties, properties=properties)
    policy(folder, rule(expression))
    assert folder.codes() == ["rounded-integer"] * is_found


def test_an_integer_that_a_profile_passes_on_is_rounded_as_well(folder: Folder) -> None:
    adds(folder, "${extra.identity.traits.account}")
    assert found(folder, "P.attr.clearance == R.attr.account") == [
        (
            "rounded-integer",
            "`P.attr.clearance` may be beyond 2^53, and is rounded on its way here",
        )
    ]


@pytest.mark.parametrize(
    ("resource", "is_found"),
    [
        ('id: "${extra.identity.traits.account}"', True),
        ('id: "a-${principal.attr.account}"', True),
        ('id: "a-${principal.attr.clearance}"', True),
        ('id: "a-${principal.attr.counter}"', False),
        ('id: a, attr: {account: "${principal.attr.account}"}', True),
        ('id: a, attr: {level: "${principal.attr.clearance}"}', False),
    ],
)
def test_an_integer_that_may_be_rounded_is_noted_in_what_a_route_asks_about(
    folder: Folder, resource: str, *, is_found: bool
) -> None:
    schema(folder)
    folder.write(
        "rules/one.yaml",
        f"""\
        version: 1
        routes:
          - id: one
            match: {{path: "/documents", methods: [GET]}}
            resource: {{kind: document, {resource}}}
            action: view
        """,
    )
    assert folder.codes() == ["rounded-integer"] * is_found


def test_an_integer_that_may_be_rounded_is_noted_as_an_id_of_a_profile(folder: Folder) -> None:
    schema(folder)
    folder.asks()
    folder.write(
        "authorizer.yaml",
        """\
        principals:
          profiles:
            kratos:
              {shape: session, roles: {always: [user]}, id: "${extra.identity.traits.account}"}
        """,
    )
    [finding] = folder.lint()
    assert (finding.code, text_at(folder, finding)[:8]) == ("rounded-integer", "${extra.")


def test_a_disabled_policy_is_not_read(folder: Folder) -> None:
    schema(folder)
    policy(folder, rule("true"))
    old = {"resource": "x", "version": "default", "rules": [rule("P.attr.ogr")]}
    folder.policy("old.json", disabled=True, resourcePolicy=old)
    assert folder.codes() == []


def test_what_is_no_cel_is_found_at_the_mistake(folder: Folder) -> None:
    policy(folder, rule("P.attr.org = 'a'"))
    [finding] = folder.lint()
    assert finding.code == "invalid-condition"
    assert text_at(folder, finding).startswith("= 'a'")


def test_what_nests_too_deeply_is_noted(folder: Folder) -> None:
    policy(folder, rule("!(" * 40 + "true" + ")" * 40))
    assert folder.codes() == ["unchecked-condition"]


def test_a_place_in_a_block_is_exact(folder: Folder) -> None:
    schema(folder)
    policy(folder, rule("true"))
    folder.write(
        "policies/block.yaml",
        """\
        apiVersion: api.cerbos.dev/v1
        exportVariables:
          name: block
          definitions:
            long: |
              P.attr.org == "a" &&
                P.attr.ogr == "b"
        """,
    )
    [finding] = folder.lint()
    assert (finding.place.line, finding.place.column) == (7, 9)


@pytest.mark.parametrize(
    ("more", "is_open"),
    [
        ({}, False),
        ({"additionalProperties": True}, True),
        ({"additionalProperties": {"type": "string"}}, True),
    ],
)
def test_a_schema_that_takes_undeclared_traits_is_found(
    folder: Folder, more: dict[str, object], *, is_open: bool
) -> None:
    schema(folder, **more)
    policy(folder, rule("true"))
    assert folder.codes() == ["open-traits"] * is_open


def test_a_schema_is_closed_by_a_part_that_always_applies(folder: Folder) -> None:
    text = {"definitions": {"t": TRAITS | {"$id": "t"}, "team": TEAM}}
    folder.write(
        "identity.json",
        json.dumps(text | {"properties": {"traits": {"allOf": [{"$ref": "#/definitions/t"}]}}}),
    )
    folder.asks()
    assert folder.codes() == []
