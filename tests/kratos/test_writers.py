"""Who can write traits is what Kratos is configured to, or its default where nothing is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from authorizer.errors import SourceError
from authorizer.kratos.writers import Writer, Writers, read_writers

REPOSITORY = Path(__file__).parents[2]
OFF = "{enabled: false}"
ON = "{enabled: true}"


def written(path: Path, registration: str, profile: str, verification: str = OFF) -> Path:
    file = path / "kratos.yml"
    file.write_text(
        f"selfservice:\n  flows: {{registration: {registration}, verification: {verification}}}\n"
        f"  methods: {{profile: {profile}}}\n"
    )
    return file


@pytest.mark.parametrize(
    ("registration", "profile", "flows"),
    [
        (OFF, OFF, ()),
        (ON, OFF, ("registration",)),
        (OFF, ON, ("settings",)),
        (ON, ON, ("registration", "settings")),
        # Both are on unless they are switched off.
        ("{}", OFF, ("registration",)),
        (OFF, "{}", ("settings",)),
        ("null", "{}", ("registration", "settings")),
    ],
)
def test_one_open_flow_makes_every_trait_a_claim(
    tmp_path: Path, registration: str, profile: str, flows: tuple[str, ...]
) -> None:
    writers = read_writers(written(tmp_path, registration, profile))
    assert tuple(flow.name for flow in writers.flows) == flows
    assert writers.traits is (Writer.SELF_SERVICE if flows else Writer.ADMINISTRATOR)


def test_everything_is_open_where_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "kratos.yml").write_text("selfservice: {}\n")
    assert read_writers(tmp_path / "kratos.yml").traits is Writer.SELF_SERVICE


@pytest.mark.parametrize(
    ("verification", "writer"), [(ON, Writer.SELF_SERVICE), ("{}", Writer.ADMINISTRATOR)]
)
def test_people_verify_addresses_only_where_there_is_a_flow(
    tmp_path: Path, verification: str, writer: Writer
) -> None:
    assert read_writers(written(tmp_path, OFF, OFF, verification)).verification is writer


def test_in_the_example_nobody_writes_their_own_traits() -> None:
    assert read_writers(REPOSITORY / "kratos" / "kratos.yml").traits is Writer.ADMINISTRATOR


def test_without_a_configuration_nothing_is_said_of_traits_and_all_of_the_rest() -> None:
    assert Writers().of("traits") is Writer.UNKNOWN
    assert Writers().of("verification") is Writer.UNKNOWN
    assert Writers().of("session") is Writer.SESSION
    assert Writers().of("issuer") is Writer.ISSUER


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("selfservice: {flows: {registration: {enabled: 1}}}", ":1:47: expected true or false"),
        ("selfservice: {flows: {registration: [off]}}", ":1:38: "),
        ('selfservice: {flows: {registration: ["x"]}}', ":1:37: expected a mapping"),
        ("identity: {}", ":1:1: is no configuration of Kratos"),
        ("", "is no configuration of Kratos"),
    ],
)
def test_a_configuration_that_says_something_else_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "kratos.yml").write_text(text)
    with pytest.raises(SourceError, match=message):
        read_writers(tmp_path / "kratos.yml")
