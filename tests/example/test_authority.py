"""In the example, nobody can write their own authority."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]


def test_no_flow_of_a_persons_own_can_write_a_trait() -> None:
    config = yaml.safe_load((REPOSITORY / "kratos" / "kratos.yml").read_text())
    selfservice = config["selfservice"]
    assert selfservice["flows"]["registration"]["enabled"] is False
    enabled = {name for name, method in selfservice["methods"].items() if method["enabled"]}
    # Those that write credentials, and nothing else of an identity.
    assert enabled <= {"password", "totp"}


def test_the_principal_schema_takes_any_trait_that_the_identity_schema_may_grow() -> None:
    schemas = REPOSITORY / "cerbos" / "policies" / "_schemas"
    principal = json.loads((schemas / "principal.json").read_text())
    assert principal["additionalProperties"] is True
    assert principal["required"] == ["auth"]
    identity = json.loads((REPOSITORY / "kratos" / "identity.schema.json").read_text())
    traits = identity["properties"]["traits"]["properties"]
    assert set(traits) <= set(principal["properties"])
    assert "auth" not in traits


def test_either_pdp_looks_above_a_scope_that_no_policy_has() -> None:
    """Where one did not, every organisation but those with policies of its own would be denied."""
    embedded = yaml.safe_load((REPOSITORY / "authorizer.yaml").read_text())["pdp"]["embedded"]
    alone = yaml.safe_load((REPOSITORY / "cerbos" / "config.yaml").read_text())["engine"]
    assert embedded["lenient_scope_search"] is alone["lenientScopeSearch"] is True


def test_a_policy_for_one_organisation_only_takes_away() -> None:
    """Cerbos wants an ALLOW of the policy above it, too; and its DENYs are for every role."""
    policies = [
        yaml.safe_load(file.read_text())["resourcePolicy"]
        for file in (REPOSITORY / "cerbos" / "policies" / "resources").iterdir()
    ]
    scoped = [policy for policy in policies if "scope" in policy]
    assert scoped
    for policy in scoped:
        expected = "SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS"
        assert policy["scopePermissions"] == expected
        for rule in policy["rules"]:
            assert rule["effect"] == "EFFECT_DENY"
            assert rule["roles"] == ["*"]


@pytest.mark.integration
def test_the_policies_pass_their_own_tests_in_strict_evaluation() -> None:
    own = REPOSITORY / ".tools" / "bin" / "cerbos"
    cerbos = str(own) if own.exists() else shutil.which("cerbos")
    assert cerbos is not None, "run `make setup`: cerbos is not installed"
    command = [cerbos, "compile", "--strict-evaluation", "--output=json", "cerbos/policies"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["summary"]["testsCount"] > 400
