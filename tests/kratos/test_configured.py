"""What Kratos has beside the schemas that were given is named."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from authorizer.kratos.configured import schemas_left_out

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = b'{"properties": {"traits": {}}}'


@pytest.mark.parametrize(
    ("url", "is_left_out"),
    [
        ("file:///etc/config/person.json", False),
        ("file://kratos/person.json", False),
        ("file://person.json", False),
        ("file://a%20b/%70erson.json", False),
        ("https://schemas.acme.test/person.json?v=1", False),
        ("file://kratos/customer.json", True),
        ("preset://email", True),
        ("base64://" + base64.b64encode(SCHEMA).decode(), False),
        ("base64://" + base64.b64encode(SCHEMA + b" ").decode(), True),
        ("base64://!", True),
    ],
)
def test_a_schema_is_known_by_its_name_or_by_its_text(
    tmp_path: Path, url: str, *, is_left_out: bool
) -> None:
    (tmp_path / "person.json").write_bytes(SCHEMA)
    config = tmp_path / "kratos.yml"
    config.write_text(json.dumps({"identity": {"schemas": [{"id": "it", "url": url}]}}))
    found = schemas_left_out(config, [tmp_path / "person.json"])
    assert found == (("it",) if is_left_out else ())


@pytest.mark.parametrize(
    "text", ["", "[]", "identity: 3", "identity: {schemas: 3}", "identity: {schemas: [3]}", "{"]
)
def test_of_what_cannot_be_read_nothing_is_said(tmp_path: Path, text: str) -> None:
    config = tmp_path / "kratos.yml"
    config.write_text(text)
    assert schemas_left_out(config, []) == ()
    assert schemas_left_out(tmp_path / "gone.yml", []) == ()
