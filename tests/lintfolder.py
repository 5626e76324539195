"""What the tests of lint have in common: files in a folder, and what is found in them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from textwrap import dedent
from typing import TYPE_CHECKING

from authorizer.lint.gather import Inputs
from authorizer.lint.run import lint

if TYPE_CHECKING:
    from pathlib import Path

    from authorizer.lint.finding import Finding

PAYLOAD = """\
{"profile": "kratos",
 "subject": {{ .Subject | toJson }},
 "extra": {{ .Extra | toJson }},
 "method": {{ .MatchContext.Method | toJson }},
 "url": {{ .MatchContext.URL.String | toJson }}}
"""


@dataclass(frozen=True)
class Folder:
    """A folder with the parts of a chain; a part that is not written is not given."""

    path: Path

    def write(self, name: str, text: str) -> Path:
        """Write a file; return its path."""
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text))
        return file

    def lint(self, *, cerbos: Path | None = None) -> tuple[Finding, ...]:
        """Return what lint finds here, with the program if it is given."""
        schema = self.path / "identity.json"
        config = self.path / "authorizer.yaml"
        self.write("authorizer.yaml", "" if not config.exists() else config.read_text())
        return lint(
            Inputs(
                rules=(self.path / "rules",),
                config=config,
                policies=self._given("policies"),
                access_rules=self._given("access-rules"),
                oathkeeper_config=self._given("oathkeeper.yml"),
                identity_schemas=(schema,) if schema.exists() else (),
                kratos_config=self._given("kratos.yml"),
                cerbos=cerbos,
            )
        )

    def codes(self) -> list[str]:
        """Return the codes of what lint finds here."""
        return [finding.code.value for finding in self.lint()]

    def _given(self, name: str) -> Path | None:
        path = self.path / name
        return path if path.exists() else None

    def route(self, path: str, *, setting: str = "", **match: str) -> None:
        """Write rules with one static route, which asks no policy."""
        more = "".join(f", {key}: {value}" for key, value in match.items())
        methods = "" if "methods" in match else ", methods: [GET]"
        self.write(
            "rules/one.yaml",
            f"""\
            version: 1
            routes:
              - id: one
                match: {{path: "{path}"{methods}{more}}}
                effect: allow
                {setting}
            """,
        )

    def asks(self, kind: str = "document", action: str = "view", **resource: str) -> None:
        """Write rules with one route, which asks about a kind and an action."""
        more = "".join(f", {key}: {value}" for key, value in resource.items())
        self.write(
            "rules/one.yaml",
            f"""\
            version: 1
            routes:
              - id: one
                match: {{path: "/documents/{{id}}", methods: [GET]}}
                resource: {{kind: "{kind}", id: "${{path.id}}"{more}}}
                action: "{action}"
            """,
        )

    def policy(self, name: str, **parts: object) -> None:
        """Write a Cerbos policy as JSON, which is YAML too."""
        self.write(
            f"policies/{name}", json.dumps({"apiVersion": "api.cerbos.dev/v1"} | parts, indent=1)
        )

    def access_rule(self, url: str, *, methods: str = "[GET]", payload: str = PAYLOAD) -> None:
        """Write one access rule, for people with a session."""
        text = payload.replace("\n", "\n        ")
        self.write(
            "access-rules/rules.yml",
            f"""\
- id: rule
  match: {{url: '{url}', methods: {methods}}}
  authenticators: [{{handler: cookie_session}}]
  authorizer:
    handler: remote_json
    config:
      payload: |
        {text}
""",
        )
