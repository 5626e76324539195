"""Settings are judged as Oathkeeper merges them: the access rule's over its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from lintfolder import PAYLOAD

if TYPE_CHECKING:
    from lintfolder import Folder

GOOD_SESSION = 'extra_from: "@this"'
GOOD_RETRY = "retry: {give_up_after: 10ms}"


def oathkeeper(
    folder: Folder, session: str = GOOD_SESSION, retry: str = GOOD_RETRY, extra: str = ""
) -> None:
    folder.write(
        "oathkeeper.yml",
        f"""\
        authenticators:
          cookie_session: {{enabled: true, config: {{{session}}}}}
          anonymous: {{enabled: true, config: {{subject: nobody}}}}
        authorizers:
          remote_json: {{enabled: true, config: {{payload: "{{}}", {retry} {extra}}}}}
        """,
    )


@pytest.mark.parametrize("has_rules", [True, False])
@pytest.mark.parametrize(
    ("session", "retry", "codes"),
    [
        (GOOD_SESSION, GOOD_RETRY, []),
        ("", GOOD_RETRY, ["session-without-extra"]),
        ("extra_from: identity", GOOD_RETRY, ["session-without-extra"]),
        (f"{GOOD_SESSION}, preserve_query: false", GOOD_RETRY, ["query-to-kratos"]),
        (f"{GOOD_SESSION}, preserve_query: true", GOOD_RETRY, []),
        (GOOD_SESSION, "retry: {}", ["stalling-retry"]),
        (GOOD_SESSION, "retry: {give_up_after: 1s}", ["stalling-retry"]),
        (GOOD_SESSION, "retry: {give_up_after: 10ms, max_delay: 100ms}", ["max-delay"]),
        (GOOD_SESSION, "retry: {give_up_after: 10ms, max_delay: 500ns}", []),
    ],
)
def test_what_oathkeeper_says_for_all_is_judged(
    folder: Folder, session: str, retry: str, codes: list[str], *, has_rules: bool
) -> None:
    oathkeeper(folder, session, retry)
    folder.route("/a")
    if has_rules:
        folder.access_rule("https://api.test/a")
        assert folder.codes() == codes
    else:
        # The payload that nobody inherits is one that nobody is let in by.
        assert [code for code in folder.codes() if not code.startswith("payload-")] == codes


def test_an_access_rule_wins_over_oathkeepers_own_settings(folder: Folder) -> None:
    oathkeeper(folder, "", "retry: {}")
    folder.route("/a")
    folder.access_rule("https://api.test/a")
    file = folder.path / "access-rules" / "rules.yml"
    better = file.read_text().replace(
        "{handler: cookie_session}", f"{{handler: cookie_session, config: {{{GOOD_SESSION}}}}}"
    )
    file.write_text(better.replace("    config:\n", f"    config:\n      {GOOD_RETRY}\n", 1))
    assert folder.codes() == []


def test_what_is_not_given_is_not_said_to_be_missing(folder: Folder) -> None:
    folder.access_rule("https://api.test/a")
    folder.route("/a")
    assert folder.codes() == []


def test_a_header_that_is_never_sent_is_told(folder: Folder) -> None:
    forwarded = ", forward_response_headers_to_upstream: [x-decision-id, X-Nothing]"
    oathkeeper(folder, extra=forwarded)
    folder.route("/a")
    folder.access_rule("https://api.test/a")
    [finding] = folder.lint()
    assert finding.code == "unsent-header"
    assert "`X-Nothing`" in finding.message


def test_a_header_of_a_route_must_be_sent_and_forwarded(folder: Folder) -> None:
    folder.route("/a", setting='response_headers: {X-Owner: "${subject}"}')
    folder.access_rule("https://api.test/a")
    assert folder.codes() == []
    oathkeeper(folder)
    [finding] = folder.lint()
    assert (finding.code, finding.place.line) == ("unforwarded-header", 6)
    oathkeeper(folder, extra=", forward_response_headers_to_upstream: [x-owner]")
    assert folder.codes() == []


def test_a_session_is_whole_whatever_profile_is_named(folder: Folder) -> None:
    oathkeeper(folder, "")
    folder.route("/a")
    # `client` would take it: a subject, and nothing else.
    folder.access_rule("https://api.test/a", payload=PAYLOAD.replace('"kratos"', '"client"'))
    assert sorted(folder.codes()) == ["session-without-extra", "unnamed-profile"]


def test_the_anonymous_subject_must_be_one_of_the_profiles(folder: Folder) -> None:
    oathkeeper(folder)
    folder.route("/a")
    folder.access_rule("https://api.test/a")
    file = folder.path / "access-rules" / "rules.yml"
    text = file.read_text().replace("{handler: cookie_session}", "{handler: anonymous}")
    file.write_text(text)
    assert folder.codes() == ["unnamed-profile"]
    file.write_text(text.replace('"kratos"', '"anonymous"'))
    assert folder.codes() == ["anonymous-subject"]
    folder.write(
        "authorizer.yaml",
        """\
        principals:
          profiles:
            anonymous: {shape: anonymous, subjects: [nobody], roles: {always: [anonymous]}}
        """,
    )
    assert folder.codes() == []


@pytest.mark.parametrize(
    ("authenticator", "profile"),
    [
        ("cookie_session", "kratos"),
        ("bearer_token", "kratos"),
        ("oauth2_introspection", "hydra"),
        ("jwt", "jwt"),
        ("oauth2_client_credentials", "client"),
        ("noop", "anonymous"),
    ],
)
def test_each_authenticator_needs_a_profile_of_what_it_gives(
    folder: Folder, authenticator: str, profile: str
) -> None:
    folder.route("/a")
    folder.access_rule("https://api.test/a")
    file = folder.path / "access-rules" / "rules.yml"
    text = file.read_text().replace("cookie_session", authenticator)
    for named in ("kratos", "hydra", "jwt", "client", "anonymous"):
        file.write_text(text.replace('"kratos"', f'"{named}"'))
        findings = [found for found in folder.lint() if found.code == "unnamed-profile"]
        if named == profile:
            assert findings == []
        else:
            [found] = findings
            assert f"`{authenticator}`" in found.message
            assert f"name `{profile}` in" in found.help


def jwt(folder: Folder, issuers: str, trusted: str) -> list[str]:
    """Return what is said of a profile's issuers beside Oathkeeper's, both YAML, "" for none."""
    named = f", issuers: {issuers}" if issuers else ""
    folder.write(
        "authorizer.yaml",
        "principals: {profiles: {partner: {shape: claims, roles: {always: [partner]}"
        f"{named}}}}}}}\n",
    )
    config = f", trusted_issuers: {trusted}" if trusted else ""
    folder.write(
        "oathkeeper.yml",
        "authenticators: {jwt: {config: {jwks_urls: ['https://a.test/jwks']" + config + "}}}\n"
        "authorizers: {remote_json: {config: {retry: {give_up_after: 10ms}}}}\n",
    )
    folder.route("/a")
    folder.access_rule("https://api.test/a", payload=PAYLOAD.replace('"kratos"', '"partner"'))
    rules = folder.path / "access-rules" / "rules.yml"
    rules.write_text(rules.read_text().replace("cookie_session", "jwt"))
    return [finding.message for finding in folder.lint() if finding.code == "untrusted-issuer"]


def test_issuers_that_both_trust_are_right(folder: Folder) -> None:
    assert jwt(folder, "['https://a.test']", "['https://a.test']") == []
    assert jwt(folder, "", "['https://a.test']") == []
    assert jwt(folder, "", "") == []


def test_an_issuer_is_the_same_to_the_letter(folder: Folder) -> None:
    assert jwt(folder, "['https://a.test']", "['https://a.test/']") == [
        "`partner` takes an issuer that Oathkeeper does not trust here",
        "Oathkeeper trusts an issuer that no profile of `partner` takes",
    ]


def test_issuers_that_oathkeeper_does_not_ask_for_are_told(folder: Folder) -> None:
    assert jwt(folder, "['https://a.test']", "") == [
        "Oathkeeper takes a token of any issuer, and `partner` only of some"
    ]


def configured(folder: Folder, *, enabled: str = "true", remote: str = "") -> None:
    folder.write(
        "oathkeeper.yml",
        f"""\
        authenticators: {{cookie_session: {{enabled: {enabled}, config: {{{GOOD_SESSION}}}}}}}
        authorizers: {{remote_json: {{enabled: true, config: {{{remote} {GOOD_RETRY}}}}}}}
        """,
    )


def test_a_handler_that_is_not_enabled_is_told(folder: Folder) -> None:
    folder.route("/a")
    folder.access_rule("https://api.test/a")
    configured(folder)
    assert folder.codes() == []
    configured(folder, enabled="false")
    [finding] = folder.lint()
    assert (finding.code, finding.severity) == ("unusable-handler", "warning")
    assert "authenticators.cookie_session.enabled: true" in finding.help


def test_a_handler_that_oathkeeper_does_not_have_is_told_with_what_was_meant(
    folder: Folder,
) -> None:
    folder.route("/a")
    folder.access_rule("https://api.test/a")
    file = folder.path / "access-rules" / "rules.yml"
    file.write_text(file.read_text().replace("cookie_session", "cookie_sesion"))
    [finding] = folder.lint()
    assert (finding.code, finding.help) == ("unusable-handler", "did you mean `cookie_session`?")


@pytest.mark.parametrize(
    ("remote", "is_ours"),
    [
        ("http://authorizer:8080/authorize", True),
        ("http://authorizer:8080/inside/authorize", True),
        ("http://authorizer:8080/", False),
        ("http://authorizer:8080", False),
        ("http://cerbos:3592/api/check/resources", False),
        ("http://[", False),
    ],
)
def test_a_remote_that_is_not_this_authorizer_is_told(
    folder: Folder, remote: str, *, is_ours: bool
) -> None:
    folder.route("/a")
    folder.access_rule("https://api.test/a")
    configured(folder, remote=f"remote: '{remote}',")
    assert folder.codes() == ([] if is_ours else ["remote-elsewhere"])
