"""The form of a policy is what Cerbos's own messages say: no more is refused, and no less."""

from __future__ import annotations

import json

import pytest
from cerbos.effect.v1 import effect_pb2
from cerbos.policy.v1 import policy_pb2
from google.protobuf.json_format import MessageToJson

from authorizer.pdp.policyform import policy_schema
from authorizer.source.yaml import load_yaml

VERSION = "api.cerbos.dev/v1"
CONDITION = policy_pb2.Condition(
    match=policy_pb2.Match(
        all=policy_pb2.Match.ExprList(
            of=[
                policy_pb2.Match(expr="true"),
                policy_pb2.Match(
                    none=policy_pb2.Match.ExprList(of=[policy_pb2.Match(expr="false")])
                ),
            ]
        )
    )
)
VARIABLES = policy_pb2.Variables(**{"import": ["session"]}, local={"a": "1"})
POLICIES = {
    "resource": policy_pb2.Policy(
        api_version=VERSION,
        description="words",
        disabled=True,
        resource_policy=policy_pb2.ResourcePolicy(
            resource="document",
            version="default",
            scope="acme.north",
            scope_permissions=policy_pb2.SCOPE_PERMISSIONS_OVERRIDE_PARENT,
            import_derived_roles=["owners"],
            variables=VARIABLES,
            schemas=policy_pb2.Schemas(
                resource_schema=policy_pb2.Schemas.Schema(
                    ref="cerbos:///a.json",
                    ignore_when=policy_pb2.Schemas.IgnoreWhen(actions=["create"]),
                )
            ),
            rules=[
                policy_pb2.ResourceRule(
                    name="one",
                    actions=["view"],
                    roles=["user"],
                    derived_roles=["owner"],
                    effect=effect_pb2.EFFECT_DENY,
                    condition=CONDITION,
                    output=policy_pb2.Output(when=policy_pb2.Output.When(rule_activated="1")),
                )
            ],
        ),
    ),
    "principal": policy_pb2.Policy(
        api_version=VERSION,
        principal_policy=policy_pb2.PrincipalPolicy(
            principal="ada",
            version="default",
            rules=[
                policy_pb2.PrincipalRule(
                    resource="*",
                    actions=[
                        policy_pb2.PrincipalRule.Action(
                            action="*", effect=effect_pb2.EFFECT_ALLOW, condition=CONDITION
                        )
                    ],
                )
            ],
        ),
    ),
    "role": policy_pb2.Policy(
        api_version=VERSION,
        role_policy=policy_pb2.RolePolicy(
            role="user",
            parent_roles=["guest"],
            rules=[policy_pb2.RoleRule(resource="document", allow_actions=["view"])],
        ),
    ),
    "derived roles": policy_pb2.Policy(
        api_version=VERSION,
        derived_roles=policy_pb2.DerivedRoles(
            name="owners",
            definitions=[
                policy_pb2.RoleDef(name="owner", parent_roles=["user"], condition=CONDITION)
            ],
        ),
    ),
    "variables": policy_pb2.Policy(
        api_version=VERSION,
        export_variables=policy_pb2.ExportVariables(name="session", definitions={"a": "1"}),
    ),
    "constants": policy_pb2.Policy(
        api_version=VERSION, export_constants=policy_pb2.ExportConstants(name="numbers")
    ),
}


@pytest.mark.parametrize("kind", POLICIES)
@pytest.mark.parametrize("as_named", [False, True])
@pytest.mark.parametrize("as_numbers", [False, True])
def test_what_protobuf_writes_of_a_policy_fits(
    kind: str, *, as_named: bool, as_numbers: bool
) -> None:
    text = MessageToJson(
        POLICIES[kind], preserving_proto_field_name=as_named, use_integers_for_enums=as_numbers
    )
    assert policy_schema().problems(load_yaml(text, "policy.json")) == []


@pytest.mark.parametrize("kind", POLICIES)
def test_a_key_that_no_message_has_is_refused_wherever_it_stands(kind: str) -> None:
    whole = json.loads(MessageToJson(POLICIES[kind]))
    free = {"local", "annotations"}  # of which a policy names the keys
    if kind in {"variables", "constants"}:
        free.add("definitions")
    waiting, mappings = [whole], []
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            mappings.append(value)
            waiting += [inner for key, inner in value.items() if key not in free]
        elif isinstance(value, list):
            waiting += value
    for mapping in mappings:
        mapping["zzz"] = 1
        found = policy_schema().problems(load_yaml(json.dumps(whole), "policy.json"))
        del mapping["zzz"]
        assert [problem.message for problem in found] == ["unknown key `zzz`"]


def test_a_policy_of_two_kinds_or_none_is_refused() -> None:
    for more in ("", ', "exportVariables": {"name": "a"}, "exportConstants": {"name": "b"}'):
        text = f'{{"apiVersion": "{VERSION}"{more}}}'
        found = policy_schema().problems(load_yaml(text, "policy.json"))
        assert len(found) == (0 if more else 1)
