"""The example that people copy has nothing that lint would say a word about."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from authorizer.cli.main import main

if TYPE_CHECKING:
    import pytest

REPOSITORY: Final = Path(__file__).parents[2]
CHAIN: Final = (
    *("--policies", "cerbos/policies"),
    *("--access-rules", "oathkeeper/access-rules.yml"),
    *("--oathkeeper-config", "oathkeeper/oathkeeper.yml"),
    *("--identity-schema", "kratos/identity.schema.json"),
    *("--kratos-config", "kratos/kratos.yml"),
)


def test_the_example_is_strictly_clean(capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.chdir(REPOSITORY):
        status = main(["lint", "--strict", *CHAIN])
    assert (status, capsys.readouterr().out) == (0, "nothing found\n")
