"""The payload is searched for what a caller can make use of, and held to our own schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lintfolder import PAYLOAD

from authorizer.lint.gotemplate import actions, render

if TYPE_CHECKING:
    from lintfolder import Folder


def test_the_shipped_form_is_clean(folder: Folder) -> None:
    folder.access_rule("https://api.test/a")
    folder.route("/a")
    assert folder.codes() == []


@pytest.mark.parametrize(
    ("value", "codes"),
    [
        ("{{ .Subject | toJson }}", []),
        ("{{- .Subject | toJson -}}", []),
        ("{{ toJson .Subject }}", []),
        ("{{ .Subject | trim | mustToJson }}", []),
        ('{{ "constant" | toJson }}', []),
        ('"{{ "constant" }}"', []),
        ('{{/* a comment */}}"a"', []),
        ('"{{ .Subject }}"', ["payload-injection"]),
        ('"{{ print .Subject }}"', ["payload-injection"]),
        ("{{ .Subject | quote }}", ["payload-injection"]),
        ('"{{ .Subject | toJson | trim }}"', ["payload-injection"]),
        ('"{{ .Subject | printf "toJson %s" }}"', ["payload-injection"]),
        ('"{{ print (.Subject | toJson) .Extra }}"', ["payload-injection"]),
        ("{{ $s := .Subject }}{{ $s | toJson }}", []),
        ('"{{ .Subject | toJson }}"', ["payload-malformed"]),
        ('{{ .MatchContext.Header.Get "X-A" | toJson }}', ["payload-header-get"]),
        (
            '{{ .MatchContext.Header.Values "Cookie" | toJson }}',
            ["payload-credentials", "payload-malformed"],
        ),
        ("{{ .MatchContext.Header | toJson }}", ["payload-all-headers", "payload-malformed"]),
        ("{{ .MatchContext | toJson }}", ["payload-all-headers"]),
        ("{{ . | toJson }}", ["payload-all-headers"]),
        ('{{ if .Subject }}{{ .Subject | toJson }}{{ else }}""{{ end }}', ["payload-unchecked"]),
        (
            "{{ with .Subject }}{{ . | toJson }}{{ end }}",
            ["payload-unchecked"],
        ),
        ("{{ with .Subject }}{{ . }}{{ end }}", ["payload-injection", "payload-unchecked"]),
    ],
)
def test_a_value_is_safe_only_as_json(folder: Folder, value: str, codes: list[str]) -> None:
    folder.access_rule(
        "https://api.test/a", payload=PAYLOAD.replace("{{ .Subject | toJson }}", value)
    )
    folder.route("/a")
    assert sorted(folder.codes()) == codes


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('"profile": "kratos",\n ', "", "payload-without-profile"),
        ('"kratos"', '"krato"', "unknown-profile"),
        ('"kratos"', '["anonymous"]', "unnamed-profile"),
        ('"kratos"', '["kratos", "kratos"]', "payload-malformed"),
        ('"subject"', '"subjet"', "payload-malformed"),
        ('"extra"', '"forwarded_uri": null, "extra"', "payload-forwarded-uri"),
        ('"extra"', '"subject": "", "extra"', "payload-malformed"),
        ("{{ .Extra | toJson }}", '"text"', "payload-malformed"),
    ],
)
def test_what_the_payload_says_is_held_to_the_contract(
    folder: Folder, old: str, new: str, code: str
) -> None:
    folder.access_rule("https://api.test/a", payload=PAYLOAD.replace(old, new))
    folder.route("/a")
    assert code in folder.codes()


@pytest.mark.parametrize("expression", ["headers['x-tenant']", "headers_all['x-tenant'][0]"])
def test_a_header_that_a_route_reads_must_be_passed(folder: Folder, expression: str) -> None:
    folder.asks(scope=f'"${{{expression}}}"')
    folder.access_rule("https://api.test/documents/<.*>")
    assert folder.codes() == ["unpassed-header"]
    passing = '"headers": {"X-Tenant": {{ .MatchContext.Header.Values "X-Tenant" | toJson }}},\n '
    folder.access_rule(
        "https://api.test/documents/<.*>",
        payload=PAYLOAD.replace('"subject"', passing + '"subject"'),
    )
    assert folder.codes() == []


def test_a_header_that_a_condition_reads_must_be_passed(folder: Folder) -> None:
    folder.access_rule("https://api.test/a")
    folder.route("/a", headers='{X-Beta: "yes"}')
    [finding] = folder.lint()
    assert (finding.code, finding.place.line) == ("unpassed-header", 4)
    assert "`x-beta`" in finding.message


def test_a_place_in_a_payload_is_the_line_and_column_of_the_action(folder: Folder) -> None:
    payload = PAYLOAD.replace("{{ .Subject | toJson }}", '"{{ .Subject }}"')
    folder.access_rule("https://api.test/a", payload=payload)
    folder.route("/a")
    [finding] = folder.lint()
    text = (folder.path / "access-rules" / "rules.yml").read_text()
    line = text.splitlines()[finding.place.line - 1]
    assert line[finding.place.column - 1 :].startswith("{{ .Subject }}")


def test_a_dash_takes_the_space_beside_it() -> None:
    assert render("[ {{- .Subject | toJson -}} ]") == '["value"]'
    assert render("[ {{ .Subject | toJson }} ]") == '[ "value" ]'


@given(st.text(alphabet='{}-"`|/*. aT\n', max_size=30))
def test_any_template_is_read_and_what_has_no_action_stays_as_it_is(text: str) -> None:
    found = list(actions(text))
    assert all(text[action.offset :].startswith(action.text) for action in found)
    if not found:
        assert render(text) == text


@pytest.mark.parametrize(
    "value",
    [
        '{{ index (.MatchContext.Header.Values "X-Name") 0 | toJson }}',
        '{{ index .MatchContext.Header "X-Name" 0 | toJson }}',
        '{{ first (.MatchContext.Header.Values "X-Name") | toJson }}',
        '{{ .MatchContext.Header.Values "X-Name" | join "," | toJson }}',
    ],
)
def test_one_of_a_headers_values_is_told_however_it_is_taken(folder: Folder, value: str) -> None:
    more = f', "headers": {{"x-name": {value}}}}}\n'
    folder.access_rule("https://api.test/a", payload=PAYLOAD.rstrip()[:-1] + more)
    folder.route("/a")
    assert folder.codes() == ["payload-header-get"]


@pytest.mark.parametrize("extra", ["", '"extra": null,'])
def test_a_session_without_extra_in_the_payload_is_told(folder: Folder, extra: str) -> None:
    payload = PAYLOAD.replace('"extra": {{ .Extra | toJson }},', extra)
    folder.access_rule("https://api.test/a", payload=payload)
    folder.route("/a")
    assert folder.codes() == ["payload-without-extra"]


def test_who_has_no_session_needs_no_extra(folder: Folder) -> None:
    payload = PAYLOAD.replace('"extra": {{ .Extra | toJson }},', "").replace("kratos", "anonymous")
    folder.access_rule("https://api.test/a", payload=payload)
    file = folder.path / "access-rules" / "rules.yml"
    file.write_text(file.read_text().replace("cookie_session", "noop"))
    folder.route("/a")
    assert folder.codes() == []
